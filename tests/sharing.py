"""Which tests run in one process, one after the other, for what they share.

A Flink cluster takes seconds to start, and each test process has its own. Most cases need a Flink
2.3, so that each process comes to have one; those that need a Flink 1.20 are for two processes.
Tests of a file that hand something on are for one process. All others go wherever there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
#: Folders whose tests share nothing but clusters.
_APART = ("end_to_end/flink", "end_to_end/bad_input", "end_to_end/engine")
#: Files there whose tests share something.
_TOGETHER = ("end_to_end/engine/test_kills.py",)
#: What takes longest begins first, so that no process is left with it alone at the end.
_LONGEST_FIRST: tuple[str, ...] = ()


def group(items: list[pytest.Item]) -> None:
    """Mark each test with the group that it runs in, and sort the longest groups to the front."""
    names = {item: _group_of(item) for item in items}
    for item, name in names.items():
        if name:
            item.add_marker(pytest.mark.xdist_group(name))
    order = {name: number for number, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(names[item] or item.name, len(order)))


def _group_of(item: pytest.Item) -> str | None:
    path = item.path.relative_to(_TESTS).as_posix()
    if path.startswith(("unit/", "contract/")):
        return None
    if _takes_flink_1(item):
        return f"flink-1.20 of {path.split('/')[0]}"
    if path.startswith(_APART) and path not in _TOGETHER:
        return None
    return path


def _takes_flink_1(item: pytest.Item) -> bool:
    fixtures: Sequence[str] = getattr(item, "fixturenames", ())
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return "flink_1" in fixtures or parameters.get("flink") == "flink_1"
