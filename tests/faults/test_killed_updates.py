"""`up` of a changed job, killed at every request that changes something.

One job goes through all of it: at the end of each test its counts must be whole, and the next test
begins with what this one left.
"""

from __future__ import annotations

import pytest

from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import (
    CANCEL,
    CANCEL_UNSENT,
    CHECKPOINT,
    FORGET,
    FULL,
    PLAN,
    RUN,
    RUN_POLL,
    RUN_UNSENT,
    STOP,
    STOP_POLL,
    STOP_UNSENT,
    UPLOAD,
    Case,
    Next,
    cases,
    on_engines,
    requests_not_among,
)

UP = ("up", "--yes", "--skip-preview")

SAVEPOINT_POINTS = [UPLOAD, PLAN, STOP, STOP_POLL, RUN_UNSENT, RUN, CHECKPOINT, FORGET]
SAVEPOINT_CASES = cases(
    [*SAVEPOINT_POINTS, *([RUN_POLL, STOP_UNSENT] if FULL else [])],
    Next,
    [
        Case(PLAN, Victims.ENGINE),
        Case(STOP, Victims.ENGINE),
        Case(RUN, Victims.ENGINE),
        Case(STOP, then=Next.ANOTHER),
        Case(RUN, then=Next.ANOTHER),
        Case(STOP, then=Next.PREVIOUS),
        Case(RUN, Victims.ENGINE, Next.PREVIOUS),
    ],
)
STATELESS_POINTS = [CANCEL, RUN]
STATELESS_CASES = cases(
    [
        *STATELESS_POINTS,
        *([UPLOAD, PLAN, CANCEL_UNSENT, RUN_UNSENT, RUN_POLL, CHECKPOINT, FORGET] if FULL else []),
    ],
    (Next.SAME, Next.ANOTHER),
    [Case(CANCEL, Victims.ENGINE), Case(RUN, then=Next.ANOTHER)],
)


@pytest.mark.parametrize(
    ("engine", "case"), on_engines(SAVEPOINT_CASES, [Case(STOP), Case(STOP, Victims.ENGINE)])
)
def test_an_update_goes_on_with_the_state(running_job: CountedJob, case: Case) -> None:
    """The next `up` ends with one job of what is declared then, and no count lost or repeated."""
    before = running_job.version
    running_job.next_version()
    running_job.interrupted(UP, case.point.strike, case.who)
    if case.then is Next.ANOTHER:
        running_job.next_version()
    if case.then is Next.PREVIOUS:
        running_job.declare(before)
        running_job.recover(*UP, "--refresh")
    else:
        running_job.recover()
    running_job.assert_runs()


@pytest.mark.parametrize(("engine", "case"), on_engines(STATELESS_CASES, []))
def test_a_stateless_update_begins_afresh_once(running_job: CountedJob, case: Case) -> None:
    """The next `up` ends with one job of what is declared then, which has counted from 1."""
    running_job.next_version(upgrade_mode="stateless", fresh_output=True)
    running_job.interrupted(UP, case.point.strike, case.who)
    if case.then is Next.ANOTHER:
        running_job.next_version(fresh_output=True)
    running_job.recover()
    running_job.inputs["upgrade_mode"] = "savepoint"
    running_job.assert_runs()


@pytest.mark.parametrize("engine", ["embedded"])
def test_no_request_is_left_out(running_job: CountedJob) -> None:
    """Every request by which an update changes something is killed above."""
    running_job.next_version()
    running_job.project.up()
    assert requests_not_among(SAVEPOINT_POINTS, running_job.proxy.changes) == []
    plans = [each for each in running_job.proxy.changes if each.path.endswith("/plan")]
    assert len(plans) in (2, 3), "state is compared by one or two further plans"
    assert len(running_job.proxy.changes) == 5 + len(plans)
    running_job.assert_runs()
    running_job.proxy.begin()
    running_job.settled = False
    running_job.next_version(upgrade_mode="stateless", fresh_output=True)
    running_job.project.up()
    points = [*STATELESS_POINTS, UPLOAD, PLAN, CHECKPOINT, FORGET]
    assert requests_not_among(points, running_job.proxy.changes) == []
    assert len(running_job.proxy.changes) == 6
