"""Which tests run in one process, one after the other, for what they share.

A Flink cluster takes seconds to start, and each test process has its own. Most cases need a Flink
2.3, so that each process comes to have one; those that need a Flink 1.20 are for a few processes.
Tests of a file that hand something on are for one process. All others go wherever there is room.

The process that distributes tests has their ids alone, so that what they share is read off these.
(xdist's own `xdist_group` marks need a writable id of a test, which pytest 9 no longer has.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.flink_cluster import FLINK_1

_FLINK_1_PARAMETER = f"flink-{FLINK_1}"
#: Tests that take `flink_1` without a parameter that says so.
_ON_FLINK_1 = (
    "test_a_job_lives_on_flink_1",
    "test_a_job_under_another_jobid_is_cancelled",
    "test_two_clusters_run_side_by_side",
    "test_flink_shows_states_as_late_as_by_default",
)
#: Folders, and files, whose tests share nothing but clusters.
_APART = (
    "browser/test_steps.py",
    "end_to_end/bad_input/",
    "end_to_end/engine/",
    "end_to_end/flink/",
)
#: Files there whose tests share something.
_TOGETHER = ("end_to_end/engine/test_kills.py",)


class BySharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Distributes tests over processes so that those which share something are in one."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the group that a test runs in: its own id for one that shares nothing."""
    path, _, name = nodeid.removeprefix("tests/").partition("::")
    if path.startswith(("unit/", "contract/")):
        return nodeid
    if _FLINK_1_PARAMETER in name or name.partition("[")[0] in _ON_FLINK_1:
        return f"{_FLINK_1_PARAMETER} of {path.split('/')[0]}"
    if path.startswith(_APART) and path not in _TOGETHER:
        return nodeid
    return path


def refuse_unknown(items: Sequence[pytest.Item]) -> None:
    """Raise where a test takes a Flink 1.20 and its id does not show it: it would not be grouped.

    Raises:
        UsageError: There is such a test.
    """
    for item in items:
        fixtures: Sequence[Any] = getattr(item, "fixturenames", ())
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        takes = "flink_1" in fixtures or parameters.get("flink") == "flink_1"
        if takes and not group_of(item.nodeid).startswith(_FLINK_1_PARAMETER):
            raise pytest.UsageError(
                f"{item.nodeid} takes flink_1: name it among _ON_FLINK_1 of tests/sharing.py"
            )
