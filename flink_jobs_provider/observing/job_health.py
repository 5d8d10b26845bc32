"""One job in detail, read from Flink's REST API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from flink_jobs_provider.control_planes.flink.bodies import parse_checkpointing, parse_graph
from flink_jobs_provider.control_planes.flink.client import FlinkAnswer
from flink_jobs_provider.control_planes.flink.inspection import (
    RESTARTS,
    Aggregate,
    JobException,
    finite,
    parse_exceptions,
    parse_history,
)
from flink_jobs_provider.control_planes.flink.vertex_metrics import (
    EMIT_LAG,
    EMITTED_RATE,
    INPUT_WATERMARK,
    OUTPUT_WATERMARK,
    SOURCE,
    emit_lag,
    ending,
    watermark,
)
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.health import (
    CheckpointCounts,
    CheckpointSettings,
    JobHealth,
    VertexHealth,
)
from flink_jobs_provider.observing.job_calls import JobCalls

_RESCALES = "numRescales"
#: Metrics of a task.
_TASK_METRICS = frozenset(
    {
        "busyTimeMsPerSecond",
        "backPressuredTimeMsPerSecond",
        "idleTimeMsPerSecond",
        "numRecordsInPerSecond",
        "numRecordsOutPerSecond",
        INPUT_WATERMARK,
    }
)
#: A metric of an operator, whose name begins with the operator's.
_PENDING = ".pendingRecords"
#: A cluster keeps 16 (`web.exception-history-size`).
_EXCEPTIONS = 16


class JobReader(JobCalls):
    """Reads one job."""

    _settings: CheckpointSettings | None = None

    async def load(self, job: ObservedJob, at: int) -> JobHealth:
        """Observe a job's state and load alone: a request, and one for each of its vertices.

        Args:
            job: Its row of the job list.
            at: When the list was read, for a job that has no details.
        """
        body = await self._details()
        values, vertices = await asyncio.gather(self._job_metrics(job), self._vertices(job, body))
        return JobHealth(
            job=job,
            at=int(body.get("now") or at),
            state_since=_state_since(job, body),
            restarts=next((_count(values[name]) for name in RESTARTS if name in values), None),
            rescales=_count(values.get(_RESCALES)),
            vertices=vertices,
        )

    async def observe(self, job: ObservedJob, at: int) -> JobHealth:
        """Observe a job with its checkpoints and exceptions."""
        load, checkpoints, settings, exceptions = await asyncio.gather(
            self.load(job, at),
            self._or_nothing(f"{self._path}/checkpoints"),
            self._checkpoint_settings(),
            self._exceptions(),
        )
        return JobHealth(
            job=job,
            at=load.at,
            state_since=load.state_since,
            restarts=load.restarts,
            rescales=load.rescales,
            vertices=load.vertices,
            settings=settings,
            counts=parse_counts(checkpoints),
            checkpoints=tuple(parse_history(checkpoints)),
            exceptions=exceptions,
        )

    async def checkpoints(self, job: ObservedJob, at: int) -> JobHealth:
        """Observe a job's checkpoints alone: a request, and one more the first time.

        Args:
            job: Its row of the job list.
            at: When the list was read.
        """
        body, settings = await asyncio.gather(
            self._or_nothing(f"{self._path}/checkpoints"), self._checkpoint_settings()
        )
        return JobHealth(
            job=job,
            at=at,
            state_since=_state_since(job, {}),
            settings=settings,
            counts=parse_counts(body),
            checkpoints=tuple(parse_history(body)),
        )

    async def _details(self) -> dict[str, Any]:
        return await self._or_nothing(self._path)

    async def _or_nothing(self, path: str) -> dict[str, Any]:
        try:
            body = await self._client.get(path)
        except FlinkAnswer as answer:
            if answer.unknown_job:
                return {}  # a batch job has no statistics, and one that is forgotten nothing
            raise ActionFailed(f"{self._client.url}/{path} answered {answer}") from None
        return body if isinstance(body, dict) else {}

    async def _checkpoint_settings(self) -> CheckpointSettings | None:
        if self._settings is None:  # fixed for a jobId
            body = await self._or_nothing(f"{self._path}/checkpoints/config")
            self._settings = parse_settings(body) if body else None
        return self._settings

    async def _exceptions(self) -> tuple[JobException, ...]:
        body = await self._or_nothing(f"{self._path}/exceptions?maxExceptions={_EXCEPTIONS}")
        return tuple(parse_exceptions(body))

    async def _job_metrics(self, job: ObservedJob) -> dict[str, str]:
        """Read a job's own metrics; those of a job that has ended went with it, or are old."""
        if not job.active:
            return {}
        await self._metrics.gathered(f"{self._path}/metrics")
        return await self._metrics.job_values(self._job_id, (*RESTARTS, _RESCALES))

    async def _vertices(self, job: ObservedJob, body: dict[str, Any]) -> tuple[VertexHealth, ...]:
        graph = parse_graph(body)
        sources = {vertex.id for vertex in graph.vertices if vertex.source}
        rows = sorted(body.get("vertices") or (), key=lambda row: row["id"] not in sources)
        metrics = await asyncio.gather(*(self._vertex_metrics(str(row["id"]), job) for row in rows))
        return tuple(
            parse_vertex(row, source=row["id"] in sources, metrics=found)
            for row, found in zip(rows, metrics, strict=True)
        )

    async def _vertex_metrics(self, vertex_id: str, job: ObservedJob) -> dict[str, Aggregate]:
        if not job.running_tasks:
            return {}
        path = f"{self._path}/vertices/{vertex_id}/subtasks/metrics"
        names = await self._metrics.gathered(path)
        return await self._metrics.read(path, frozenset(filter(is_of_health, names)))


