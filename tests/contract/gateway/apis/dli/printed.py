"""The requests that the service's descriptions print, with other ids in their places."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parent / "recorded" / "printed-requests.md"

PRINTED: dict[str, str] = dict(
    re.findall(
        r"^## ([a-z-]+)\n\n```\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
)


def printed(name: str, *ids: int, **replaced: str) -> str:
    """Return a printed body with these ids instead of its own, and other texts replaced."""
    body = PRINTED[name]
    for old, number in zip(("128", "137") if len(ids) > 1 else ("137228",), ids, strict=True):
        body = re.sub(rf"\b{old}\b", str(number), body)
    for old, new in replaced.items():
        body = body.replace(old.replace("_", "-"), new)
    return body
