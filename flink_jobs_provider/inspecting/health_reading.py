"""The health of a job, observed once or over some time, as plain JSON types."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from flink_jobs_provider.control_planes.flink.client import FlinkClient
from flink_jobs_provider.observing.attention import Observation, needs_attention
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.documents import (
    attention_document,
    health_document,
    trend_document,
)
from flink_jobs_provider.observing.health import JobHealth

#: Seconds between two observations: a cluster gathers metrics every 10.
_PERIOD = 10.0


async def observations(client: FlinkClient, job_id: str, seconds: float) -> tuple[Observation, ...]:
    """Observe a job once, or over some seconds as often as its metrics change."""
    monitor = ClusterMonitor(client)
    first = await monitor.job(job_id)
    async for _ in periods(seconds):
        await monitor.job(job_id)
    seen = monitor.history(job_id)
    return seen if seen[0] is first else (first, *seen)


async def periods(seconds: float) -> AsyncIterator[None]:
    """Yield whenever metrics may have changed, until some seconds are over."""
    left = seconds
    while left > 0:
        pause = left if left < 2 * _PERIOD else _PERIOD
        await asyncio.sleep(pause)
        left -= pause
        yield


def health_facts(seen: Sequence[Observation]) -> dict[str, Any]:
    """Return the health of a job as plain JSON types: `health`, `needs_attention`, `trend`."""
    newest = seen[-1]
    return {
        "health": health_document(newest) if isinstance(newest, JobHealth) else None,
        "needs_attention": [attention_document(each) for each in needs_attention(seen)],
        "trend": trend_document(seen),
    }
