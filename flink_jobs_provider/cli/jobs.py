"""`flink-jobs jobs`: the jobs of one cluster, without Pulumi.

What is changed here shows as drift in the stack that owns the job; its next `up` mends it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.cli.cluster_session import fail, with_cluster
from flink_jobs_provider.cli.job_rows import choose, job_rows
from flink_jobs_provider.cli.savepoint_listing import Listing, list_savepoints
from flink_jobs_provider.cli.start_inputs import start_inputs
from flink_jobs_provider.cli.starting import start_from
from flink_jobs_provider.control_planes.flink_rest import FlinkRest
from flink_jobs_provider.control_planes.protocol import Purpose, SavepointRequest
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.savepoint import SavepointFormat, join
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling import Reconciler
from flink_jobs_provider.reconciling.waiting import Clock, Waiter

DEFAULT_URL = "http://127.0.0.1:8081"

app = typer.Typer(
    help="The jobs of one cluster, without Pulumi.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)

UrlOption = Annotated[
    str, typer.Option(envvar="FLINK_JOBS_URL", help="Address of the cluster's REST API.")
]
TargetOption = Annotated[
    Path | None,
    typer.Option(
        "--target-file",
        help="YAML file with the whole target of a Flink session cluster: url, basic_auth, tls, …",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="Its job_name, jobId (or first digits), or name.")
]
DirectoryOption = Annotated[
    str | None,
    typer.Option("--directory", help="Where the savepoint goes; else the cluster's own."),
]
PlaceOption = Annotated[
    str | None,
    typer.Option(
        "--directory",
        help="Where to look: the job's savepoint_directory. Else the cluster's own, and where the "
        "submissions that the cluster lists had theirs.",
    ),
]
_WAIT = 1800.0


@app.command("list")
def list_jobs(
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Ended jobs too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the jobs that are active."""
    rows = with_cluster(url, target_file, lambda plane, _: job_rows(plane, everything))
    if as_json:
        print(json.dumps([row.plain() for row in rows], indent=2))
        return
    if not rows:
        _out.print("No jobs." if everything else "No active jobs.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("job", "status", "parallelism", "generation"):
        right = heading in ("parallelism", "generation")
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            row.job_name or f"{row.name} (not ours)",
            _coloured(row.status),
            _text(row.parallelism),
            _text(row.generation),
        )
    _out.print(table)
    _out.print()
    for row in rows:
        _out.print(f"{row.job_name or row.name}", style="bold")
        _out.print(f"  job id          {row.job_id}", markup=False)
        _out.print(f"  last savepoint  {row.last_savepoint or '-'}", markup=False)
        _out.print(f"  dashboard       {row.dashboard_url}", markup=False)


