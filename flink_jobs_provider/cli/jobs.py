"""`flink-jobs jobs`, the commands that change a job or name its savepoints; without Pulumi.

What is changed here shows as drift in the stack that owns the job; its next `up` repairs it.
The modules that do the work are imported by the commands: `--help` need not wait for them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flink_jobs_provider.cli.cluster_session import (
    ClusterOptions,
    JobArgument,
    named_here,
)
from flink_jobs_provider.cli.job_inspection import app as app
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import (
    fail,
    say,
    say_either,
    say_json,
    say_table,
    size,
    text,
)

if TYPE_CHECKING:
    from flink_jobs_provider.cli.rehearse_command import Rehearsed
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest
    from flink_jobs_provider.inspecting.job_savepoints import Listing
    from flink_jobs_provider.inspecting.version_check import Checked
    from flink_jobs_provider.model.observation import ObservedJob
    from flink_jobs_provider.model.target import FlinkTarget

#: A missing file of such a name is not taken for a job's name.
_JOB_FILES = (".yaml", ".yml", ".json")
_STATE = ("operator", "size", "max parallelism", "verdict")
DirectoryOption = Annotated[
    str | None,
    typer.Option("--directory", help="Where the savepoint goes; else the cluster's own."),
]
PlaceOption = Annotated[
    str | None,
    typer.Option(
        "--directory",
        help="Where savepoints are searched for: the job's savepoint_directory. Else the cluster's "
        "own, and where the submissions that the cluster lists had theirs.",
    ),
]


@app.command()
@grouped
def savepoint(cluster: ClusterOptions, job: JobArgument, directory: DirectoryOption = None) -> None:
    """Take a savepoint; the job goes on. Prints its path."""
    _take(cluster, job, directory, stop=False)


@app.command()
@grouped
def stop(cluster: ClusterOptions, job: JobArgument, directory: DirectoryOption = None) -> None:
    """Stop a job with a savepoint. Prints its path."""
    _take(cluster, job, directory, stop=True)


def _take(cluster: ClusterOptions, job: str, directory: str | None, *, stop: bool) -> None:
    async def work(plane: FlinkRest, target: FlinkTarget) -> dict[str, str | None]:
        from flink_jobs_provider.cli.job_actions import take

        return await take(plane, target, await named_here(plane), job, directory, stop=stop)

    done = cluster.run(work)
    say_either(done, str(done["savepoint"]), as_json=cluster.as_json)


@app.command()
@grouped
def savepoints(cluster: ClusterOptions, job: JobArgument, directory: PlaceOption = None) -> None:
    """List a job's savepoints, newest first, as far as their directories can be read from here."""

    async def work(plane: FlinkRest, target: FlinkTarget) -> Listing:
        from flink_jobs_provider.inspecting.job_savepoints import list_savepoints
        from flink_jobs_provider.model.errors import PermanentError

        jobs = await named_here(plane)
        try:
            return await list_savepoints(plane, jobs, job, directory, local_paths=target.loopback)
        except PermanentError as error:
            error.complete(remedy="Give --directory")
            raise

    listing = cluster.run(work)
    rows = [{"taken_at": point.taken_at, "path": point.path} for point in listing.points]
    for place, reason in listing.unseen.items():
        say(f"Savepoints below {place} are not seen from here: {reason}", error=True)
    if cluster.as_json:
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
@grouped
def cancel(
    cluster: ClusterOptions,
    job: JobArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Cancel a job: it ends at once, and what it did since its last savepoint is dropped."""

    async def find(plane: FlinkRest, target: FlinkTarget) -> tuple[ObservedJob, str]:
        from flink_jobs_provider.cli.job_actions import left_by
        from flink_jobs_provider.inspecting.job_choice import choose

        jobs = await named_here(plane)
        if not jobs.fitting(job):
            unknown = jobs.unknown(job)
            left = await left_by(plane, jobs, job, local_paths=target.loopback)
            unknown.complete(now=f"Nothing was cancelled. {left}")
            raise unknown
        return choose(jobs, job)

    found, name = cluster.run(find)
    if not yes:
        if not sys.stdin.isatty():
            fail("cancelling drops state: confirm it with --yes")
        question = f"Cancel {name} ({found.job_id}), without a savepoint?"
        typer.confirm(question, abort=True, err=True)

    async def work(plane: FlinkRest, target: FlinkTarget) -> str:
        from flink_jobs_provider.cli.job_actions import cancel as cancel_job

        return await cancel_job(plane, target, found, name) or "gone"

    state = cluster.run(work)
    done = {"job_name": name, "job_id": found.job_id, "status": state}
    say_either(done, f"{name} is {state}.", as_json=cluster.as_json)


@app.command()
@grouped
def start(
    cluster: ClusterOptions,
    file: Annotated[Path, typer.Argument(help="A job file; `flink-jobs schema` describes it.")],
    restore_from: Annotated[
        str | None, typer.Option("--from", help="A savepoint to start from.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="organization/project/stack, to start a stack's own job.")
    ] = None,
) -> None:
    """Start a job from its file; one that was stopped goes on from its savepoint."""

    async def work(plane: FlinkRest, target: FlinkTarget) -> dict[str, Any]:
        import asyncio

        from flink_jobs_provider.artifacts import open_jar
        from flink_jobs_provider.cli.job_actions import start_from, start_inputs
        from flink_jobs_provider.model.spec import JobSpec
        from flink_jobs_provider.reconciling.flink.reconciler import Reconciler

        inputs = start_inputs(file, target, owner=owner, restore_from=restore_from)
        jar = await asyncio.to_thread(open_jar, inputs["jar"])
        spec = JobSpec.model_validate({**inputs, "jar_digest": jar.digest})
        reconciler = Reconciler(
            plane, local_paths=target.loopback, say=lambda line: say(line, error=True)
        )
        record = await start_from(reconciler, spec, jar, restore_from)
        return {
            "job_name": spec.job_name,
            "job_id": record.job_id,
            "status": str(record.status),
            "restored_from": record.restored_from,
        }

    done = cluster.run(work)
    say_either(
        done,
        f"{done['job_name']} is {done['status']} as job {done['job_id']}.",
        as_json=cluster.as_json,
    )


@app.command()
@grouped
def check(
    cluster: ClusterOptions,
    job: Annotated[
        str, typer.Argument(help="The job's file; or its job_name or jobId, with --jar.")
    ],
    jar: Annotated[
        str | None, typer.Option(help="Path or URI of the new version's jar; else the file's.")
    ] = None,
    entry_class: Annotated[str | None, typer.Option(help="Its class with the main to run.")] = None,
    args: Annotated[
        str | None, typer.Option(help="Its arguments, in one text that is split at blanks.")
    ] = None,
    parallelism: Annotated[int | None, typer.Option(help="Its parallelism.")] = None,
) -> None:
    """Compare a running job's state with a new version; exit code 1 if an update is refused.

    The new version's main runs on the cluster for its plan. Nothing is changed.
    """
    given = {"jar": jar, "entry_class": entry_class, "args": args, "parallelism": parallelism}

    async def work(plane: FlinkRest, target: FlinkTarget) -> Checked:
        from flink_jobs_provider.cli.check_command import check

        new = {name: value for name, value in given.items() if value is not None}
        return await check(plane, target, wanted, new)

    path = Path(job)
    wanted = path if path.is_file() or path.suffix in _JOB_FILES else job
    done = cluster.run(work)
    if cluster.as_json:
        say_json(done.plain())
    else:
        say(f"{done.job_name}: {done.verdict}")
        rows = [
            (
                text(each.name or each.id),
                None if each.size is None else size(each.size),
                each.max_parallelism,
                done.verdict.of(each).value,
            )
            for each in done.verdict.held
        ]
        if rows:
            say("")
            say_table(_STATE, rows, right=("size", "max parallelism"))
    if done.refusal:
        fail(f"{done.job_name}: an update is refused: {done.refusal}.")


@app.command()
@grouped
def rehearse(
    cluster: ClusterOptions,
    file: Annotated[Path, typer.Argument(help="The job's file, with a rehearsal.")],
) -> None:
    """Run a copy of a job's new version on a savepoint of it; exit code 1 if it does not pass.

    The job goes on as it is, and the copy is ended.
    """

    async def work(plane: FlinkRest, target: FlinkTarget) -> Rehearsed:
        from flink_jobs_provider.cli.rehearse_command import rehearse

        return await rehearse(plane, target, file, lambda line: say(line, error=True))

    done = cluster.run(work)
    now = f"Job {done.job_id} goes on: this run has not stopped it."
    if done.passed:
        shown = f"{done.job_name}: the new version has passed its rehearsal. {now}"
        say_either(done.plain(), shown, as_json=cluster.as_json)
        return
    if cluster.as_json:
        say_json(done.plain())
    fail(f"{done.reason}. {now}")
