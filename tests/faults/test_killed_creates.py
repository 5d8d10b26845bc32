"""`up` of a new job, killed at every request that changes something."""

from __future__ import annotations

import pytest

from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import (
    CHECKPOINT,
    FULL,
    PLAN,
    RUN,
    RUN_POLL,
    RUN_UNSENT,
    UPLOAD,
    Case,
    Next,
    cases,
    on_engines,
    requests_not_among,
)

UP = ("up", "--yes", "--skip-preview")
POINTS = [UPLOAD, PLAN, RUN, CHECKPOINT, *([RUN_POLL, RUN_UNSENT] if FULL else [])]
CASES = cases(
    POINTS,
    (Next.SAME, Next.ANOTHER),
    [Case(RUN, Victims.ENGINE), Case(RUN, then=Next.ANOTHER), Case(UPLOAD, Victims.ENGINE)],
)


@pytest.mark.parametrize(("engine", "case"), on_engines(CASES, [Case(RUN, Victims.ENGINE)]))
def test_the_next_up_takes_over(fresh_job: CountedJob, case: Case) -> None:
    """A job that the killed run started is adopted, or upgraded with its state; never doubled."""
    fresh_job.interrupted(UP, case.point.strike, case.who)
    if case.then is Next.ANOTHER:
        fresh_job.next_version()
    fresh_job.recover()
    fresh_job.assert_runs()


@pytest.mark.parametrize("engine", ["embedded"])
def test_no_request_is_left_out(fresh_job: CountedJob) -> None:
    """Every request by which a create changes something is killed above."""
    fresh_job.project.up()
    assert requests_not_among(POINTS, fresh_job.proxy.changes) == []
    assert len(fresh_job.proxy.changes) == 4