@app.command()
def describe(
    job: JobArgument,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one job: what it does, where its state is, why it failed."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> dict[str, Any]:
        found, _ = await choose(plane, job)
        rows = await job_rows(plane, everything=True)
        row = next(row for row in rows if row.job_id == found.job_id)
        statistics = await plane.checkpoints(found.job_id)
        return {
            **row.plain(),
            "tasks": f"{found.running_tasks} of {found.tasks} running",
            "restored_from": (statistics.restored_from if statistics else "") or None,
            "last_checkpoint": (statistics.checkpoint if statistics else "") or None,
            "last_failure": await plane.failure(found.job_id) or None,
        }

    facts = with_cluster(url, target_file, work)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        _out.print(f"{name.replace('_', ' '):<{width}}  {_text(value)}", markup=False)


@app.command()
def savepoint(
    job: JobArgument,
    directory: DirectoryOption = None,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
) -> None:
    """Take a savepoint; the job goes on. Prints its path."""
    print(with_cluster(url, target_file, lambda plane, _: _take(plane, job, directory, stop=False)))


@app.command()
def stop(
    job: JobArgument,
    directory: DirectoryOption = None,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
) -> None:
    """Stop a job with a savepoint. Prints its path."""
    print(with_cluster(url, target_file, lambda plane, _: _take(plane, job, directory, stop=True)))


@app.command()
def savepoints(
    job: JobArgument,
    directory: PlaceOption = None,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a job's savepoints, newest first, as far as their directories can be read from here."""

    async def work(plane: FlinkRest, target: FlinkTarget) -> Listing:
        return await list_savepoints(plane, job, directory, target.loopback)

    listing = with_cluster(url, target_file, work)
    rows = [{"taken_at": point.taken_at, "path": point.path} for point in listing.points]
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        hint = "" if directory else " Give its savepoint_directory (--directory), if it has one."
        _out.print(
            f"No savepoints of {listing.name} are to be seen from here, below "
            f"{', '.join(listing.places)}.{hint}",
            markup=False,
        )
    else:
        for row in rows:
            _out.print(f"{row['taken_at']}  {row['path']}", markup=False)


@app.command()
def cancel(
    job: JobArgument,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Cancel a job: it ends at once, and what it did since its last savepoint is dropped."""

    async def find(plane: FlinkRest, _target: FlinkTarget) -> tuple[str, str]:
        found, name = await choose(plane, job)
        return found.job_id, name

    job_id, name = with_cluster(url, target_file, find)
    if not yes:
        if not sys.stdin.isatty():
            fail("cancelling drops state: say --yes")
        typer.confirm(f"Cancel {name} ({job_id}), without a savepoint?", abort=True)

    async def work(plane: FlinkRest, _target: FlinkTarget) -> str:
        await plane.cancel(job_id)
        ended = await Waiter(plane, Clock()).until_ended(job_id, 300.0)
        return ended.state if ended else "gone"

    _out.print(f"{name} is {with_cluster(url, target_file, work)}.", markup=False)


@app.command()
def start(
    file: Annotated[Path, typer.Argument(help="A job file; `flink-jobs schema` describes it.")],
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    restore_from: Annotated[
        str | None, typer.Option("--from", help="A savepoint to start from.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="organization/project/stack, to start a stack's own job.")
    ] = None,
) -> None:
    """Start a job from its file; one that was stopped goes on from its savepoint."""

    async def work(plane: FlinkRest, target: FlinkTarget) -> str:
        inputs = start_inputs(file, target, owner=owner, restore_from=restore_from)
        jar = await asyncio.to_thread(open_jar, inputs["jar"])
        spec = JobSpec.model_validate({**inputs, "jar_digest": jar.digest})
        reconciler = Reconciler(plane, target.loopback, lambda line: _err.print(line))
        record = await start_from(reconciler, spec, jar, restore_from)
        return f"{spec.job_name} is {record.status} as job {record.job_id}."

    _out.print(with_cluster(url, target_file, work), markup=False)


async def _take(plane: FlinkRest, job: str, directory: str | None, stop: bool) -> str:
    found, name = await choose(plane, job)
    if not found.active:
        raise PermanentError(f"{name} is {found.state}: nothing to take a savepoint of")
    request = SavepointRequest(
        found.job_id,
        join(await _directory(plane, directory), name, found.job_id),
        Purpose.STOP if stop else Purpose.SAVEPOINT,
        SavepointFormat.CANONICAL,
        occasion="" if stop else os.urandom(8).hex(),
    )
    path = await plane.take_savepoint(request, _WAIT)
    if stop:
        await Waiter(plane, Clock()).until_ended(found.job_id, 300.0)
    return path


async def _directory(plane: FlinkRest, given: str | None) -> str:
    directory = given or (await plane.facts()).savepoint_directory
    if not directory:
        raise PermanentError(
            "the cluster has no savepoint directory of its own", remedy="Give --directory"
        )
    return directory


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _coloured(status: str) -> str:
    colour = {"RUNNING": "green", "FAILED": "red", "RESTARTING": "yellow"}.get(status)
    return f"[{colour}]{status}[/{colour}]" if colour else status
