"""The requests that the descriptions of the service print, with values in their places."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parent / "recorded" / "printed-requests.md"

PRINTED: dict[str, str] = dict(
    re.findall(
        r"^## ([A-Z_]+)\n\n```\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
)


def printed(action: str, **values: str) -> str:
    """Return a printed body, each `<PLACE>` filled with the value of that name."""
    body = PRINTED[action]
    for place, value in values.items():
        body = body.replace(f"<{place}>", value)
    left = re.findall(r"<[A-Z_]+>", body)
    assert not left, left
    return body
