"""The checks of a health gate, on recorded sequences of observations: no cluster, no clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.observation import ObservedJob, VitalSigns
from flink_jobs_provider.reconciling.conditions import (
    CheckpointRequest,
    Condition,
    Failed,
    JobObservation,
    Judgement,
    Met,
    NotYet,
)
from flink_jobs_provider.reconciling.health_conditions import (
    CheckpointsAsQuick,
    CheckpointsCompleted,
    ExceptionsAtMost,
    LagWithin,
    OutputFlows,
    RestartsAtMost,
    WatchedFor,
)
from tests.unit.reconciling.recorded import history

JOB = "0" * 32
COMPLETED = CheckpointRequest(completed=True)


def row(state: str = "RUNNING", running: int = 2, modified: int = 1000) -> ObservedJob:
    """Return a row as Flink lists it."""
    return ObservedJob(JOB, "x", state, tasks=2, running_tasks=running, modified=modified)


RUNS = JobObservation(JOB, row())
FAILED, GONE = JobObservation(JOB, row("FAILED", 0)), JobObservation(JOB, None)
FINISHED = JobObservation(JOB, row("FINISHED", 0))


def failing(modified: int) -> JobObservation:
    """Return an observation of a job whose tasks have just failed."""
    return JobObservation(JOB, row("RESTARTING", 0, modified), cause="its cause")


def shows(**vitals: object) -> JobObservation:
    """Return an observation of a job that runs, with vital signs."""
    return replace(RUNS, vitals=VitalSigns(**vitals))  # type: ignore[arg-type]


def judged(condition: Condition[JobObservation], *seen: tuple[float, JobObservation]) -> Judgement:
    """Judge observations at their times, the first one of a job whose tasks all run."""
    return condition.judge(history((0, RUNS), *seen))


RESTARTS = [
    (RestartsAtMost(0), [(9.0, RUNS)], Met),
    (RestartsAtMost(0), [(3.0, failing(2000)), (4.0, RUNS)], Failed),
    (RestartsAtMost(1), [(3.0, failing(2000)), (4.0, RUNS)], Met),
    (RestartsAtMost(1), [(3.0, failing(2000))], NotYet),
    (RestartsAtMost(1), [(3.0, failing(2000)), (4.0, RUNS), (5.0, failing(3000))], Failed),
    (RestartsAtMost(5), [(3.0, FAILED)], Failed),
    (RestartsAtMost(5), [(3.0, GONE)], Failed),
    (RestartsAtMost(0), [(3.0, FINISHED)], Met),
]


@pytest.mark.parametrize(("condition", "seen", "expected"), RESTARTS)
def test_restarts_after_failures_are_counted(
    condition: RestartsAtMost, seen: list[tuple[float, JobObservation]], expected: type
) -> None:
    assert isinstance(judged(condition, *seen), expected)


def test_what_is_reported_of_restarts() -> None:
    found = judged(RestartsAtMost(0), (3.0, failing(2000)))
    assert isinstance(found, Failed)
    assert found.reason == "its tasks failed 1 time in 3 s, and at most 0 restarts are allowed"


def test_a_version_is_watched_for_its_window() -> None:
    assert judged(WatchedFor(30), (12, RUNS)) == NotYet("watched for 12 of 30 s", 18)
    assert judged(WatchedFor(30), (30, RUNS)) == Met()
    assert judged(WatchedFor(30), (2, FINISHED)) == Met()


@pytest.mark.parametrize(
    ("most", "since", "listed", "expected"),
    [
        (0, 0, (), Met),
        (0, 0, (5000,), Failed),
        (1, 0, (5000,), Met),
        (0, 5000, (5000, 4000), Met),
        (0, 5000, (6000, 5000), Failed),
    ],
)
def test_exceptions_since_the_watch_began_are_counted(
    most: int, since: int, listed: tuple[int, ...], expected: type
) -> None:
    found = judged(ExceptionsAtMost(most, since), (1, shows(exceptions=listed)))
    assert isinstance(found, expected)


def test_so_many_checkpoints_must_complete() -> None:
    three = CheckpointsCompleted(3, 60)
    one = replace(shows(completed=1), checkpoint=COMPLETED)
    assert judged(three, (5, one)) == NotYet("1 of 3 checkpoints completed", 55)
    assert judged(three, (5, one), (9, shows(completed=3))) == Met()
    late = judged(three, (61, one))
    assert isinstance(late, Failed)
    assert late.reason == "1 of 3 checkpoints completed in 60 s"
    assert judged(three, (5, FINISHED)) == Met()


@pytest.mark.parametrize(
    ("times", "at", "expected"),
    [
        ((9000,), 31, NotYet),
        ((9000, 900), 31, Met),
        ((200, 1100, 1200), 31, Failed),
        ((200, 1100, 1200), 9, NotYet),
        ((200, 900, 1200, 800), 31, Met),
    ],
    ids=["the first is left aside", "as quick", "slow", "before the window is over", "on median"],
)
def test_checkpoints_are_compared_by_their_median(
    times: tuple[int, ...], at: float, expected: type
) -> None:
    quick = CheckpointsAsQuick(before=200, most=5, window=30)
    assert isinstance(judged(quick, (at, shows(checkpoint_times=times))), expected)


def test_checkpoints_that_are_quick_differ_by_chance() -> None:
    quick = CheckpointsAsQuick(before=4, most=3, window=30)
    assert judged(quick, (31, shows(checkpoint_times=(90, 90)))) == Met()
    assert isinstance(judged(quick, (31, shows(checkpoint_times=(90, 310)))), Failed)


FLOWS: dict[str, tuple[list[tuple[float, float | None]], type]] = {
    "until the end": ([(2, 10), (12, 90), (22, 180), (31, 180)], Met),
    "not yet to the end": ([(2, 10), (12, 90)], NotYet),
    "none at all": ([(2, 0), (31, 0)], Failed),
    "none so far": ([(2, 0), (12, 0)], NotYet),
    "no more": ([(2, 10), (12, 90), (31, 90)], Failed),
    "not shown": ([(2, None), (31, None)], Failed),
    "again after a restart": ([(2, 10), (12, 90), (22, 40), (31, 40)], Met),
}


@pytest.mark.parametrize("case", FLOWS)
def test_records_must_flow_until_the_end_of_the_window(case: str) -> None:
    counted, expected = FLOWS[case]
    seen = [(at, shows(output=output)) for at, output in counted]
    assert isinstance(judged(OutputFlows(before=9.0, window=30), *seen), expected)


def test_what_is_reported_of_records() -> None:
    seen = [(at, shows(output=output)) for at, output in [(2, 10), (12, 90), (31, 90)]]
    found = judged(OutputFlows(before=9.0, window=30), *seen)
    assert isinstance(found, Failed)
    text = "its sinks have received 90 records, no more for 19 s; 9.0/s before"
    assert found.reason == text


@pytest.mark.parametrize(
    ("lag", "at", "expected"),
    [(61_000, 12, NotYet), (61_000, 30, Met), (63_000, 30, Failed), (None, 30, NotYet)],
)
def test_event_time_is_compared_at_the_end_of_the_window(
    lag: float | None, at: float, expected: type
) -> None:
    within = LagWithin(before=2000, growth=60, window=30)
    seen = [(5.0, shows(lag_ms=90_000)), (at, shows(lag_ms=lag))]
    if at < 30:
        seen[-1] = (at, shows(lag_ms=90_000))
    assert isinstance(judged(within, *seen), expected)


def test_an_event_time_that_is_never_shown_fails() -> None:
    assert isinstance(judged(LagWithin(2000, 60, 30), (46, shows())), Failed)
