"""The table of `flink-jobs jobs watch` on a terminal."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator

from rich.console import Console

from flink_jobs_provider.cli.job_changes import Change
from flink_jobs_provider.cli.watch_screen import Screen, watched_on_a_screen
from flink_jobs_provider.inspecting.job_choice import NamedJobs, Owners
from flink_jobs_provider.inspecting.listed_job import ListedJob
from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob

ONE = "1" * 32
NOW = 100_000


def listed(name: str, status: str = "RUNNING", *concerns: str, active: bool = True) -> ListedJob:
    return ListedJob(name, ONE, name, status, active, NOW - 65_000, 2, 1, concerns)


def drawn(screen: Screen, width: int = 120) -> list[str]:
    """Return the lines of a screen, without colours and blanks at their ends."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(screen.drawn())
    return [line.rstrip() for line in out.getvalue().splitlines()]


def screen_of(*jobs: ListedJob, height: int = 24) -> Screen:
    screen = Screen(lambda: height, lambda: NOW)
    screen.jobs(jobs)
    return screen


def test_what_needs_attention_comes_first() -> None:
    lines = drawn(screen_of(listed("a"), listed("b", "RESTARTING", "restarting")))
    assert lines[0].split() == ["job", "status", "tasks", "age", "needs", "attention", "job", "id"]
    assert [line.split()[:5] for line in lines[1:]] == [
        ["b", "RESTARTING", "1/2", "1m05s", "restarting"],
        ["a", "RUNNING", "1/2", "1m05s", "-"],
    ]


def test_of_ended_jobs_only_those_that_need_attention() -> None:
    failed = listed("b", "FAILED", "failed", active=False)
    lines = drawn(screen_of(listed("a", "CANCELED", active=False), failed))
    assert [line.split()[0] for line in lines[1:]] == ["b"]
    assert drawn(screen_of()) == ["No active jobs."]


def test_more_jobs_than_lines() -> None:
    """Shows that those without a line are counted, and that there is never more than a screen."""
    screen = screen_of(*(listed(f"job{number:03}") for number in range(100)), height=20)
    screen.warn("no connection. Watching goes on.")
    for _ in range(30):
        screen.change(Change("2027-01-15T08:00:00Z", "a", ONE, "STARTING", "RUNNING", "2/2 tasks"))
    lines = drawn(screen)
    assert "and 93 more" in lines
    assert "no connection. Watching goes on." in lines
    assert sum("STARTING → RUNNING" in line for line in lines) == 8
    assert len(lines) <= 20


def test_a_cluster_that_goes_and_comes_back() -> None:
    """Shows the jobs as they were with a warning, and then how they are."""
    lost = ClusterUnreachable("no connection")
    looks: Iterator[str | ClusterUnreachable] = iter(
        ["RUNNING", lost, lost, "RESTARTING", "FINISHED"]
    )
    out = io.StringIO()
    console = Console(file=out, width=140, height=30, color_system=None, force_terminal=True)
    frames: list[str] = []

    async def look() -> NamedJobs:
        seen = next(looks)
        if isinstance(seen, ClusterUnreachable):
            raise seen
        job = ObservedJob(ONE, "orders", seen, started=1, tasks=2, running_tasks=2)
        return NamedJobs(ClusterSnapshot((job,)), {}, Owners())

    async def pause() -> None:
        frames.append(out.getvalue())
        out.seek(0)
        out.truncate()

    assert asyncio.run(watched_on_a_screen(look, pause, "orders", console)) == "FINISHED"
    assert ["no connection. Watching goes on." in frame for frame in frames] == [
        *(False, True, True, False),
    ]
    assert all("orders" in frame for frame in frames)
    assert "The cluster answers again." in frames[3]
    assert "RESTARTING → FINISHED" in out.getvalue()
