"""`up` of a job that is to stop, and `destroy`, killed at every request that changes something."""

from __future__ import annotations

import pytest

from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import (
    CANCEL,
    CANCEL_UNSENT,
    FORGET,
    FULL,
    STOP,
    STOP_POLL,
    STOP_UNSENT,
    Case,
    Next,
    cases,
    on_engines,
    requests_not_among,
)

UP = ("up", "--yes", "--skip-preview")
DESTROY = ("destroy", "--yes", "--skip-preview")

STOP_CASES = cases(
    [STOP, *([STOP_POLL, STOP_UNSENT] if FULL else [])],
    (Next.SAME, Next.ANOTHER),
    [Case(STOP, Victims.ENGINE, Next.ANOTHER)],
)
CANCEL_CASES = cases(
    [CANCEL, FORGET, *([CANCEL_UNSENT] if FULL else [])],
    [Next.SAME],
    [Case(CANCEL, Victims.ENGINE)],
)
SAVEPOINT_CASES = cases(
    [STOP, *([FORGET, STOP_POLL, STOP_UNSENT] if FULL else [])],
    [Next.SAME],
    [],
)


@pytest.mark.parametrize(("engine", "case"), on_engines(STOP_CASES, []))
def test_a_stop_is_found_again(running_job: CountedJob, case: Case) -> None:
    """The savepoint of the killed stop is the one that is recorded, and started from."""
    running_job.inputs["desired_state"] = "stopped"
    running_job.interrupted(UP, case.point.strike, case.who)
    if case.then is Next.SAME:
        running_job.recover()
        running_job.assert_stopped()
        running_job.proxy.begin()
    running_job.inputs["desired_state"] = "running"
    running_job.next_version()
    running_job.recover()
    running_job.assert_runs()


@pytest.mark.parametrize(("engine", "case"), on_engines(CANCEL_CASES, [Case(CANCEL)]))
def test_a_destroy_goes_on(running_job: CountedJob, case: Case) -> None:
    """The next `destroy` leaves neither a job nor a jar."""
    running_job.interrupted(DESTROY, case.point.strike, case.who)
    running_job.recover(*DESTROY)
    running_job.assert_gone()


@pytest.mark.parametrize(("engine", "case"), on_engines(SAVEPOINT_CASES, []))
def test_a_destroy_with_savepoint_goes_on(running_job: CountedJob, case: Case) -> None:
    """The next `destroy` leaves neither a job nor a jar, and names the savepoint."""
    running_job.inputs["on_delete"] = "savepoint"
    running_job.recover()
    running_job.interrupted(DESTROY, case.point.strike, case.who)
    finished = running_job.recover(*DESTROY)
    running_job.assert_gone()
    (savepoint,) = running_job.cluster.savepoints.glob("counted/*/on-delete/*/_metadata")
    assert f"counted: deleted, its savepoint is file:{savepoint.parent}" in finished.text
    savepoint.unlink()


@pytest.mark.parametrize("engine", ["embedded"])
def test_a_destroy_that_is_thought_better_of(running_job: CountedJob) -> None:
    """`up` after a killed `destroy` with savepoint brings the job back with its state."""
    running_job.inputs["on_delete"] = "savepoint"
    running_job.recover()
    running_job.interrupted(DESTROY, STOP.strike, Victims.ENGINE_AND_PROVIDER)
    running_job.recover(*UP, "--refresh")
    running_job.assert_runs()


@pytest.mark.parametrize("engine", ["embedded"])
def test_no_request_is_left_out(running_job: CountedJob) -> None:
    """Every request by which a stop and both kinds of delete change something is killed above."""
    running_job.settled = False
    running_job.inputs["on_delete"] = "cancel"
    running_job.project.up()
    running_job.proxy.begin()
    running_job.project.destroy()
    assert requests_not_among([CANCEL, FORGET], running_job.proxy.changes) == []
    running_job.next_version(fresh_output=True, on_delete="savepoint")
    running_job.project.up()
    running_job.proxy.begin()
    running_job.project.destroy()
    assert requests_not_among([STOP, FORGET], running_job.proxy.changes) == []
