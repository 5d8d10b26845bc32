"""The health of a job as `flink-jobs jobs describe` prints it, and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from flink_jobs_provider.cli.printing import size
from flink_jobs_provider.control_planes.flink.client import FlinkClient
from flink_jobs_provider.observing.attention import Observation, needs_attention, span
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.documents import (
    attention_document,
    health_document,
    trend_document,
)
from flink_jobs_provider.observing.health import JobHealth
from flink_jobs_provider.observing.trend import (
    CheckpointTrend,
    Measure,
    Trend,
    checkpoint_trend,
    trend,
)

#: Seconds between two observations: a cluster gathers metrics every 10.
_PERIOD = 10.0


async def observations(client: FlinkClient, job_id: str, seconds: float) -> tuple[Observation, ...]:
    """Observe a job once, or over some seconds as often as its metrics change."""
    monitor = ClusterMonitor(client)
    await monitor.job(job_id)
    left = seconds
    while left > 0:
        pause = left if left < 2 * _PERIOD else _PERIOD
        await asyncio.sleep(pause)
        left -= pause
        await monitor.job(job_id)
    return monitor.history(job_id)


def health_facts(seen: Sequence[Observation]) -> dict[str, Any]:
    """Return the health of a job as plain JSON types: `health`, `needs_attention`, `trend`."""
    newest = seen[-1]
    return {
        "health": health_document(newest) if isinstance(newest, JobHealth) else None,
        "needs_attention": [attention_document(each) for each in needs_attention(seen)],
        "trend": trend_document(seen),
    }


def health_lines(seen: Sequence[Observation]) -> dict[str, str | None]:
    """Return the health of a job for people, by what it is."""
    newest = seen[-1]
    found: dict[str, str | None] = {}
    if isinstance(newest, JobHealth):
        found |= _load_lines(newest) if newest.job.active else {}
        found["checkpoints"] = _checkpoints_line(newest)
        if over := checkpoint_trend(newest):
            found["checkpoint trend"] = _checkpoint_trend_line(over)
    observed = [each for each in seen if isinstance(each, JobHealth)]
    if len(observed) > 1:
        found["trend"] = trend_line(trend(observed[0], observed[-1]))
    return found


def attention_lines(seen: Sequence[Observation]) -> list[str]:
    """Return what needs attention, two lines each."""
    return [
        line
        for each in needs_attention(seen)
        for line in (f"needs attention: {each.reason}", f"  {each.remedy}")
    ]


def percent(share: float | None) -> str | None:
    """Return a share of time for people."""
    return None if share is None else f"{share:.0%}"


def rate(records: float | None) -> str | None:
    """Return records per second for people."""
    if records is None:
        return None
    return f"{records:,.0f}" if records >= 10 else f"{records:.1f}"


def lag(milliseconds: float | None) -> str | None:
    """Return how far something is behind, for people."""
    if milliseconds is None:
        return None
    return span(int(milliseconds)) if milliseconds >= 1000 else f"{milliseconds:.0f} ms"


def trend_line(over: Trend) -> str:
    """Return what changed between two observations, as a line."""
    changed = [
        f"{over.restarts} restarts" if over.restarts is not None else "",
        f"{over.completed} checkpoints completed",
        f"{over.failed} failed",
        _arrow("records/s", over.throughput, rate),
        _arrow("busy", over.busy, percent),
        _arrow("backpressured", over.backpressured, percent),
        _arrow("lag", over.event_time_lag, lag),
        _arrow("pending", over.pending_records, rate),
    ]
    return f"in {span(over.over)}: {', '.join(each for each in changed if each)}"


def _load_lines(health: JobHealth) -> dict[str, str | None]:
    busiest = health.busiest
    state = f"{health.job.state} for {span(health.at - health.state_since)}"
    return {
        "state": state,
        "busy": f"{percent(busiest.busy)} in {busiest.name}" if busiest else None,
        "backpressured": percent(health.backpressured),
        "records/s": rate(health.throughput),
        "lag": lag(health.event_time_lag),
        "pending records": None
        if health.pending_records is None
        else f"{health.pending_records:,}",
    }


def _checkpoints_line(health: JobHealth) -> str:
    counts, settings = health.counts, health.settings
    told = [f"{counts.completed} completed", f"{counts.failed} failed"]
    if counts.in_progress:
        told.append(f"{counts.in_progress} in progress")
    if settings and settings.periodic:
        told.append(f"one every {lag(settings.interval)}")
    elif settings:
        told.append("none by itself")
    return ", ".join(told)


def _checkpoint_trend_line(over: CheckpointTrend) -> str:
    changed = [
        _arrow("duration", over.duration, lag),
        _arrow("size", over.size, lambda count: None if count is None else size(int(count))),
    ]
    return f"{', '.join(changed)}, over the last {over.count} in {span(over.over)}"


def _arrow(name: str, measure: Measure, worded: Any) -> str:
    before, after = worded(measure.before), worded(measure.after)
    if before is None and after is None:
        return ""
    return f"{name} {after}" if before == after else f"{name} {before or '-'} → {after or '-'}"
