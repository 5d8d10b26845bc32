"""Histories at a resolution: the worst state shows, restarts are counted, gaps stay gaps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.control_planes.flink.inspection import Checkpoint
from flink_jobs_provider.gateway.job_history import (
    NOT_LISTED,
    UNREACHABLE,
    Load,
    Span,
    StatePeriod,
    StateSample,
    load_of,
    points,
    sample_of,
)
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.health import CheckpointCounts, CheckpointSettings, JobHealth

RUNS = StateSample(1, "a", "RUNNING", tasks=2, running_tasks=2, deployed_at=10.0)
FAILED = replace(RUNS, state="FAILED", running_tasks=0, deployed_at=99.0)


def test_each_minute_of_a_period_is_a_point() -> None:
    found = points([StatePeriod(100, 102, RUNS)], {}, Span(90, 110))
    assert [(each.at.timestamp(), each.state, each.sampled) for each in found] == [
        (minute * 60, "RUNNING", 1) for minute in (100, 101, 102)
    ]


def test_a_coarser_resolution_shows_the_worst_state_and_the_fewest_tasks() -> None:
    down = replace(RUNS, state="RESTARTING", running_tasks=0, deployed_at=20.0)
    up = replace(RUNS, deployed_at=30.0)
    periods = [StatePeriod(100, 106, RUNS), StatePeriod(107, 107, down), StatePeriod(108, 112, up)]
    first, second, third = points(periods, {}, Span(100, 115, 5))
    assert (first.state, first.sampled, first.restarts) == ("RUNNING", 5, 0)
    assert (second.state, second.running_tasks, second.restarts) == ("RESTARTING", 0, 1)
    assert (third.state, third.sampled, third.restarts) == ("RUNNING", 3, 0)


def test_minutes_without_an_observation_have_no_point() -> None:
    periods = [StatePeriod(100, 100, RUNS), StatePeriod(120, 120, RUNS)]
    assert [each.at.timestamp() / 60 for each in points(periods, {}, Span(100, 130, 10))] == [
        *(100, 120)
    ]


@pytest.mark.parametrize(
    ("now", "restarts"),
    [
        (replace(RUNS, deployed_at=20.0), 1),
        (replace(RUNS, running_tasks=1, finished_tasks=1, deployed_at=20.0), 0),
        (replace(RUNS, job_id="b", deployed_at=20.0), 0),
        (replace(RUNS, state="RESTARTING", running_tasks=0), 1),
        (replace(RUNS, state="FINISHED", running_tasks=0, finished_tasks=2, deployed_at=20.0), 0),
        (replace(RUNS, running_tasks=1), 0),
    ],
)
def test_restarts_between_two_minutes(now: StateSample, restarts: int) -> None:
    """Shows what counts as one: tasks that ran are deployed anew, in the same submission."""
    periods = [StatePeriod(100, 100, RUNS), StatePeriod(101, 101, now)]
    assert [each.restarts for each in points(periods, {}, Span(100, 102))] == [0, restarts]


@pytest.mark.parametrize("away", [NOT_LISTED, UNREACHABLE])
def test_a_restart_behind_a_gap_is_counted(away: str) -> None:
    """Shows it for a cluster that was away, and lists the job again with tasks deployed anew."""
    periods = [
        StatePeriod(100, 100, RUNS),
        StatePeriod(101, 102, StateSample(1, "a", away)),
        StatePeriod(103, 103, replace(RUNS, deployed_at=20.0)),
    ]
    found = points(periods, {}, Span(101, 104))
    assert [(each.state, each.restarts) for each in found] == [
        *((away, 0), (away, 0), ("RUNNING", 1))
    ]


def test_a_restart_in_the_first_minute_that_is_asked_for() -> None:
    periods = [
        StatePeriod(90, 99, RUNS),
        StatePeriod(100, 100, replace(RUNS, deployed_at=20.0)),
    ]
    assert [each.restarts for each in points(periods, {}, Span(100, 101))] == [1]


class _Minute(int):
    """A minute that counts how often it is compared."""

    compared = 0

    def __ge__(self, other: int) -> bool:
        _Minute.compared += 1
        return int(self) >= other

    def __lt__(self, other: int) -> bool:
        _Minute.compared += 1
        return int(self) < other


def test_a_month_of_restarts_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the work grows with the minutes, not with minutes times points."""
    monkeypatch.setattr(_Minute, "compared", 0)
    down = replace(RUNS, state="RESTARTING", running_tasks=0)
    month, minutes = 31 * 24 * 60, 30
    periods = [
        StatePeriod(_Minute(minute), minute, down if minute % 2 else RUNS)
        for minute in range(100, 100 + month)
    ]
    found = points(periods, {}, Span(100, 100 + month, minutes))
    assert {each.restarts for each in found} == {minutes // 2}
    assert len(found) == month // minutes
    assert _Minute.compared < 10 * month


def test_a_last_point_that_is_shorter_has_its_own_restarts() -> None:
    """Shows that none is counted of the minutes after what is asked for, nor before."""
    down = replace(RUNS, state="RESTARTING", running_tasks=0)
    periods = [
        StatePeriod(minute, minute, down if minute % 2 else RUNS) for minute in range(96, 112)
    ]
    found = points(periods, {}, Span(100, 107, 5))
    assert [each.restarts for each in found] == [2, 1]


def test_a_state_that_flink_adds_one_day_is_not_hidden() -> None:
    periods = [StatePeriod(100, 100, RUNS), StatePeriod(101, 101, replace(RUNS, state="NEW_ONE"))]
    assert points(periods, {}, Span(100, 102, 2))[0].state == "NEW_ONE"


def test_loads_are_summed_up() -> None:
    loads = {
        100: Load(throughput=10.0, busy=0.2, restarts=1, checkpoint_age_ms=5),
        101: Load(throughput=20.0, busy=0.9, restarts=2, checkpoint_age_ms=3),
        102: Load(throughput=40.0),
    }
    first, second = points([StatePeriod(100, 103, RUNS)], loads, Span(100, 104, 2))
    assert first.load == Load(throughput=15.0, busy=0.9, restarts=2, checkpoint_age_ms=5)
    assert second.load == Load(throughput=40.0)
    assert points([StatePeriod(100, 100, FAILED)], {}, Span(100, 101))[0].load is None


def test_a_row_of_the_list_as_a_sample() -> None:
    job = ObservedJob("a", "x", "RUNNING", tasks=2, running_tasks=2, modified=10_000)
    assert sample_of(1, job) == RUNS


def test_a_job_that_was_looked_at_as_a_load() -> None:
    """Shows that a job without checkpoints has no counts, rather than zeros."""
    job = ObservedJob("a", "x", "RUNNING")
    done = Checkpoint(1, "checkpoint", "COMPLETED", 900, 950, 50, 4096, "file:/x", False)
    settings = CheckpointSettings(True, 100, 1000)
    counts = CheckpointCounts(completed=3, failed=1)
    seen = JobHealth(job, 1000, 0, 2, settings=settings, counts=counts, checkpoints=(done,))
    assert load_of(seen) == Load(
        restarts=2,
        checkpoints_completed=3,
        checkpoints_failed=1,
        checkpoint_age_ms=50,
        checkpoint_duration_ms=50,
        checkpoint_bytes=4096,
    )
    assert load_of(JobHealth(job, 1000, 0)) == Load()
