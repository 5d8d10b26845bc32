"""`flink-jobs jobs top`: rows, their order, and what is redrawn."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from flink_jobs_provider.cli.load_rows import (
    HEADINGS,
    LoadRow,
    Top,
    live_table,
    load_rows,
    metric_cells,
)
from flink_jobs_provider.inspecting.job_choice import NamedJobs, Owners
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError, PermanentError
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from tests.contract.flink.scripted import ScriptedFlink, ok

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
    """A `top` of loads that follow each other; it ends when there is no further one."""

    def __init__(self, *looks: list[str] | JobError) -> None:
        self._looks: Iterator[list[str] | JobError] = iter(looks)
        self.screens: list[tuple[list[str], str]] = []
        self.wanted: list[list[str]] = []
        self.top = Top(self._load, self._show, self._pause)

    async def _load(self, wanted: Collection[str]) -> list[LoadRow]:
        self.wanted.append(list(wanted))
        seen = next(self._looks, None)
        if seen is None:
            raise KeyboardInterrupt
        if isinstance(seen, JobError):
            raise seen
        return [row(name) for name in seen]

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
    shown = Shown(["orders"], ["orders", "payments"])
    assert shown.run("o", "p") == [(["orders"], ""), (["orders", "payments"], "")]
    assert shown.wanted == [["o", "p"]] * 3


def test_a_cluster_that_cannot_be_reached_for_a_while() -> None:
    """Shows what was observed before, with a warning all the time, until it is observed again."""
    lost = ClusterUnreachable("no connection")
    assert Shown(["orders"], lost, lost, ["payments"]).run() == [
        (["orders"], ""),
        (["orders"], "no connection. What is shown was observed before."),
        (["orders"], "no connection. What is shown was observed before."),
        (["payments"], ""),
    ]


@pytest.mark.parametrize("error", [ClusterUnreachable("no"), PermanentError("no such job")])
def test_what_fails_at_first_is_an_error(error: JobError) -> None:
    with pytest.raises(type(error)):
        asyncio.run(Shown(error).top.run(()))


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


def test_a_metric_for_people() -> None:
    of_a_vertex = {"metric": "pendingRecords", "vertex": "orders", "sum": 7, "avg": 3.5}
    assert metric_cells(of_a_vertex) == ["orders", "pendingRecords", "7", None, None, "3.5"]
    own = {"metric": "numRestarts", "value": "2"}
    assert metric_cells(own) == ["(job)", "numRestarts", "2", None, None, None]


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
