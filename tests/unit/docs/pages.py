"""The documentation as tests see it: its pages, and what stands in their code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
PIPELINES = sorted((ROOT / "docs" / "pipelines").glob("*.yml"))

_FENCE = re.compile(r"^```([\w-]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    language: str
    text: str


def name_of(page: Path) -> str:
    """Name a page from the project's directory."""
    return str(page.relative_to(ROOT))


def blocks(*languages: str) -> list[Block]:
    """Return the fenced blocks of all pages in these languages."""
    return [
        Block(page, language, text)
        for page in PAGES
        for language, text in _FENCE.findall(page.read_text(encoding="utf-8"))
        if language in languages
    ]


def spans(page: Path) -> list[str]:
    """Return what stands in a page as inline code."""
    return _SPAN.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
