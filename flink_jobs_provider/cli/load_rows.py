"""`flink-jobs jobs top` and `metrics`: the load of jobs as rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from flink_jobs_provider.cli.health_rows import lag, percent, rate
from flink_jobs_provider.cli.live_tables import FittingTable
from flink_jobs_provider.cli.printing import text
from flink_jobs_provider.inspecting.job_choice import NamedJobs
from flink_jobs_provider.inspecting.job_rows import bounded
from flink_jobs_provider.model.errors import ClusterUnreachable, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.attention import needs_attention
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor, Depth
from flink_jobs_provider.observing.documents import HealthPart, partial_health_document
from flink_jobs_provider.observing.health import JobHealth

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

    @classmethod
    def of(
        cls,
        *,
        job_name: str | None,
        name: str,
        job_id: str,
        status: str,
        health: Mapping[str, Any] | None,
        concerns: tuple[str, ...],
    ) -> LoadRow:
        """Return the row of a job from the document of its health, if it was observed."""
        seen = health or {}
        return cls(
            job_name=job_name,
            name=name,
            job_id=job_id,
            status=status,
            busy=seen.get("busy"),
            backpressured=seen.get("backpressured"),
            records_per_second=seen.get("throughput"),
            event_time_lag_ms=seen.get("event_time_lag_ms"),
            pending_records=seen.get("pending_records"),
            busiest_vertex=seen.get("busiest_vertex"),
            needs_attention=concerns,
        )

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
    """Observe the load of jobs, a few at a time; return them as `by_urgency` orders them."""

    async def row(job: ObservedJob) -> LoadRow:
        seen = await monitor.job(job.job_id, depth=Depth.LOAD)
        health = isinstance(seen, JobHealth) and partial_health_document(seen, [HealthPart.LOAD])
        listed = seen.job if isinstance(seen, JobHealth) else job
        concerns = needs_attention(monitor.history(job.job_id, Depth.LOAD))
        return LoadRow.of(
            job_name=jobs.job_name(job),
            name=job.name,
            job_id=job.job_id,
            status=listed.status.value,
            health=health or None,
            concerns=tuple(each.concern.value for each in concerns),
        )

    return by_urgency(await bounded(shown, row))


def by_urgency(rows: Sequence[LoadRow]) -> list[LoadRow]:
    """Return rows in order: what needs attention first, then the busiest."""
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
        load: Observes the load of the active jobs, or of those that are wanted.
        show: Receives the rows, and a warning while they cannot be observed.
        pause: Waits until the next observation.
    """

    def __init__(
        self,
        load: Callable[[Collection[str]], Awaitable[list[LoadRow]]],
        show: Callable[[Sequence[LoadRow], str], None],
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._load = load
        self._show = show
        self._pause = pause

    async def run(self, wanted: Collection[str]) -> None:
        """Show the load for ever.

        Raises:
            PermanentError: No such job is listed, the first time.
            ClusterUnreachable: It cannot be reached the first time.
        """
        rows, warning = await self._load(wanted), ""
        while True:
            self._show(rows, warning)
            await self._pause()
            try:
                rows, warning = await self._load(wanted), ""
            except (ClusterUnreachable, PermanentError) as error:
                warning = f"{error.happened} What is shown was observed before."


def metric_cells(row: Mapping[str, Any]) -> list[object]:
    """Return a row of a metric for people: vertex, metric, and value or aggregates."""
    if row.get("vertex") is None:
        return ["(job)", row["metric"], row.get("value"), None, None, None]
    return [
        *(row["vertex"], row["metric"]),
        *(_number(row.get(name)) for name in ("sum", "min", "max", "avg")),
    ]


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"


def live_table(rows: Sequence[LoadRow], warning: str = "") -> RenderableType:
    """Return rows as a table for a terminal, with a warning below."""
    styles = ["yellow" if row.needs_attention else "" for row in rows]
    table = FittingTable(
        HEADINGS,
        [
            [Text(text(cell), style=style) for cell in row.cells()]
            for row, style in zip(rows, styles, strict=True)
        ],
        right=RIGHT,
        gives_way="busiest vertex",
        leave_out=("pending", "busiest vertex", "backpressured", "records/s", "lag", "busy"),
    )
    below = warning or ("" if rows else "No active jobs.")
    return Group(table, Text(below)) if below else table
