"""Conditions, on recorded sequences of observations: no cluster, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.reconciling.conditions import (
    CheckpointCompleted,
    CheckpointRequest,
    Condition,
    Ended,
    Failed,
    JobObservation,
    Judgement,
    Met,
    NoRestartFor,
    NotYet,
    Observation,
    RestoredFrom,
    TasksRunning,
    all_of,
)
from tests.unit.reconciling.recorded import history

JOB = "0" * 32
UP = 1000


def row(state: str, tasks: int = 0, running: int = 0, modified: int = UP, done: int = 0) -> object:
    """Return a row as Flink lists it."""
    return ObservedJob(
        JOB,
        "x",
        state,
        tasks=tasks,
        running_tasks=running,
        finished_tasks=done,
        modified=modified,
    )


def seen(job: object, **told: object) -> JobObservation:
    """Return an observation of a row."""
    return JobObservation(JOB, job, **told)  # type: ignore[arg-type]


RUNS = seen(row("RUNNING", 2, 2))
STARTING = seen(row("RUNNING", 2, 1))
RESTARTING = seen(row("RESTARTING", 2, 0))
FAILED = seen(row("FAILED", 2, 0))
FINISHED = seen(row("FINISHED", 2, 0))
CANCELED = seen(row("CANCELED", 2, 0))
GONE = seen(None)


def judged(condition: Condition[JobObservation], *observed: JobObservation) -> Judgement:
    """Judge one observation a second."""
    return condition.judge(history(*enumerate(observed)))


def test_what_stays_the_same_is_recorded_once() -> None:
    """Shows that a wait of hours keeps as many observations as there were changes."""
    recorded = history((0, "a"), (1, "a"), (9, "a"), (10, "b"), (11, "a"))
    assert recorded == [
        Observation("a", 0, 9),
        Observation("b", 10, 10),
        Observation("a", 11, 11),
    ]


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ([seen(row("INITIALIZING"))], NotYet("the job is INITIALIZING, with 0 of 0 tasks running")),
        ([STARTING], NotYet("the job is RUNNING, with 1 of 2 tasks running")),
        ([STARTING, RUNS], Met()),
        ([FINISHED], Met()),
        ([STARTING, FAILED], Failed("the job is FAILED", TasksRunning())),
        ([CANCELED], Failed("the job is CANCELED", TasksRunning())),
        (
            [STARTING, GONE],
            Failed(f"job {JOB} was accepted, and the cluster no longer lists it", TasksRunning()),
        ),
        ([RESTARTING, STARTING] * 2, NotYet("the job is RUNNING, with 1 of 2 tasks running")),
        (
            [RESTARTING, STARTING] * 2 + [RESTARTING],
            Failed("the job is RESTARTING", TasksRunning()),
        ),
        (
            [RESTARTING, STARTING] * 2 + [RUNS, RESTARTING],
            NotYet("the job is RESTARTING, with 0 of 2 tasks running"),
        ),
    ],
)
def test_tasks_running(observed: list[JobObservation], expected: Judgement) -> None:
    """Shows that RUNNING alone is not up, and that the third restart without coming up counts."""
    assert judged(TasksRunning(), *observed) == expected


BROKE = seen(row("RUNNING", 2, 2, UP + 5), cause="RuntimeException: no")
RESCALED = seen(row("RUNNING", 2, 2, UP + 5))


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ([(0, RUNS), (9, RUNS)], NotYet("all tasks have run for 9 of 10 s", 1)),
        ([(0, RUNS), (10, RUNS)], Met()),
        ([(0, STARTING), (20, STARTING)], NotYet("the job is RUNNING, with 1 of 2 tasks running")),
        ([(0, RUNS), (3, FINISHED)], Met()),
        ([(0, RUNS), (3, FAILED)], Failed("the job is FAILED", NoRestartFor(10))),
        (
            [(0, RUNS), (4, BROKE)],
            Failed("it failed after all its tasks ran: RuntimeException: no", NoRestartFor(10)),
        ),
        ([(0, RUNS), (8, RESCALED), (10, RESCALED)], NotYet("all tasks have run for 2 of 10 s", 8)),
        ([(0, RUNS), (8, RESCALED), (18, RESCALED)], Met()),
        (
            [(0, RUNS), (8, RESTARTING), (9, RESTARTING)],
            NotYet("the job is RESTARTING, with 0 of 2 tasks running"),
        ),
        ([(0, RUNS), (8, RESTARTING), (12, RUNS), (22, RUNS)], Met()),
        ([(0, RUNS), (10, RUNS), (11, RESTARTING)], Met()),
        (
            [
                (0, RUNS),
                (5, seen(row("RUNNING", 2, 1, UP + 5, 1))),
                (10, seen(row("RUNNING", 2, 1, UP + 5, 1))),
            ],
            Met(),
        ),
    ],
)
def test_no_restart_for(observed: list[tuple[float, JobObservation]], expected: Judgement) -> None:
    """Shows a restart between two looks, a rescale, a task that ends, and a job that does."""
    assert NoRestartFor(10).judge(history(*observed)) == expected


def test_no_restart_for_no_time_asks_for_one_look() -> None:
    assert judged(NoRestartFor(0), RUNS) == Met()


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ([RUNS], NotYet("no checkpoint has completed yet", 3)),
        (
            [RUNS, RUNS, RUNS, RUNS],
            Failed("no checkpoint has completed yet", CheckpointCompleted(3)),
        ),
        ([RUNS, seen(RUNS.job, checkpoint=CheckpointRequest(True))], Met()),
        (
            [RUNS, seen(RUNS.job, checkpoint=CheckpointRequest(reason="disk full"))],
            NotYet("disk full", 2),
        ),
        ([RUNS, FINISHED], Met()),
    ],
)
def test_checkpoint_completed(observed: list[JobObservation], expected: Judgement) -> None:
    assert judged(CheckpointCompleted(3), *observed) == expected


@pytest.mark.parametrize(
    ("path", "told", "met"),
    [
        (None, "file:/a", True),
        ("file:/a", "", True),
        ("file:///a", "file:/a", True),
        ("file:/a", "file:/b", False),
    ],
)
def test_restored_from(path: str | None, told: str, met: bool) -> None:
    """Shows that only another origin than the one asked for is a failure."""
    judgement = judged(RestoredFrom(path), seen(RUNS.job, restored_from=told))
    assert isinstance(judgement, Met) == met
    if isinstance(judgement, Failed):
        assert judgement.reason == "it was to start from file:/a, and started from file:/b"


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (RUNS, NotYet(f"job {JOB} is still RUNNING")),
        (seen(row("CANCELLING", 2, 1)), NotYet(f"job {JOB} is still CANCELLING")),
        (CANCELED, Met()),
        (FINISHED, Met()),
        (GONE, Met()),
    ],
)
def test_ended(last: JobObservation, expected: Judgement) -> None:
    assert judged(Ended(), RUNS, last) == expected


@dataclass(frozen=True)
class Constant:
    """A condition that is always judged alike."""

    judgement: Judgement

    def judge(self, history: Sequence[Observation[str]]) -> Judgement:
        """Judge."""
        return self.judgement


YES, LATER = Constant(Met()), Constant(NotYet("not yet", 5))
SOON, NO = Constant(NotYet("nearly", 2)), Constant(Failed("never"))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([YES, YES], Met()),
        ([YES, LATER], NotYet("not yet", 5)),
        ([LATER, SOON, LATER], NotYet("not yet; nearly", 2)),
        ([LATER, NO, YES], Failed("never")),
        ([], Met()),
    ],
)
def test_all_of(conditions: list[Constant], expected: Judgement) -> None:
    assert all_of(*conditions).judge(history((0, ""))) == expected


@dataclass(frozen=True)
class OutputFlows:
    """A condition that this package does not have, as a health gate would bring it."""

    def judge(self, history: Sequence[Observation[JobObservation]]) -> Judgement:
        """Judge by whether the state name ever changed."""
        return Met() if len(history) > 1 else NotYet("no output yet")


def test_a_further_condition_composes_with_the_others() -> None:
    """Shows that a health gate needs no change of those that are there, nor of the waiter."""
    gate = all_of(TasksRunning(), NoRestartFor(1), OutputFlows())
    assert judged(gate, RUNS, RUNS) == NotYet("no output yet")
    assert judged(gate, STARTING, RUNS, RUNS) == Met()