def is_of_health(name: str) -> bool:
    """Return whether a metric of a vertex is one that its health is read from."""
    if name in _TASK_METRICS or name.endswith((EMIT_LAG, _PENDING)):
        return True
    return name.startswith(SOURCE) and name.endswith((EMITTED_RATE, OUTPUT_WATERMARK))


def parse_vertex(
    row: Mapping[str, Any], *, source: bool, metrics: Mapping[str, Aggregate]
) -> VertexHealth:
    """Read a vertex from its row in `GET /jobs/:id`, and its metrics."""
    records_out = _total(metrics.get("numRecordsOutPerSecond"))
    emitted = [records_out] + [_total(found) for found in ending(metrics, EMITTED_RATE)]
    pending = [found.total for found in ending(metrics, _PENDING) if found.minimum >= 0]
    return VertexHealth(
        id=str(row["id"]),
        name=str(row.get("name") or ""),
        source=source,
        parallelism=int(row.get("parallelism") or 0),
        max_parallelism=int(row.get("maxParallelism") or 0),
        running=int((row.get("tasks") or {}).get("RUNNING") or 0),
        busy=_share(metrics.get("busyTimeMsPerSecond")),
        backpressured=_share(metrics.get("backPressuredTimeMsPerSecond")),
        idle=_least_share(metrics.get("idleTimeMsPerSecond")),
        records_in=_total(metrics.get("numRecordsInPerSecond")),
        records_out=records_out,
        emitted=max((each for each in emitted if each is not None), default=None)
        if source
        else None,
        watermark=watermark(metrics),
        emit_lag=emit_lag(metrics),
        pending_records=int(sum(pending)) if pending else None,
    )


def parse_counts(body: Mapping[str, Any]) -> CheckpointCounts:
    """Read the counts in the body of `GET /jobs/:id/checkpoints`."""
    counts = body.get("counts") or {}
    return CheckpointCounts(
        *(int(counts.get(name) or 0) for name in ("completed", "failed", "in_progress", "restored"))
    )


def parse_settings(body: dict[str, Any]) -> CheckpointSettings:
    """Read the body of `GET /jobs/:id/checkpoints/config`."""
    kept = parse_checkpointing(body)
    return CheckpointSettings(
        periodic=kept.periodic,
        interval=int(body.get("interval") or 0) if kept.periodic else 0,
        timeout=int(body.get("timeout") or 0),
        min_pause=int(body.get("min_pause") or 0),
        tolerable_failures=max(0, int(body.get("tolerable_failed_checkpoints") or 0)),
        retained=kept.retained,
        mode=str(body.get("mode") or ""),
    )


def _state_since(job: ObservedJob, body: Mapping[str, Any]) -> int:
    since = (body.get("timestamps") or {}).get(job.state)
    return int(since or job.ended or job.modified or job.started)


def _share(found: Aggregate | None) -> float | None:
    """Return the greatest of some times in milliseconds per second as a share, 0 to 1."""
    return min(1.0, max(0.0, found.maximum / 1000)) if found else None


def _least_share(found: Aggregate | None) -> float | None:
    return min(1.0, max(0.0, found.minimum / 1000)) if found else None


def _total(found: Aggregate | None) -> float | None:
    return found.total if found else None


def _count(value: str | None) -> int | None:
    number = finite(value)
    return None if number is None else int(number)
