"""Each complaint about other job managers has a test, which is there under its name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.job_jars import ROOT

_PAGE = ROOT / "docs/complaints.md"
_ROW = re.compile(
    r"^\| (?P<complaint>.+?) \| .+ \| `(?P<file>tests/[\w/]+\.py)::(?P<test>\w+)` \|$"
)


def _rows() -> list[str]:
    lines = _PAGE.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("| ") and "---" not in line][1:]


@pytest.mark.parametrize("row", _rows())
def test_its_test_is_there(row: str) -> None:
    """Shows that a row names a test, and that its file has it."""
    match = _ROW.match(row)
    assert match, row
    tree = ast.parse(Path(ROOT / match["file"]).read_text(encoding="utf-8"))
    assert match["test"] in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


def test_rows_are_found() -> None:
    assert len(_rows()) > 20
    assert len(set(_rows())) == len(_rows())
