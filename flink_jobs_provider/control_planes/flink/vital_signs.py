"""The numbers of one job that a health gate judges, read from Flink's REST API."""

from __future__ import annotations

import asyncio
from typing import Any

from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.control_planes.flink.inspection import (
    Aggregate,
    MetricReader,
    parse_exceptions,
    parse_history,
)
from flink_jobs_provider.control_planes.flink.vertex_metrics import (
    emit_lag,
    rate_of_sinks,
    shows_progress,
    taken_by_sinks,
    watermark,
)
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.observation import VitalSigns

#: A cluster keeps 16 (`web.exception-history-size`).
_EXCEPTIONS = 16


async def vital_signs(
    client: FlinkClient, metrics: MetricReader, job_id: str, *, load: bool
) -> VitalSigns:
    """Read two requests, and with `load` one more, and two for each vertex."""
    path = f"jobs/{job_id}"
    checkpoints, exceptions, load_of = await asyncio.gather(
        _get(client, f"{path}/checkpoints"),
        _get(client, f"{path}/exceptions?maxExceptions={_EXCEPTIONS}"),
        _load(client, metrics, path) if load else _nothing(),
    )
    failed = parse_exceptions(exceptions)
    completed = [
        each
        for each in reversed(parse_history(checkpoints))
        if each.kind == "checkpoint" and each.status == "COMPLETED"
    ]
    return VitalSigns(
        exceptions=tuple(each.at for each in failed),
        cause=failed[0].cause if failed else "",
        completed=int((checkpoints.get("counts") or {}).get("completed") or 0),
        checkpoint_times=tuple(each.duration for each in completed),
        checkpoint_starts=tuple(each.triggered for each in completed),
        **load_of,
    )


async def _nothing() -> dict[str, float | None]:
    return {}


async def _load(client: FlinkClient, metrics: MetricReader, path: str) -> dict[str, float | None]:
    body = await _get(client, path)
    ids = [str(row["id"]) for row in body.get("vertices") or ()]
    read = await asyncio.gather(*(_vertex(metrics, f"{path}/vertices/{each}") for each in ids))
    lags = [lag for each in read if (lag := emit_lag(each)) is not None]
    times = [time for each in read if (time := watermark(each)) is not None]
    behind = max(lags, default=None)
    if behind is None and times:
        behind = max(0, int(body.get("now") or 0) - min(times))
    return {
        "output": _sum(taken_by_sinks(each) for each in read),
        "output_rate": _sum(rate_of_sinks(each) for each in read),
        "lag_ms": behind,
    }


async def _vertex(metrics: MetricReader, path: str) -> dict[str, Aggregate]:
    path = f"{path}/subtasks/metrics"
    names = await metrics.gathered(path)
    return await metrics.read(path, frozenset(filter(shows_progress, names)))


def _sum(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


async def _get(client: FlinkClient, path: str) -> dict[str, Any]:
    try:
        body = await client.get(path)
    except FlinkAnswer as answer:
        if answer.unknown_job:
            return {}  # a batch job has no statistics, and one that is forgotten nothing
        raise ActionFailed(f"{client.url}/{path} answered {answer}") from None
    return body if isinstance(body, dict) else {}
