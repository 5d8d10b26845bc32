"""What changed of a job: between two observations, or over the checkpoints that one shows."""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.observing.health import JobHealth


@dataclass(frozen=True)
class Measure:
    """One value at the beginning and at the end; None where it was not reported.

    Attributes:
        before: At the beginning.
        after: At the end.
    """

    before: float | None
    after: float | None


@dataclass(frozen=True)
class Trend:
    """What changed from one observation of a job to a later one.

    Attributes:
        over: Milliseconds between the two.
        restarts: Restarts in between; None where the cluster does not report them.
        completed: Checkpoints and savepoints that completed in between.
        failed: Those that failed in between.
        throughput: Records per second that its sources emit.
        busy: The share of time, 0 to 1, in which its busiest subtask works.
        backpressured: The share of time, 0 to 1, in which its most blocked subtask waits.
        event_time_lag: Milliseconds by which it is behind in event time.
        pending_records: Records that its sources have not read yet.
    """

    over: int
    restarts: int | None
    completed: int
    failed: int
    throughput: Measure
    busy: Measure
    backpressured: Measure
    event_time_lag: Measure
    pending_records: Measure


@dataclass(frozen=True)
class CheckpointTrend:
    """How the checkpoints of a job changed, from the oldest that its cluster shows to the newest.

    Attributes:
        count: How many completed ones are shown.
        over: Milliseconds from the trigger of the oldest to that of the newest.
        duration: Milliseconds from one end to the other.
        size: Bytes of state.
    """

    count: int
    over: int
    duration: Measure
    size: Measure


def trend(before: JobHealth, after: JobHealth) -> Trend:
    """Return what changed from one observation of a submission to a later one of the same."""
    return Trend(
        over=after.at - before.at,
        restarts=_grown(before.restarts, after.restarts),
        completed=after.counts.completed - before.counts.completed,
        failed=after.counts.failed - before.counts.failed,
        throughput=Measure(before.throughput, after.throughput),
        busy=Measure(_busy(before), _busy(after)),
        backpressured=Measure(before.backpressured, after.backpressured),
        event_time_lag=Measure(before.event_time_lag, after.event_time_lag),
        pending_records=Measure(before.pending_records, after.pending_records),
    )


def checkpoint_trend(health: JobHealth) -> CheckpointTrend | None:
    """Return how a job's checkpoints changed, or None where fewer than two are shown.

    The cluster shows the last ten (`web.checkpoints.history`).
    """
    done = [
        each
        for each in health.checkpoints
        if each.kind == "checkpoint" and each.status == "COMPLETED"
    ]
    if len(done) < 2:
        return None
    newest, oldest = done[0], done[-1]
    return CheckpointTrend(
        count=len(done),
        over=newest.triggered - oldest.triggered,
        duration=Measure(oldest.duration, newest.duration),
        size=Measure(oldest.size, newest.size),
    )


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _busy(health: JobHealth) -> float | None:
    return health.busiest.busy if health.busiest else None
