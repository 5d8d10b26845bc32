"""`flink-jobs jobs`, the commands that only read: of all jobs, of one, and how busy they are.

The modules that do the work are imported by the commands: `--help` need not wait for them.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.cluster_session import JobArgument, ViewOptions
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import (
    ago,
    console,
    say,
    say_facts,
    say_json,
    say_table,
    size,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from flink_jobs_provider.cli.load_rows import LoadRow
    from flink_jobs_provider.cli.view_protocol import JobView
    from flink_jobs_provider.inspecting.job_rows import JobRow

app = typer.Typer(
    help="The jobs of one cluster, without Pulumi.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Columns(StrEnum):
    """How much `list` shows of each job."""

    TABLE = "table"
    WIDE = "wide"


@app.command("list")
@grouped
def list_jobs(
    cluster: ViewOptions,
    everything: Annotated[bool, typer.Option("--all", help="Ended jobs too.")] = False,
    output: Annotated[
        Columns, typer.Option("--output", "-o", help="wide: with ids, savepoints and addresses.")
    ] = Columns.TABLE,
) -> None:
    """List the jobs that are active."""
    rows = cluster.view(lambda view: view.rows(ended=everything))
    if cluster.as_json:
        say_json([row.plain() for row in rows])
    elif not rows:
        say("No jobs." if everything else "No active jobs.")
    else:
        _say_rows(rows, wide=output is Columns.WIDE)


def _say_rows(rows: list[JobRow], *, wide: bool) -> None:
    headings = ["job", "status", "parallelism", "generation", "age", "owner"]
    headings += ["restarts", "last checkpoint"]
    table: list[list[object]] = []
    for row in rows:
        since = ago(row.last_checkpoint_age)
        cells: list[object] = [row.title, row.status, row.parallelism, row.generation]
        cells += [ago(row.age), row.owner, row.restarts, f"{since} ago" if since else None]
        table.append([*cells, row.job_id, row.last_savepoint, row.dashboard_url] if wide else cells)
    if wide:
        headings += ["job id", "last savepoint", "dashboard"]
    right = ("parallelism", "generation", "age", "restarts", "last checkpoint")
    say_table(headings, table, right=right)
    for problem, jobs in Counter(row.problem for row in rows if row.problem).items():
        say(f"{jobs} of {len(rows)} jobs are shown as last seen: {problem}", error=True)


@app.command()
@grouped
def describe(
    cluster: ViewOptions,
    job: JobArgument,
    trend: Annotated[
        float,
        typer.Option(
            "--trend",
            metavar="SECONDS",
            min=0,
            help="Observe it that long, and show what changed. Metrics change every 10 s.",
        ),
    ] = 0,
) -> None:
    """Show one job: its health, where its state is, why it failed, what needs attention."""
    facts, health = cluster.view(lambda view: view.described(job, trend))
    if cluster.as_json:
        say_json(facts | health)
        return
    _say_job(facts, health)


def _say_job(facts: dict[str, Any], health: dict[str, Any]) -> None:
    from flink_jobs_provider.cli.health_rows import attention_lines, health_lines

    since = ago(facts.pop("last_checkpoint_age"))
    del facts["last_checkpoint_at"]
    facts["age"] = ago(facts["age"])
    if checkpoint := facts["last_checkpoint"]:
        facts["last_checkpoint"] = (
            f"number {checkpoint['id']}, {since} ago, {size(checkpoint['size_bytes'])}, "
            f"{_where(checkpoint)}"
        )
    retains = facts["retains_checkpoints"]
    facts["retains_checkpoints"] = {True: "yes", False: "no"}.get(retains)
    problem = facts.pop("problem", None)
    say_facts(facts | health_lines(health))
    for line in attention_lines(health):
        say(line)
    if problem:
        say(f"its health is not known: {problem}", error=True)
    if retains is False and facts["status"] in ("RUNNING", "RESTARTING", "STARTING"):
        from flink_jobs_provider.planning.retention import retention_warning

        say(retention_warning(facts["job_name"] or facts["name"]), error=True)


@app.command()
@grouped
def checkpoints(cluster: ViewOptions, job: JobArgument) -> None:
    """List a job's last checkpoints and savepoints, newest first, and why any failed."""
    rows = cluster.view(lambda view: view.checkpoints(job))
    if cluster.as_json:
        say_json(rows)
        return
    if not rows:
        say(f"The cluster lists no checkpoints of {job}.")
        return
    headings = ["number", "kind", "status", "triggered", "duration", "size", "path, or failure"]
    table = [
        [
            *(row["id"], row["kind"], row["status"], row["triggered_at"]),
            *(f"{row['duration_ms']} ms", size(row["size_bytes"]), row["failure"] or _where(row)),
        ]
        for row in rows
    ]
    say_table(headings, table, right=("number", "duration", "size"))


