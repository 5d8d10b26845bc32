"""`flink-jobs jobs`, the commands that only read: of all jobs, of one, and how busy they are.

The modules that do the work are imported by the commands: `--help` need not wait for them.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.cluster_session import (
    ClusterOptions,
    JobArgument,
    chosen_job,
    named_here,
)
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

    from flink_jobs_provider.cli.job_rows import Change, JobRow
    from flink_jobs_provider.cli.load_rows import LoadRow
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest
    from flink_jobs_provider.model.target import FlinkTarget
    from flink_jobs_provider.observing.attention import Observation

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
    cluster: ClusterOptions,
    everything: Annotated[bool, typer.Option("--all", help="Ended jobs too.")] = False,
    output: Annotated[
        Columns, typer.Option("--output", "-o", help="wide: with ids, savepoints and addresses.")
    ] = Columns.TABLE,
) -> None:
    """List the jobs that are active."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[JobRow]:
        from flink_jobs_provider.cli.job_rows import job_rows

        jobs = await named_here(plane)
        shown = [job for job in jobs.snapshot.jobs if job.active or everything]
        return await job_rows(plane, jobs, shown)

    rows = cluster.run(work)
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


@app.command()
@grouped
def describe(
    cluster: ClusterOptions,
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

    async def work(
        plane: FlinkRest, _target: FlinkTarget
    ) -> tuple[dict[str, Any], tuple[Observation, ...]]:
        from flink_jobs_provider.cli.health_rows import observations
        from flink_jobs_provider.cli.job_rows import job_facts

        jobs, found = await chosen_job(plane, job)
        seen = await observations(plane.client, found.job_id, trend)
        if trend:
            jobs = await named_here(plane)
            found = jobs.snapshot.by_id.get(found.job_id, found)
        return await job_facts(plane, jobs, found), seen

    facts, seen = cluster.run(work)
    if cluster.as_json:
        from flink_jobs_provider.cli.health_rows import health_facts

        say_json(facts | health_facts(seen))
        return
    _say_job(facts, seen)


def _say_job(facts: dict[str, Any], seen: Sequence[Observation]) -> None:
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
    say_facts(facts | health_lines(seen))
    for line in attention_lines(seen):
        say(line)
    if retains is False and facts["status"] in ("RUNNING", "RESTARTING", "STARTING"):
        from flink_jobs_provider.planning.plan import retention_warning

        say(retention_warning(facts["job_name"] or facts["name"]), error=True)


@app.command()
@grouped
def checkpoints(cluster: ClusterOptions, job: JobArgument) -> None:
    """List a job's last checkpoints and savepoints, newest first, and why any failed."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[dict[str, Any]]:
        from flink_jobs_provider.cli.job_rows import checkpoint_facts
        from flink_jobs_provider.control_planes.flink.inspection import JobInspection

        _, found = await chosen_job(plane, job)
        _, history = await JobInspection(plane.client).checkpoints(found.job_id)
        return [checkpoint_facts(each) for each in history]

    rows = cluster.run(work)
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
    cluster: ClusterOptions,
    job: JobArgument,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", min=1, help="The number of exceptions; a cluster keeps 16."),
    ] = 16,
    trace: Annotated[bool, typer.Option("--trace", help="With Java's stack traces.")] = False,
) -> None:
    """List the exceptions of a job, newest first, including those it was restarted after."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[dict[str, Any]]:
        from flink_jobs_provider.control_planes.flink.inspection import JobInspection
        from flink_jobs_provider.observing.documents import exception_document

        _, found = await chosen_job(plane, job)
        failures = await JobInspection(plane.client).exceptions(found.job_id, limit)
        return list(map(exception_document, failures))

    rows = cluster.run(work)
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
@partial(grouped, without=("as_json",))
def watch(
    cluster: ClusterOptions,
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB]", help="One job, until it has ended; by default all, until Ctrl-C."
        ),
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", "-n", min=0.1, help="Seconds between two polls.")
    ] = 2.0,
    as_json: Annotated[
        bool, typer.Option("--json", "-j", help="Print a JSON document a line.")
    ] = False,
) -> None:
    """Print a line whenever a job appears, changes its status or its running tasks, or ends.

    Exit code 1 when the job that is watched has FAILED.
    """

    async def work(plane: FlinkRest, _target: FlinkTarget) -> str:
        import asyncio
        import json

        from flink_jobs_provider.cli.job_rows import Watch

        def show(change: Change) -> None:
            line = json.dumps(change.plain(), ensure_ascii=False) if as_json else change.line()
            print(line, flush=True)

        return await Watch(
            lambda: named_here(plane),
            show,
            lambda warning: say(warning, error=True),
            lambda: asyncio.sleep(interval),
        ).run(job)

    if cluster.run(work, interrupted="") == "FAILED":
        raise typer.Exit(1)


@app.command()
@grouped
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

    from flink_jobs_provider.cli.load_rows import live_table

    with Live(console=Console(highlight=False), auto_refresh=False) as screen:

        def show(rows: Sequence[LoadRow], warning: str) -> None:
            screen.update(live_table(rows, warning), refresh=True)

        return await run(show)


@app.command()
@grouped
def metrics(
    cluster: ClusterOptions,
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
