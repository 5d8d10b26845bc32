"""Every message that the troubleshooting page explains can still be printed."""

import ast
import re
from functools import cache

import pytest

from flink_jobs_provider.model.spec import JobSpec
from tests.unit.docs.pages import ROOT

_PAGE = ROOT / "docs" / "troubleshooting.md"
_HOLE = re.compile(r"<[^<>]+>")


def _messages() -> list[str]:
    """Return the messages: the page's headings of the third level, in code."""
    return re.findall(r"^### `+ ?(.+?) ?`+$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@cache
def _said() -> str:
    """Return every text in the source, a line each, with `<>` where a value is put in.

    `{field}` in an error is the name of the property that it is about.
    """
    lines = []
    for path in (ROOT / "flink_jobs_provider").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                lines.append(
                    "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "<>"
                        for part in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines.append(node.value)
    named = [
        line.replace("{field}", name)
        for line in lines
        if "{field}" in line
        for name in JobSpec.model_fields
    ]
    return "\n".join([*lines, *named])


@pytest.mark.parametrize("message", _messages())
def test_message_is_in_the_source(message: str) -> None:
    """Shows that the words of each message are still those of the source."""
    words = [part.strip(" .…") for part in _HOLE.split(message)]
    parts = [part for part in words if len(part.strip(":;,()' ")) > 2]
    assert parts, "a message must have words of its own"
    for part in parts:
        assert part in _said(), f"no source says: {part}"


def test_messages_are_found() -> None:
    """Shows that the test above looks at something."""
    assert len(_messages()) > 25
