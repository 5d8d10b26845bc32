"""`up` of a changed job that disposes of old savepoints, killed at each of these requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault_proxy import Moment
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import Case, Next, Point, cases

UP = ("up", "--yes", "--skip-preview")
REQUEST = r"POST /savepoint-disposal$"
DISPOSAL = Point("disposal", REQUEST)
DISPOSAL_UNSENT = Point("disposal_unsent", REQUEST, Moment.BEFORE)
POLL = Point("poll_of_disposal", r"GET /savepoint-disposal/")
CASES = cases(
    [DISPOSAL_UNSENT, DISPOSAL, POLL],
    (Next.SAME, Next.PREVIOUS),
    [Case(DISPOSAL, Victims.ENGINE), Case(POLL, then=Next.PREVIOUS)],
)


@pytest.mark.parametrize("engine", ["embedded"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_was_disposed_of_is_no_way_back(running_job: CountedJob, case: Case) -> None:
    """Shows that every way back on record is there, before and after the next run."""
    job = running_job
    job.inputs["savepoint_retention"] = {"count": 1}
    for _ in range(2):
        job.next_version()
        job.project.up()
    before = job.version
    job.next_version()
    job.interrupted(UP, case.point.strike, case.who)
    assert_ways_back(job)
    if case.then is Next.PREVIOUS:
        job.declare(before)
        job.recover(*UP, "--refresh")
    else:
        job.recover()
    assert_ways_back(job)
    job.next_version()
    job.project.up()
    for each in job.outputs()["savepoints"]:
        assert there(each["path"]), "what has gone is no longer listed"
    assert len(job.outputs()["savepoints"]) <= 3
    job.assert_runs()


def assert_ways_back(job: CountedJob) -> None:
    """Assert that what the stack names as the job's last savepoint, and its origin, is there."""
    outputs = job.project.resources()["counted"]["outputs"]
    for name in ("last_savepoint", "restored_from"):
        assert there(outputs[name]), name
    left = [each["savepoint"] for each in outputs["history"] if each.get("savepoint")]
    assert there(left[0])


def there(path: str) -> bool:
    """Whether a savepoint is in its storage."""
    return Path(path.removeprefix("file:"), "_metadata").exists()
