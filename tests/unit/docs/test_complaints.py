"""Each complaint, and each case of an upgrade, has a test, which is there under its name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.job_jars import ROOT

_COMPLAINTS = ROOT / "docs/complaints.md"
_UPGRADES = ROOT / "docs/how-an-upgrade-is-proven.md"
_ROW = re.compile(
    r"^\| (?P<complaint>.+?) \| .+ \| `(?P<file>tests/[\w/]+\.py)::(?P<test>\w+)` \|$"
)


def _rows(page: Path, heading: str) -> list[str]:
    lines = page.read_text(encoding="utf-8").partition(heading)[2].splitlines()
    return [line for line in lines if line.startswith("| ") and "---" not in line][1:]


_COMPLAINED = _rows(_COMPLAINTS, "# What has hurt users of other job managers\n")
_CASES = _rows(_UPGRADES, "## Cases on a real Flink\n")


@pytest.mark.parametrize("row", _COMPLAINED + _CASES)
def test_its_test_is_there(row: str) -> None:
    """Shows that a row names a test, and that its file has it."""
    match = _ROW.match(row)
    assert match, row
    tree = ast.parse(Path(ROOT / match["file"]).read_text(encoding="utf-8"))
    assert match["test"] in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


def test_rows_are_found() -> None:
    assert len(_COMPLAINED) > 20
    assert len(_CASES) > 10
    for rows in (_COMPLAINED, _CASES):
        assert len(set(rows)) == len(rows)
