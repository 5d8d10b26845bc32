"""`flink-jobs jobs top` and `metrics`: the load of jobs as rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from rich.table import Table

from flink_jobs_provider.cli.health_rows import lag, percent, rate
from flink_jobs_provider.cli.job_choice import NamedJobs
from flink_jobs_provider.cli.job_rows import bounded
from flink_jobs_provider.cli.printing import text
from flink_jobs_provider.control_planes.flink.client import FlinkClient
from flink_jobs_provider.control_planes.flink.inspection import Aggregate, MetricReader
from flink_jobs_provider.model.errors import ClusterUnreachable, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.attention import needs_attention
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor, Depth
from flink_jobs_provider.observing.health import JobHealth
from flink_jobs_provider.observing.job_health import is_of_health

#: Metrics of a job itself that are shown where none is asked for by name.
_JOB_METRICS = (
    *("numRestarts", "fullRestarts", "numRescales", "numberOfCompletedCheckpoints"),
    *("numberOfFailedCheckpoints", "numberOfInProgressCheckpoints", "lastCheckpointDuration"),
    *("lastCheckpointSize", "lastCheckpointFullSize", "lastCheckpointCompletedTimestamp"),
)

HEADINGS = (
    *("job", "status", "busy", "backpressured", "records/s", "lag", "pending"),
    *("busiest vertex", "needs attention"),
)
RIGHT = ("busy", "backpressured", "records/s", "lag", "pending")


@dataclass(frozen=True)
class LoadRow:
    """The load of one job.

    Attributes:
        job_name: The name that its owner gave it; None for a job that is not ours.
        name: The name that the program gave itself.
        busy: The share of time, 0 to 1, in which its busiest subtask works.
        backpressured: The share of time, 0 to 1, in which its most blocked subtask waits.
        records_per_second: What its sources emit.
        event_time_lag_ms: By how much it is behind in event time.
        pending_records: Records that its sources have not read yet.
        busiest_vertex: The vertex that works most.
        needs_attention: Kinds of concerns, most urgent first.
    """

    job_name: str | None
    name: str
    job_id: str
    status: str
    busy: float | None
    backpressured: float | None
    records_per_second: float | None
    event_time_lag_ms: int | None
    pending_records: int | None
    busiest_vertex: str | None
    needs_attention: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return the row as plain JSON types."""
        return asdict(self) | {"needs_attention": list(self.needs_attention)}

    def cells(self) -> list[object]:
        """Return the row for people, in the order of `HEADINGS`."""
        pending = None if self.pending_records is None else f"{self.pending_records:,}"
        return [
            *(self.job_name or f"{self.name} (not ours)", self.status),
            *(percent(self.busy), percent(self.backpressured), rate(self.records_per_second)),
            *(lag(self.event_time_lag_ms), pending, self.busiest_vertex),
            ", ".join(self.needs_attention) or None,
        ]


async def load_rows(
    monitor: ClusterMonitor, jobs: NamedJobs, shown: Sequence[ObservedJob]
) -> list[LoadRow]:
    """Observe the load of jobs, a few at a time; what needs attention first, then the busiest."""

    async def row(job: ObservedJob) -> LoadRow:
        seen = await monitor.job(job.job_id, depth=Depth.LOAD)
        health = seen if isinstance(seen, JobHealth) else JobHealth(job, seen.at, job.modified)
        busiest = health.busiest
        concerns = needs_attention(monitor.history(job.job_id, Depth.LOAD))
        return LoadRow(
            job_name=jobs.job_name(job),
            name=job.name,
            job_id=job.job_id,
            status=health.job.status.value,
            busy=busiest.busy if busiest else None,
            backpressured=health.backpressured,
            records_per_second=health.throughput,
            event_time_lag_ms=health.event_time_lag,
            pending_records=health.pending_records,
            busiest_vertex=busiest.name if busiest else None,
            needs_attention=tuple(each.concern.value for each in concerns),
        )

    rows = await bounded(shown, row)
    return sorted(
        rows,
        key=lambda each: (
            not each.needs_attention,
            -(each.busy or 0.0),
            each.job_name or each.name,
            each.job_id,
        ),
    )