def _where(checkpoint: dict[str, Any]) -> str:
    path = checkpoint["path"] or "no path to restore from"
    return f"{path} (discarded since)" if checkpoint["discarded"] else str(path)


@app.command()
@grouped
def exceptions(
    cluster: ViewOptions,
    job: JobArgument,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", min=1, help="The number of exceptions; a cluster keeps 16."),
    ] = 16,
    trace: Annotated[bool, typer.Option("--trace", help="With Java's stack traces.")] = False,
) -> None:
    """List the exceptions of a job, newest first, including those it was restarted after."""
    rows = cluster.view(lambda view: view.exceptions(job, limit))
    if cluster.as_json:
        say_json(rows)
        return
    if not rows:
        say(f"The cluster lists no exceptions of {job}.")
    for row in rows:
        place = ", ".join(each for each in (row["task"], row["task_manager"]) if each)
        say(f"{row['at']}  {row['cause']}{f'  ({place})' if place else ''}")
        if trace:
            say(row["trace"])


@app.command()
@grouped
def top(
    cluster: ViewOptions,
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

    async def work(view: JobView) -> list[LoadRow]:
        import asyncio

        from flink_jobs_provider.cli.load_rows import Top

        if not live:
            return await view.load(jobs or ())

        async def run(show: Callable[[Sequence[LoadRow], str], None]) -> None:
            await Top(view.load, show, lambda: asyncio.sleep(interval)).run(jobs or ())

        await _on_a_screen(run)
        raise AssertionError("it is shown until it is interrupted")

    rows = cluster.view(work)
    if cluster.as_json:
        say_json([row.plain() for row in rows])
    elif not rows:
        say("No active jobs.")
    else:
        from flink_jobs_provider.cli.load_rows import HEADINGS, RIGHT

        say_table(HEADINGS, [row.cells() for row in rows], right=RIGHT)


async def _on_a_screen(
    run: Callable[[Callable[[Sequence[LoadRow], str], None]], Awaitable[None]],
) -> None:
    """Run with a table on the terminal that is redrawn in its place."""
    from rich.console import Console
    from rich.live import Live

    from flink_jobs_provider.cli.load_rows import live_table

    with Live(console=Console(highlight=False), auto_refresh=False) as screen:

        def show(rows: Sequence[LoadRow], warning: str) -> None:
            screen.update(live_table(rows, warning), refresh=True)

        await run(show)


@app.command()
@grouped
def metrics(
    cluster: ViewOptions,
    job: JobArgument,
    get: Annotated[
        list[str] | None,
        typer.Option(
            "--get",
            help="A metric by its name in Flink, or the last part of it; commas and repetition "
            "give several. By default those that show a job's health.",
        ),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names", help="List the names of all metrics, without values.")
    ] = False,
) -> None:
    """Show metrics of a job: its own, and of each vertex the sum, min, max and avg of subtasks."""
    wanted = [name for each in get or () for name in each.split(",") if name]

    async def work(view: JobView) -> list[dict[str, Any]]:
        return await (view.metric_names(job) if names else view.metrics(job, wanted))

    rows = cluster.view(work)
    if cluster.as_json:
        say_json(rows)
    elif not rows:
        say(f"The cluster has no metrics of {job}.")
    else:
        from flink_jobs_provider.cli.load_rows import metric_cells

        table = list(map(metric_cells, rows))
        headings = ["vertex", "metric", "value, or sum", "min", "max", "avg"]
        width = 2 if names else len(headings)
        say_table(headings[:width], [row[:width] for row in table], right=headings[2:])
