"""Metrics of one job by their names: its own, and those of its vertices over their subtasks."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from flink_jobs_provider.control_planes.flink.client import FlinkAnswer
from flink_jobs_provider.control_planes.flink.inspection import Aggregate
from flink_jobs_provider.control_planes.flink.vertex_metrics import is_time, is_watermark
from flink_jobs_provider.model.errors import ActionFailed, PermanentError
from flink_jobs_provider.observing.job_calls import JobCalls
from flink_jobs_provider.observing.job_health import is_of_health

#: Metrics of a job itself that are shown where none is asked for by name.
_JOB_METRICS = (
    *("numRestarts", "fullRestarts", "numRescales", "numberOfCompletedCheckpoints"),
    *("numberOfFailedCheckpoints", "numberOfInProgressCheckpoints", "lastCheckpointDuration"),
    *("lastCheckpointSize", "lastCheckpointFullSize", "lastCheckpointCompletedTimestamp"),
)


class UnknownMetric(PermanentError):
    """A job has no metric of a name that was asked for."""


@dataclass(frozen=True)
class MetricRow:
    """One metric of a job: of the job itself, with its value; or of a vertex, over its subtasks.

    Attributes:
        metric: Its name in Flink.
        vertex: The name of the vertex; None for the job itself.
        value: The value of a job's own metric, as Flink writes it.
        min: The least of its subtasks. A watermark that is no time (none so far, or after the end
            of a bounded source) is None, and so are the sum and the mean of such ones.
    """

    metric: str
    vertex: str | None = None
    vertex_id: str | None = None
    value: str | None = None
    min: float | None = None
    max: float | None = None
    sum: float | None = None
    avg: float | None = None

    def plain(self) -> dict[str, Any]:
        """Return the row as plain JSON types."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class JobMetrics(JobCalls):
    """Reads metrics of one job by their names."""

    async def named(self) -> list[MetricRow]:
        """Return the names of all metrics, without values."""
        vertices = await self._vertices()
        return [
            MetricRow(name, vertices.get(where or ""), where)
            for where, there in (await self._names(vertices)).items()
            for name in sorted(there)
        ]

    async def rows(self, wanted: Collection[str]) -> list[MetricRow]:
        """Return the metrics that are wanted, or those that show a job's health.

        A metric is named in full, or by the last part of its name: `pendingRecords` is found in
        every operator that has it.

        Raises:
            UnknownMetric: There is no metric of a name.
        """
        vertices = await self._vertices()
        names = await self._names(vertices)
        chosen = {where: _choose(there, wanted, where) for where, there in names.items()}
        found = {name for each in chosen.values() for name in each}
        missing = [each for each in wanted if not any(_ends(name, each) for name in found)]
        if missing:
            raise _unknown(missing, {name for there in names.values() for name in there})
        values = await self._metrics.job_values(self._job_id, chosen[None])
        rows = [MetricRow(name, value=value) for name, value in sorted(values.items())]
        for vertex_id, title in vertices.items():
            read = await self._metrics.read(self._path_of(vertex_id), chosen[vertex_id])
            rows += [_row(name, title, vertex_id, read[name]) for name in sorted(read)]
        return rows

    async def _names(self, vertices: Collection[str]) -> dict[str | None, frozenset[str]]:
        """Return the names of all metrics: of the job itself under None, else by vertex id."""
        own, *others = await asyncio.gather(
            self._metrics.gathered(f"jobs/{self._job_id}/metrics"),
            *(self._metrics.gathered(self._path_of(each)) for each in vertices),
        )
        return {None: own, **dict(zip(vertices, others, strict=True))}

    async def _vertices(self) -> dict[str, str]:
        path = f"jobs/{self._job_id}"
        try:
            body = await self._client.get(path, "vertices")
        except FlinkAnswer as answer:
            raise ActionFailed(f"{self._client.url}/{path} answered {answer}") from None
        return {str(row["id"]): str(row["name"]) for row in body["vertices"]}

    def _path_of(self, vertex_id: str) -> str:
        return f"jobs/{self._job_id}/vertices/{vertex_id}/subtasks/metrics"


def _choose(there: Collection[str], wanted: Collection[str], where: str | None) -> set[str]:
    if not wanted:
        return set(_JOB_METRICS) & set(there) if where is None else set(filter(is_of_health, there))
    chosen: set[str] = set()
    for each in wanted:
        chosen |= {each} if each in there else {name for name in there if _ends(name, each)}
    return chosen


def _ends(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f".{wanted}")


def _row(name: str, vertex: str, vertex_id: str, read: Aggregate) -> MetricRow:
    least, most = read.minimum, read.maximum
    total: float | None = read.total
    mean: float | None = read.mean
    if is_watermark(name) and not (is_time(least) and is_time(most)):
        total = mean = None
    return MetricRow(
        name,
        vertex,
        vertex_id,
        min=least if not is_watermark(name) or is_time(least) else None,
        max=most if not is_watermark(name) or is_time(most) else None,
        sum=total,
        avg=mean,
    )


def _unknown(missing: Sequence[str], names: Collection[str]) -> UnknownMetric:
    parts = {name.rpartition(".")[2] for name in names} | set(names)
    nearest = get_close_matches(missing[0], sorted(parts), n=3)
    like = f"; names like it: {', '.join(nearest)}" if nearest else ""
    return UnknownMetric(f"the job has no metric {', '.join(missing)}{like}")
