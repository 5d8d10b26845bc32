"""`flink-jobs adopt`: what runs on a cluster without a stack, and job files to adopt it by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flink_jobs_provider.cli.cluster_session import ClusterOptions, named_here
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import ago, fail, say, say_json, say_table

if TYPE_CHECKING:
    from flink_jobs_provider.cli.adoptable_jobs import AdoptableJob
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest
    from flink_jobs_provider.model.target import FlinkTarget

_HEADINGS = ("name", "status", "parallelism", "age", "job id")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("adopt")(grouped(adopt))


def adopt(
    cluster: ClusterOptions,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JOB]...", help="jobIds or names of jobs to write a file for."),
    ] = None,
    directory: Annotated[
        Path, typer.Option("--directory", "-d", help="Where job files are written.")
    ] = Path("jobs"),
) -> None:
    """List running jobs that no stack has; with JOBs, write the job files to adopt them by."""
    wanted = jobs or []

    async def work(plane: FlinkRest, _target: FlinkTarget) -> tuple[list[AdoptableJob], list[str]]:
        import asyncio

        from flink_jobs_provider.cli.adoptable_jobs import adoptable_jobs, write_job_files

        found = await adoptable_jobs(plane, await named_here(plane))
        if not wanted:
            return found, []
        chosen = [job for each in wanted for job in _chosen(found, each)]
        programs = await plane.entry_classes()
        return chosen, await asyncio.to_thread(write_job_files, chosen, programs, directory)

    found, files = cluster.run(work, interrupted="interrupted; nothing was changed on the cluster")
    if cluster.as_json:
        say_json({"jobs": [job.plain() for job in found], "files": files})
    elif files:
        for file in files:
            say(f"wrote {file}: fill in what has no value, and run flink-jobs up")
    elif found:
        rows = [(job.name, job.status, job.parallelism, ago(job.age), job.job_id) for job in found]
        say_table(_HEADINGS, rows, right=("parallelism", "age"))
    else:
        say("all jobs that run there are of a stack, of flink-jobs jobs start, or of a gateway")


def _chosen(found: list[AdoptableJob], wanted: str) -> list[AdoptableJob]:
    chosen = [job for job in found if wanted in (job.job_id, job.name)]
    if len(chosen) != 1:
        which = f"{len(chosen)} jobs are called {wanted}" if chosen else f"there is no {wanted}"
        fail(f"{which} among the jobs that can be adopted; flink-jobs adopt lists them")
    return chosen
