"""`flink-jobs jobs top` and `metrics`: rows, their order, and what is redrawn."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from flink_jobs_provider.cli.job_choice import NamedJobs, Owners
from flink_jobs_provider.cli.load_rows import (
    HEADINGS,
    JobMetrics,
    LoadRow,
    MetricRow,
    Top,
    live_table,
    load_rows,
)
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError, PermanentError
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from tests.contract.flink.scripted import ScriptedFlink, ok
from tests.contract.flink.test_metrics import AGGREGATED, named, some

ORDERS = ObservedJob("1" * 32, "orders", "RUNNING", started=1, tasks=2, running_tasks=2)
PAYMENTS = ObservedJob("2" * 32, "payments", "RUNNING", started=1, tasks=2, running_tasks=2)
ENDED = ObservedJob("3" * 32, "old", "FAILED", started=1)


def row(name: str = "orders", **changes: object) -> LoadRow:
    values: dict[str, object] = {
        "job_name": name,
        "name": "x",
        "job_id": "1" * 32,
        "status": "RUNNING",
        "busy": 0.97,
        "backpressured": 0.5,
        "records_per_second": 12_345.6,
        "event_time_lag_ms": 200_000,
        "pending_records": 4200,
        "busiest_vertex": "count",
        "needs_attention": ("lag growing",),
    }
    return LoadRow(**(values | changes))  # type: ignore[arg-type]


class Shown:
    """A `top` of job lists that follow each other; it ends when there is no further one."""

    def __init__(self, *looks: list[ObservedJob] | JobError) -> None:
        self._looks: Iterator[list[ObservedJob] | JobError] = iter(looks)
        self.screens: list[tuple[list[str], str]] = []
        self.top = Top(self._look, self._load, self._show, self._pause)

    async def _look(self) -> NamedJobs:
        seen = next(self._looks, None)
        if seen is None:
            raise KeyboardInterrupt
        if isinstance(seen, JobError):
            raise seen
        return NamedJobs(ClusterSnapshot(tuple(seen)), {}, Owners())

    async def _load(self, _jobs: NamedJobs, shown: Sequence[ObservedJob]) -> list[LoadRow]:
        return [row(job.name) for job in shown]

    def _show(self, rows: Sequence[LoadRow], warning: str) -> None:
        self.screens.append(([each.job_name or "" for each in rows], warning))

    async def _pause(self) -> None:
        pass

    def run(self, *wanted: str) -> list[tuple[list[str], str]]:
        """Show until it is interrupted, and return what was shown."""
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(self.top.run(wanted))
        return self.screens


def test_active_jobs_are_shown_again_and_again() -> None:
    shown = Shown([ORDERS, ENDED], [ORDERS, PAYMENTS])
    assert shown.run() == [(["orders"], ""), (["orders", "payments"], "")]


def test_only_the_jobs_that_are_wanted() -> None:
    shown = Shown([ORDERS, PAYMENTS], [ORDERS, PAYMENTS])
    assert shown.run("payments") == [(["payments"], ""), (["payments"], "")]


def test_a_cluster_that_cannot_be_reached_for_a_while() -> None:
    """Shows what was observed before, with a warning, and then what is observed again."""
    shown = Shown([ORDERS], ClusterUnreachable("no connection"), [PAYMENTS])
    screens = shown.run()
    assert screens[0] == (["orders"], "")
    assert screens[1] == (["orders"], "no connection. What is shown was observed before.")
    assert screens[-1] == (["payments"], "")


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [([ClusterUnreachable("no connection")], ()), ([[ORDERS]], ("ordes",))],
    ids=["unreachable", "unknown job"],
)
def test_what_fails_at_first_is_an_error(
    looks: list[list[ObservedJob] | JobError], wanted: tuple[str, ...]
) -> None:
    with pytest.raises((ClusterUnreachable, PermanentError)):
        asyncio.run(Shown(*looks).top.run(wanted))


def test_a_row_for_people() -> None:
    cells = dict(zip(HEADINGS, row().cells(), strict=True))
    assert cells == {
        "job": "orders",
        "status": "RUNNING",
        "busy": "97%",
        "backpressured": "50%",
        "records/s": "12,346",
        "lag": "3 min",
        "pending": "4,200",
        "busiest vertex": "count",
        "needs attention": "lag growing",
    }


def test_what_is_not_reported_is_not_zero() -> None:
    cells = row(
        busy=None,
        backpressured=None,
        records_per_second=None,
        event_time_lag_ms=None,
        pending_records=None,
        busiest_vertex=None,
        needs_attention=(),
    ).cells()
    assert cells == ["orders", "RUNNING", *[None] * 7]


def test_the_table_on_a_terminal_is_as_wide_as_the_terminal() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    console.print(live_table([row()], "no connection. What is shown was observed before."))
    text = screen.getvalue()
    assert "97%" in text
    assert "no connection" in text
    console.print(live_table([]))
    assert "No active jobs." in screen.getvalue()


def overview_row(job: ObservedJob) -> dict[str, object]:
    return {
        "jid": job.job_id,
        "name": job.name,
        "state": job.state,
        "start-time": 1,
        "end-time": -1,
        "duration": 600_000,
        "tasks": {"total": 2, "running": 2},
    }


def test_what_needs_attention_comes_first() -> None:
    """Shows a job that is being restarted before one that works."""
    flink = ScriptedFlink()
    restarting = replace(ORDERS, job_id="4" * 32, name="restarting", state="RESTARTING")
    listed = [ORDERS, restarting, PAYMENTS]
    flink.answer("GET jobs/overview", ok(jobs=list(map(overview_row, listed))))
    jobs = NamedJobs(ClusterSnapshot(tuple(listed)), {}, Owners())
    monitor = ClusterMonitor(flink.plane().client, flink.clock.now, flink.clock.sleep)
    rows = asyncio.run(load_rows(monitor, jobs, listed))
    assert [each.name for each in rows] == ["restarting", "orders", "payments"]
    assert [each.needs_attention for each in rows] == [("restarting",), (), ()]


VERTEX = "a" * 32
SUBTASKS = f"jobs/{ORDERS.job_id}/vertices/{VERTEX}/subtasks/metrics"
OWN = f"jobs/{ORDERS.job_id}/metrics"
PENDING = "Source__orders.pendingRecords"


def metrics_of(flink: ScriptedFlink) -> JobMetrics:
    """Return the metrics of a job with one vertex."""
    vertices = [{"id": VERTEX, "name": "Source: orders"}]
    flink.answer(f"GET jobs/{ORDERS.job_id}", ok(vertices=vertices))
    flink.answer(f"GET {OWN}", named("numRestarts", "uptime"))
    flink.answer(f"GET {OWN}?get=numRestarts", some({"id": "numRestarts", "value": "2"}))
    flink.answer(f"GET {SUBTASKS}", named("busyTimeMsPerSecond", PENDING, "numBytesIn"))
    for name in ("busyTimeMsPerSecond", PENDING):
        values = {"id": name, "min": 0, "max": 7, "sum": 7, "avg": 3.5}
        flink.answer(f"GET {SUBTASKS}?get={name}{AGGREGATED}", some(values))
    both = f"{PENDING},busyTimeMsPerSecond"
    flink.answer(f"GET {SUBTASKS}?get={both}{AGGREGATED}", some(values))
    return JobMetrics(flink.plane().client, ORDERS, flink.clock.now, flink.clock.sleep)


def test_metrics_that_tell_the_health_of_a_job() -> None:
    rows = asyncio.run(metrics_of(ScriptedFlink()).rows([]))
    assert [(each.vertex, each.metric) for each in rows] == [
        (None, "numRestarts"),
        ("Source: orders", PENDING),
    ]
    assert rows[0].plain() == {"metric": "numRestarts", "value": "2"}


@pytest.mark.parametrize("name", ["pendingRecords", PENDING])
def test_a_metric_by_its_name_or_the_last_part_of_it(name: str) -> None:
    (found,) = asyncio.run(metrics_of(ScriptedFlink()).rows([name]))
    assert found == MetricRow(PENDING, "Source: orders", VERTEX, None, 0, 7, 7, 3.5)
    assert found.cells() == ["Source: orders", PENDING, "7", "0", "7", "3.5"]


def test_a_metric_that_there_is_none_of() -> None:
    with pytest.raises(PermanentError, match="no metric pendingRecord; names like it: pendingRec"):
        asyncio.run(metrics_of(ScriptedFlink()).rows(["numRestarts", "pendingRecord"]))


def test_the_names_of_all_metrics() -> None:
    rows = asyncio.run(metrics_of(ScriptedFlink()).named())
    assert [(each.vertex, each.metric) for each in rows] == [
        (None, "numRestarts"),
        (None, "uptime"),
        ("Source: orders", PENDING),
        ("Source: orders", "busyTimeMsPerSecond"),
        ("Source: orders", "numBytesIn"),
    ]