class Top:
    """Shows the load of jobs again and again, until it is interrupted.

    Args:
        list_jobs: Returns the jobs of the cluster, with their names.
        load: Observes the load of some of them.
        show: Receives the rows, and a warning while the cluster cannot be reached.
        pause: Waits until the next observation.
    """

    def __init__(
        self,
        list_jobs: Callable[[], Awaitable[NamedJobs]],
        load: Callable[[NamedJobs, Sequence[ObservedJob]], Awaitable[list[LoadRow]]],
        show: Callable[[Sequence[LoadRow], str], None],
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._list_jobs = list_jobs
        self._load = load
        self._show = show
        self._pause = pause

    async def once(self, wanted: Collection[str]) -> list[LoadRow]:
        """Return the load of the active jobs, or of those that are wanted.

        Raises:
            PermanentError: No such job is listed.
        """
        jobs = await self._list_jobs()
        shown = [job for job in jobs.snapshot.jobs if job.active]
        if wanted:
            fitting = {job.job_id for name in wanted for job in _fitting(jobs, name)}
            shown = [job for job in shown if job.job_id in fitting]
        return await self._load(jobs, shown)

    async def run(self, wanted: Collection[str]) -> None:
        """Show the load for ever.

        Raises:
            PermanentError: No such job is listed, the first time.
            ClusterUnreachable: It cannot be reached the first time.
        """
        rows = await self.once(wanted)
        while True:
            self._show(rows, "")
            await self._pause()
            try:
                rows = await self.once(wanted)
            except (ClusterUnreachable, PermanentError) as error:
                self._show(rows, f"{error.happened} What is shown was observed before.")
                await self._pause()


def _fitting(jobs: NamedJobs, wanted: str) -> list[ObservedJob]:
    found = jobs.fitting(wanted)
    if not found:
        raise jobs.unknown(wanted)
    return found


@dataclass(frozen=True)
class MetricRow:
    """One metric of a job: of the job itself, with its value; or of a vertex, over its subtasks.

    Attributes:
        metric: Its name in Flink.
        vertex: The name of the vertex; None for the job itself.
        value: The value of a job's own metric, as Flink writes it.
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

    def cells(self) -> list[object]:
        """Return the row for people: vertex, metric, and value or aggregates."""
        if self.vertex is None:
            return ["(job)", self.metric, self.value, None, None, None]
        return [self.vertex, self.metric, *map(_number, (self.sum, self.min, self.max, self.avg))]


class JobMetrics:
    """Reads metrics of one job by their names.

    Args:
        client: The cluster's API.
        job: The job.
        clock: Seconds that only ever grow.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        client: FlinkClient,
        job: ObservedJob,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._job = job
        self._reader = MetricReader(client, clock, sleep)

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
            PermanentError: There is no metric of a name.
        """
        vertices = await self._vertices()
        names = await self._names(vertices)
        chosen = {where: _choose(there, wanted, where) for where, there in names.items()}
        found = {name for each in chosen.values() for name in each}
        missing = [each for each in wanted if not any(_ends(name, each) for name in found)]
        if missing:
            raise _unknown(missing, {name for there in names.values() for name in there})
        values = await self._reader.job_values(self._job.job_id, chosen[None])
        rows = [MetricRow(name, value=value) for name, value in sorted(values.items())]
        for vertex_id, title in vertices.items():
            read = await self._reader.read(self._path(vertex_id), chosen[vertex_id])
            rows += [_row(name, title, vertex_id, read[name]) for name in sorted(read)]
        return rows

    async def _names(self, vertices: Collection[str]) -> dict[str | None, frozenset[str]]:
        """Return the names of all metrics: of the job itself under None, else by vertex id."""
        own, *others = await asyncio.gather(
            self._reader.gathered(f"jobs/{self._job.job_id}/metrics"),
            *(self._reader.gathered(self._path(each)) for each in vertices),
        )
        return {None: own, **dict(zip(vertices, others, strict=True))}

    async def _vertices(self) -> dict[str, str]:
        body = await self._client.get(f"jobs/{self._job.job_id}", "vertices")
        return {str(row["id"]): str(row["name"]) for row in body["vertices"]}

    def _path(self, vertex_id: str) -> str:
        return f"jobs/{self._job.job_id}/vertices/{vertex_id}/subtasks/metrics"


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
    return MetricRow(
        name,
        vertex,
        vertex_id,
        min=read.minimum,
        max=read.maximum,
        sum=read.total,
        avg=read.mean,
    )


def _unknown(missing: Sequence[str], names: Collection[str]) -> PermanentError:
    parts = {name.rpartition(".")[2] for name in names} | set(names)
    nearest = get_close_matches(missing[0], sorted(parts), n=3)
    like = f"; names like it: {', '.join(nearest)}" if nearest else ""
    return PermanentError(
        f"the job has no metric {', '.join(missing)}{like}",
        remedy="`flink-jobs jobs metrics JOB --names` lists those that it has",
    )


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"


def live_table(rows: Sequence[LoadRow], warning: str = "") -> Table:
    """Return rows as a table for a terminal, with a warning below."""
    caption = warning or (None if rows else "No active jobs.")
    table = Table(box=None, caption=caption, caption_justify="left", pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in RIGHT else "left")
    for row in rows:
        style = "yellow" if row.needs_attention else ""
        table.add_row(*map(text, row.cells()), style=style)
    return table
