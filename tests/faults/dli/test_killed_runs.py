"""`up` and `destroy`, killed at every request to Data Lake Insight that changes something."""

from __future__ import annotations

import pytest

from tests.fault_proxy import Moment
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import (
    FULL,
    Case,
    Next,
    Point,
    cases,
    on_engines,
    requests_not_among,
)

UP = ("up", "--yes", "--skip-preview")
DESTROY = ("destroy", "--yes", "--skip-preview")

CREATE = Point("create", r"POST .*/flink-jobs$")
RUN = Point("run", r"POST .*/jobs/run$")
STOP = Point("stop", r"POST .*/jobs/stop$")
CHANGE = Point("change", r"PUT .*/flink-jobs/\d+$")
DELETE = Point("delete", r"DELETE .*/jobs/\d+$")
RUN_POLL = Point("poll_of_run", r"GET .*/jobs/\d+$", once_seen=RUN.pattern)
STOP_POLL = Point("poll_of_stop", r"GET .*/jobs/\d+$", once_seen=STOP.pattern)


def _unsent(point: Point) -> Point:
    return Point(f"{point.name}_unsent", point.pattern, Moment.BEFORE)


CREATE_POINTS = [CREATE, RUN]
UPDATE_POINTS = [STOP, CHANGE, RUN]
CREATE_CASES = cases(
    [*CREATE_POINTS, *([_unsent(CREATE), _unsent(RUN), RUN_POLL] if FULL else [])],
    (Next.SAME, Next.ANOTHER),
    [Case(CREATE, then=Next.ANOTHER), Case(RUN, Victims.ENGINE)],
)
UPDATE_CASES = cases(
    [
        *UPDATE_POINTS,
        *([*map(_unsent, UPDATE_POINTS), STOP_POLL, RUN_POLL] if FULL else []),
    ],
    Next,
    [Case(STOP, then=Next.ANOTHER), Case(CHANGE, then=Next.PREVIOUS), Case(STOP, Victims.ENGINE)],
)
DELETE_CASES = cases(
    [STOP, DELETE, *([_unsent(STOP), _unsent(DELETE)] if FULL else [])], [Next.SAME], []
)


@pytest.mark.parametrize(("engine", "case"), on_engines(CREATE_CASES, [Case(RUN)]))
def test_the_next_up_takes_over(fresh_job: CountedJob, case: Case) -> None:
    """A job that the killed run created is taken up, or changed with its state; never doubled."""
    fresh_job.interrupted(UP, case.point.strike, case.who)
    if case.then is Next.ANOTHER:
        fresh_job.next_version()
    fresh_job.recover()
    fresh_job.assert_runs()


@pytest.mark.parametrize(("engine", "case"), on_engines(UPDATE_CASES, [Case(STOP)]))
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


@pytest.mark.parametrize(("engine", "case"), on_engines(DELETE_CASES, []))
def test_a_destroy_with_a_savepoint_goes_on(running_job: CountedJob, case: Case) -> None:
    """The next `destroy` leaves no job, and the savepoint of the killed one is still there."""
    running_job.inputs["on_delete"] = "savepoint"
    running_job.recover()
    running_job.interrupted(DESTROY, case.point.strike, case.who)
    running_job.recover(*DESTROY)
    running_job.assert_gone()


@pytest.mark.parametrize("engine", ["embedded"])
def test_no_request_is_left_out(running_job: CountedJob) -> None:
    """Every request by which an update and a deletion change something is killed above."""
    running_job.next_version()
    running_job.project.up()
    assert requests_not_among(UPDATE_POINTS, running_job.proxy.changes) == []
    assert len(running_job.proxy.changes) == 3
    running_job.assert_runs()
    running_job.settled = False
    running_job.inputs["on_delete"] = "savepoint"
    running_job.recover()
    running_job.proxy.begin()
    running_job.recover(*DESTROY)
    assert requests_not_among([STOP, DELETE], running_job.proxy.changes) == []
    assert len(running_job.proxy.changes) == 2
