"""`flink-jobs jobs`: the jobs of one cluster, without Pulumi.

What is changed here shows as drift in the stack that owns the job; its next `up` repairs it.
The modules that do the work are imported by the commands: `--help` need not wait for them.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.cluster_session import with_cluster
from flink_jobs_provider.cli.printing import (
    JsonOption,
    ago,
    fail,
    say,
    say_either,
    say_facts,
    say_json,
    say_table,
    size,
)

if TYPE_CHECKING:
    from flink_jobs_provider.cli.job_choice import NamedJobs
    from flink_jobs_provider.cli.job_rows import JobRow
    from flink_jobs_provider.cli.savepoint_listing import Listing
    from flink_jobs_provider.control_planes.flink import FlinkRest
    from flink_jobs_provider.model.observation import ObservedJob
    from flink_jobs_provider.model.target import FlinkTarget

DEFAULT_URL = "http://127.0.0.1:8081"

app = typer.Typer(
    help="The jobs of one cluster, without Pulumi.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Columns(StrEnum):
    """How much `list` shows of each job."""

    TABLE = "table"
    WIDE = "wide"


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


@app.command("list")
def list_jobs(
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Ended jobs too.")] = False,
    output: Annotated[
        Columns, typer.Option("--output", "-o", help="wide: with ids, savepoints and addresses.")
    ] = Columns.TABLE,
    as_json: JsonOption = False,
) -> None:
    """List the jobs that are active."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[JobRow]:
        from flink_jobs_provider.cli.job_rows import job_rows

        jobs = await _named(plane)
        shown = [job for job in jobs.snapshot.jobs if job.active or everything]
        return await job_rows(plane, jobs, shown)

    rows = with_cluster(url, target_file, work)
    if as_json:
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
def describe(
    job: JobArgument,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one job: what it does, where its state is, why it failed."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> dict[str, Any]:
        from flink_jobs_provider.cli.job_choice import choose
        from flink_jobs_provider.cli.job_rows import job_facts

        jobs = await _named(plane)
        found, _ = choose(jobs, job)
        return await job_facts(plane, jobs, found)

    facts = with_cluster(url, target_file, work)
    if as_json:
        say_json(facts)
        return
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
    say_facts(facts)
    if retains is False and facts["status"] in ("RUNNING", "RESTARTING", "STARTING"):
        from flink_jobs_provider.planning.carried_state import retention_warning

        say(retention_warning(facts["job_name"] or facts["name"]), error=True)


@app.command()
def checkpoints(
    job: JobArgument,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a job's last checkpoints and savepoints, newest first, and why any failed."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[dict[str, Any]]:
        from flink_jobs_provider.cli.job_choice import choose
        from flink_jobs_provider.cli.job_rows import checkpoint_facts
        from flink_jobs_provider.control_planes.flink.inspection import JobInspection

        found, _ = choose(await _named(plane), job)
        _, history = await JobInspection(plane.client).checkpoints(found.job_id)
        return [checkpoint_facts(each) for each in history]

    rows = with_cluster(url, target_file, work)
    if as_json:
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
def exceptions(
    job: JobArgument,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    limit: Annotated[
        int,
        typer.Option("--limit", "-n", min=1, help="The number of exceptions; a cluster keeps 16."),
    ] = 16,
    trace: Annotated[bool, typer.Option("--trace", help="With Java's stack traces.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the exceptions of a job, newest first, including those it was restarted after."""

    async def work(plane: FlinkRest, _target: FlinkTarget) -> list[dict[str, Any]]:
        from flink_jobs_provider.cli.job_choice import choose
        from flink_jobs_provider.cli.job_rows import utc
        from flink_jobs_provider.control_planes.flink.inspection import JobInspection

        found, _ = choose(await _named(plane), job)
        return [
            {
                "at": utc(each.at),
                "cause": each.cause,
                "task": each.task or None,
                "task_manager": each.where or None,
                "trace": each.trace,
            }
            for each in await JobInspection(plane.client).exceptions(found.job_id, limit)
        ]

    rows = with_cluster(url, target_file, work)
    if as_json:
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
def watch(
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB]", help="One job, until it has ended; by default all, until Ctrl-C."
        ),
    ] = None,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
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

        from flink_jobs_provider.cli.watching import Change, Watch

        def tell(change: Change) -> None:
            line = json.dumps(change.plain(), ensure_ascii=False) if as_json else change.line()
            print(line, flush=True)

        return await Watch(
            lambda: _named(plane),
            tell,
            lambda warning: say(warning, error=True),
            lambda: asyncio.sleep(interval),
        ).run(job)

    if with_cluster(url, target_file, work, interrupted="") == "FAILED":
        raise typer.Exit(1)


@app.command()
def savepoint(
    job: JobArgument,
    directory: DirectoryOption = None,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a savepoint; the job goes on. Prints its path."""
    _take(job, directory, url, target_file, as_json, stop=False)


@app.command()
def stop(
    job: JobArgument,
    directory: DirectoryOption = None,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop a job with a savepoint. Prints its path."""
    _take(job, directory, url, target_file, as_json, stop=True)


def _take(
    job: str,
    directory: str | None,
    url: str,
    target_file: Path | None,
    as_json: bool,
    *,
    stop: bool,
) -> None:
    async def work(plane: FlinkRest, target: FlinkTarget) -> dict[str, str | None]:
        from flink_jobs_provider.cli.savepoint_work import take

        return await take(plane, target, await _named(plane), job, directory, stop=stop)

    done = with_cluster(url, target_file, work)
    say_either(as_json, done, str(done["savepoint"]))


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
        from flink_jobs_provider.cli.savepoint_listing import list_savepoints

        jobs = await _named(plane)
        return await list_savepoints(plane, jobs, job, directory, target.loopback)

    listing = with_cluster(url, target_file, work)
    rows = [{"taken_at": point.taken_at, "path": point.path} for point in listing.points]
    if as_json:
        say_json(rows)
    elif not rows:
        hint = "" if directory else " Give its savepoint_directory (--directory), if it has one."
        say(
            f"No savepoints of {listing.name} are to be seen from here, below "
            f"{', '.join(listing.places)}.{hint}"
        )
    else:
        for row in rows:
            say(f"{row['taken_at']}  {row['path']}")


@app.command()
def cancel(
    job: JobArgument,
    url: UrlOption = DEFAULT_URL,
    target_file: TargetOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel a job: it ends at once, and what it did since its last savepoint is dropped."""

    async def find(plane: FlinkRest, target: FlinkTarget) -> tuple[ObservedJob, str]:
        from flink_jobs_provider.cli.job_choice import choose
        from flink_jobs_provider.cli.savepoint_listing import left_by

        jobs = await _named(plane)
        if not jobs.fitting(job):
            unknown = jobs.unknown(job)
            left = await left_by(plane, jobs, job, target.loopback)
            unknown.complete(now=f"Nothing was cancelled. {left}")
            raise unknown
        return choose(jobs, job)

    found, name = with_cluster(url, target_file, find)
    if not yes:
        if not sys.stdin.isatty():
            fail("cancelling drops state: say --yes")
        question = f"Cancel {name} ({found.job_id}), without a savepoint?"
        typer.confirm(question, abort=True, err=True)

    async def work(plane: FlinkRest, target: FlinkTarget) -> str:
        from flink_jobs_provider.cli import savepoint_work

        return await savepoint_work.cancel(plane, target, found, name) or "gone"

    state = with_cluster(url, target_file, work)
    done = {"job_name": name, "job_id": found.job_id, "status": state}
    say_either(as_json, done, f"{name} is {state}.")


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
    as_json: JsonOption = False,
) -> None:
    """Start a job from its file; one that was stopped goes on from its savepoint."""

    async def work(plane: FlinkRest, target: FlinkTarget) -> dict[str, Any]:
        import asyncio

        from flink_jobs_provider.artifacts import open_jar
        from flink_jobs_provider.cli.job_start import start_from, start_inputs
        from flink_jobs_provider.model.spec import JobSpec
        from flink_jobs_provider.reconciling.flink import Reconciler

        inputs = start_inputs(file, target, owner=owner, restore_from=restore_from)
        jar = await asyncio.to_thread(open_jar, inputs["jar"])
        spec = JobSpec.model_validate({**inputs, "jar_digest": jar.digest})
        reconciler = Reconciler(plane, target.loopback, lambda line: say(line, error=True))
        record = await start_from(reconciler, spec, jar, restore_from)
        return {
            "job_name": spec.job_name,
            "job_id": record.job_id,
            "status": str(record.status),
            "restored_from": record.restored_from,
        }

    done = with_cluster(url, target_file, work)
    say_either(as_json, done, f"{done['job_name']} is {done['status']} as job {done['job_id']}.")


async def _named(plane: FlinkRest) -> NamedJobs:
    """Return the cluster's jobs, with the names and owners that are known here."""
    from flink_jobs_provider.cli.job_choice import named_jobs, owners_known_in

    return await named_jobs(plane, owners_known_in(Path()))
