"""A command's session with one cluster: its options, and errors as a line and an exit code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import fail

if TYPE_CHECKING:
    from flink_jobs_provider.cli.job_choice import NamedJobs
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest
    from flink_jobs_provider.model.observation import ObservedJob
    from flink_jobs_provider.model.target import FlinkTarget

T = TypeVar("T")

DEFAULT_URL = "http://127.0.0.1:8081"
JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="Its job_name, jobId (or first digits), or name.")
]


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """The cluster that a command is for, and whether it prints JSON."""

    url: Annotated[
        str, typer.Option(envvar="FLINK_JOBS_URL", help="Address of the cluster's REST API.")
    ] = DEFAULT_URL
    target_file: Annotated[
        Path | None,
        typer.Option(
            "--target-file",
            help="YAML file with the whole target of a Flink session cluster: url, basic_auth, "
            "tls, …",
        ),
    ] = None
    as_json: JsonOption = False

    def run(
        self,
        work: Callable[[FlinkRest, FlinkTarget], Awaitable[T]],
        interrupted: str = "interrupted; what was asked for goes on, on the cluster",
    ) -> T:
        """Open a cluster, do the work, close it; on an error print it and exit with code 1.

        After Ctrl-C `interrupted` is printed; where it is empty, there is only the exit code.
        """
        import asyncio

        from flink_jobs_provider.control_planes.connection import Clusters, environment
        from flink_jobs_provider.model.errors import JobError

        async def session() -> T:
            target = _target(self.url, self.target_file)
            clusters = Clusters(environment)
            try:
                return await work(clusters.of(target), target)
            finally:
                await clusters.close()

        coroutine: Coroutine[Any, Any, T] = session()
        try:
            return asyncio.run(coroutine)
        except JobError as error:
            fail(str(error))
        except KeyboardInterrupt:
            if not interrupted:
                raise typer.Exit(130) from None
            fail(interrupted, code=130)


def _target(url: str, file: Path | None) -> FlinkTarget:
    from flink_jobs_provider.model.errors import InvalidFiles, PermanentError
    from flink_jobs_provider.model.target import TARGETS
    from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

    if file is None:
        return _checked({"url": url}, lambda _path: "--url")
    try:
        given = read_yaml(file)
    except UnreadableFile as error:
        raise PermanentError(str(error)) from None
    kind = given.get("kind") if isinstance(given, dict) else None
    service = TARGETS.get(str(kind))
    if service and service.is_job_service:
        raise PermanentError(
            f"{file} is a target of {service.label}, and this command speaks to Flink itself",
            remedy="If a gateway serves it, give the address of the Flink cluster behind it "
            "(--url); a job in a cloud is managed in its console",
        )
    if kind not in (None, "flink"):
        raise InvalidFiles([(f"{file}: target.kind", f"must be flink (got {kind!r})")])
    return _checked(given, lambda path: f"{file}: {path}")


def _checked(given: Any, named: Callable[[str], str]) -> FlinkTarget:
    """Return a target; its problems are worded as in a job's own check."""
    from flink_jobs_provider.model.errors import InvalidFiles
    from flink_jobs_provider.model.target import FlinkTarget
    from flink_jobs_provider.model.validation import problems_of

    problems = [
        (named(path), why)
        for path, why in problems_of({"target": given})
        if path.startswith("target")
    ]
    if problems:
        raise InvalidFiles(problems)
    return FlinkTarget.model_validate(given)


async def named_here(plane: FlinkRest) -> NamedJobs:
    """Return the cluster's jobs, with the names and owners that are known here."""
    from flink_jobs_provider.cli.job_choice import named_jobs, owners_known_in

    return await named_jobs(plane, owners_known_in(Path()))


async def chosen_job(plane: FlinkRest, wanted: str) -> tuple[NamedJobs, ObservedJob]:
    """Return the cluster's jobs, and the one that is meant."""
    from flink_jobs_provider.cli.job_choice import choose

    jobs = await named_here(plane)
    return jobs, choose(jobs, wanted)[0]
