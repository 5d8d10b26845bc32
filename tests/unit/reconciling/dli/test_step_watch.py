"""When a step has had its effect, on recorded sequences of what a job shows."""

from __future__ import annotations

import pytest

from flink_jobs_provider.control_planes.service_planes import StepJob
from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet
from flink_jobs_provider.reconciling.dli.step_watch import (
    TAKEN_OVER,
    SavepointEnded,
    StartEnded,
    StaysActive,
    StopEnded,
)
from tests.unit.reconciling.recorded import history


def job(word: str, status: JobStatus | None = None, **told: object) -> StepJob:
    """Return a job that shows a status."""
    return StepJob("1", "orders", status=status, status_word=word, **told)  # type: ignore[arg-type]


RUNS = job("job_running", JobStatus.RUNNING, started=1)
RESTARTED = job("job_running", JobStatus.RUNNING, started=2)
STOPPED = job("job_cancel_success", JobStatus.CANCELED)
SAVED = job("job_cancel_success", JobStatus.CANCELED, last_savepoint="obs://b/s")
FAILED = job("job_running_exception", JobStatus.FAILED)
MOVES = job("job_submitting", JobStatus.STARTING, result=ActionResult.IN_PROGRESS)
PONDERS = job("job_pondering")
Looks = list[tuple[float, StepJob | None]]


@pytest.mark.parametrize(
    ("looks", "shows_starts", "met"),
    [
        ([(0, STOPPED)], False, False),
        ([(0, STOPPED), (99, STOPPED)], False, False),
        ([(0, STOPPED), (30, STOPPED)], True, True),
        ([(0, MOVES)], False, False),
        ([(0, MOVES), (5, RUNS)], False, True),
        ([(0, MOVES), (5, STOPPED)], False, True),
        ([(0, STOPPED), (5, FAILED)], False, True),
        ([(0, STOPPED), (5, PONDERS)], False, False),
        ([(0, STOPPED), (5, None)], False, True),
    ],
)
def test_the_end_of_a_start(looks: Looks, shows_starts: bool, met: bool) -> None:
    assert isinstance(StartEnded(STOPPED, shows_starts).judge(history(*looks)), Met) == met


@pytest.mark.parametrize(
    ("looks", "met"),
    [
        ([(0, RUNS), (99, RUNS)], False),
        ([(0, MOVES), (5, RUNS)], True),
        ([(0, MOVES), (5, STOPPED)], False),
        ([(0, MOVES), (30, STOPPED)], True),
        ([(0, MOVES), (5, SAVED)], True),
        ([(0, MOVES), (5, FAILED)], True),
    ],
)
def test_the_end_of_a_stop_with_a_savepoint(looks: Looks, met: bool) -> None:
    """Shows that the savepoint may show later than the end."""
    assert isinstance(StopEnded(RUNS, savepoint=True).judge(history(*looks)), Met) == met


def test_a_step_that_was_not_answered_must_show_within_a_minute() -> None:
    lost = StopEnded(RUNS, unanswered="slow", savepoint=True)
    assert isinstance(lost.judge(history((0, RUNS), (59, RUNS))), NotYet)
    assert lost.judge(history((0, RUNS), (60, RUNS))) == Failed("it is job_running", lost)
    assert isinstance(lost.judge(history((0, MOVES), (99, MOVES))), NotYet)


def test_the_end_of_a_savepoint() -> None:
    saved = job("job_running", JobStatus.RUNNING, started=1, last_savepoint="obs://b/s")
    assert isinstance(SavepointEnded(RUNS).judge(history((0, RUNS))), NotYet)
    assert SavepointEnded(RUNS).judge(history((0, RUNS), (1, saved))) == Met()
    assert SavepointEnded(RUNS).judge(history((0, RUNS), (30, RUNS))) == Met()


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(0, RUNS), (9, RUNS)], NotYet("it is job_running", 1)),
        ([(0, RUNS), (10, RUNS)], Met()),
        ([(0, RUNS), (2, FAILED)], Met()),
        ([(0, RUNS), (2, MOVES)], Met()),
        ([(0, RUNS), (2, None)], Met()),
        ([(0, RUNS), (2, PONDERS)], NotYet("it is job_pondering", 8)),
    ],
)
def test_a_job_that_stays_up(looks: Looks, expected: Judgement) -> None:
    assert StaysActive(10).judge(history(*looks)) == expected


def test_what_was_written_is_taken_over() -> None:
    assert TAKEN_OVER.judge(history((0, ("parallelism",)))) == NotYet(
        "it does not show parallelism"
    )
    assert TAKEN_OVER.judge(history((0, ("parallelism",)), (1, ()))) == Met()
