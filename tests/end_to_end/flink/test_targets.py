"""The table of cases that are left out on a target."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.end_to_end.flink.targets import (
    ALSO_BY_PLUGIN,
    BY_PLUGIN,
    CANNOT_EXIST,
    CHOSEN,
    NOT_BY_PLUGIN,
)


def test_each_case_that_is_left_out_is_there_on_another_target() -> None:
    """A name that no test has would leave nothing out, and one left out everywhere is no case."""
    tests = {
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    left_out = [name for cases in CANNOT_EXIST.values() for name in cases]
    chosen = set().union(*CHOSEN.values(), BY_PLUGIN, ALSO_BY_PLUGIN)
    assert {*left_out, *NOT_BY_PLUGIN, *chosen} <= tests
    most = max(Counter(left_out).values())
    assert most < len(CANNOT_EXIST), "a case is left out everywhere"
