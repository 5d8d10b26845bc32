"""`flink-jobs jobs top` and `metrics`: how busy the jobs of a cluster are.

The modules that do the work are imported by the commands: `--help` need not wait for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.cluster_session import (
    ClusterOptions,
    JobArgument,
    chosen_job,
    named_here,
)
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import console, say, say_json, say_table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from rich.table import Table

    from flink_jobs_provider.cli.load_rows import LoadRow
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest
    from flink_jobs_provider.model.target import FlinkTarget


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(grouped(top))
    app.command()(grouped(metrics))


def top(
    cluster: ClusterOptions,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="JOB", help="Only these jobs; by default all active ones."),
    ] = None,
    interval: Annotated[
        float,
        typer.Option("--interval", "-n", min=1, help="Seconds between two observations."),
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Observe once, also on a terminal.")] = False,
) -> None:
    """Show how busy, backpressured and late jobs are: live on a terminal, else once.

    Jobs that need attention come first, then the busiest. A cluster gathers metrics every 10
    seconds.
    """
    live = console().is_terminal and not once and not cluster.as_json

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[LoadRow]:
        import asyncio

        from flink_jobs_provider.cli.load_rows import Top, load_rows
        from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor

        monitor = ClusterMonitor(plane.client)

        async def run(show: Callable[[Sequence[LoadRow], str], None]) -> list[LoadRow]:
            shown = Top(
                lambda: named_here(plane),
                lambda named, chosen: load_rows(monitor, named, chosen),
                show,
                lambda: asyncio.sleep(interval),
            )
            if not live:
                return await shown.once(jobs or ())
            await shown.run(jobs or ())
            raise AssertionError("unreachable")

        return await _on_a_screen(run) if live else await run(lambda _rows, _warning: None)

    rows = cluster.run(work, interrupted="")
    if cluster.as_json:
        say_json([row.plain() for row in rows])
    elif not rows:
        say("No active jobs.")
    else:
        from flink_jobs_provider.cli.load_rows import HEADINGS, RIGHT

        say_table(HEADINGS, [row.cells() for row in rows], right=RIGHT)


async def _on_a_screen(
    run: Callable[[Callable[[Sequence[LoadRow], str], None]], Awaitable[list[LoadRow]]],
) -> list[LoadRow]:
    """Run with a table on the terminal that is redrawn in its place."""
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(highlight=False), auto_refresh=False) as screen:

        def show(rows: Sequence[LoadRow], warning: str) -> None:
            screen.update(live_table(rows, warning), refresh=True)

        return await run(show)


def live_table(rows: Sequence[LoadRow], warning: str = "") -> Table:
    """Return rows as a table for a terminal, with a warning below."""
    from rich.table import Table

    from flink_jobs_provider.cli.load_rows import HEADINGS, RIGHT
    from flink_jobs_provider.cli.printing import text

    caption = warning or (None if rows else "No active jobs.")
    table = Table(box=None, caption=caption, caption_justify="left", pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in RIGHT else "left")
    for row in rows:
        style = "yellow" if row.needs_attention else ""
        table.add_row(*map(text, row.cells()), style=style)
    return table


def metrics(
    cluster: ClusterOptions,
    job: JobArgument,
    get: Annotated[
        list[str] | None,
        typer.Option(
            "--get",
            help="A metric by its name in Flink, or the last part of it; commas and repetition "
            "give several. By default those that tell a job's health.",
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="List the names of all metrics, without values.")
    ] = False,
) -> None:
    """Show metrics of a job: its own, and of each vertex the sum, min, max and avg of subtasks."""
    wanted = [name for each in get or () for name in each.split(",") if name]

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[dict[str, Any]]:
        from flink_jobs_provider.cli.load_rows import JobMetrics

        _, found = await chosen_job(plane, job)
        reader = JobMetrics(plane.client, found)
        if names:
            return [row.plain() for row in await reader.named()]
        return [row.plain() for row in await reader.rows(wanted)]

    rows = cluster.run(work)
    if cluster.as_json:
        say_json(rows)
    elif not rows:
        say(f"The cluster has no metrics of {job}.")
    else:
        from flink_jobs_provider.cli.load_rows import MetricRow

        table = [MetricRow(**row).cells() for row in rows]
        headings = ["vertex", "metric", "value, or sum", "min", "max", "avg"]
        width = 2 if names else len(headings)
        say_table(headings[:width], [row[:width] for row in table], right=headings[2:])
