"""Errors are one line of whole sentences, whatever they quote."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import flink_jobs_provider
from flink_jobs_provider.model.errors import ActionFailed

PACKAGE = Path(flink_jobs_provider.__file__).parent


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("it failed", "it failed."),
        ("it failed.", "it failed."),
        ("it failed..", "it failed."),
        ("it failed: no jar.; its state is safe", "it failed: no jar; its state is safe."),
        ("no jar., and no copy", "no jar, and no copy."),
        ("no jar.. Nothing runs", "no jar. Nothing runs."),
        ("did it?", "did it?"),
        ("wait...", "wait..."),
        ("wait... for it", "wait... for it."),
        ("../jobs/a.jar is gone", "../jobs/a.jar is gone."),
        ("/jobs/.. is gone", "/jobs/.. is gone."),
        ("two\nlines  of it", "two lines of it."),
    ],
)
def test_a_sentence_ends_once(text: str, sentence: str) -> None:
    error = ActionFailed(text, now=text, remedy=text)
    assert (error.happened, error.now, error.remedy) == (sentence, sentence, sentence)
    assert ActionFailed(f"x: {error.happened}").happened == f"x: {sentence}"


def test_a_reason_has_no_full_stop() -> None:
    assert ActionFailed("it failed.").reason == "it failed"
    assert ActionFailed("wait...").reason == "wait..."


def test_no_message_goes_on_after_a_whole_sentence() -> None:
    """Shows that `happened`, which ends with a full stop, is quoted at the end of a text only.

    Lines that are printed pass through no error: there, `reason` is what can be gone on from.
    """
    found = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        for part, following in zip(node.values, node.values[1:], strict=False)
        if isinstance(part, ast.FormattedValue)
        and isinstance(part.value, ast.Attribute)
        and part.value.attr in ("happened", "now", "remedy")
        and isinstance(following, ast.Constant)
        and str(following.value)[0] != " "
    ]
    assert found == []
