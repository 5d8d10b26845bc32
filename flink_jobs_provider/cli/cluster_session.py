"""A command's session with one cluster: its options, and errors as a line and an exit code."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import fail

if TYPE_CHECKING:
    from flink_jobs_provider.cli.gateway_client import GatewayAddress
    from flink_jobs_provider.cli.view_protocol import JobView
    from flink_jobs_provider.control_planes.flink.plane import FlinkRest
    from flink_jobs_provider.inspecting.job_choice import NamedJobs
    from flink_jobs_provider.model.errors import JobError
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

        async def session() -> T:
            target = _target(self.url, self.target_file)
            return await _on_flink(target, work)

        return _run(session(), interrupted)


@dataclass(frozen=True, kw_only=True)
class ViewOptions(ClusterOptions):
    """What a command that only reads is for: a cluster, or a gateway."""

    gateway: Annotated[
        str | None,
        typer.Option(
            "--gateway",
            metavar="URL",
            help="Address of a gateway, instead of a cluster's; its token is in "
            "FLINK_JOBS_GATEWAY_TOKEN.",
        ),
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="With a gateway: only this cluster, by key or name."),
    ] = None

    def view(self, work: Callable[[JobView], Awaitable[T]], *, interrupted: str = "") -> T:
        """Open a cluster or a gateway, do the work, close it; as `run` does."""

        async def session() -> T:
            address = self._gateway()
            if address is not None:
                return await _through(address, self.cluster, work)
            if self.cluster is not None:
                raise _needs_a_gateway()
            target = _target(self.url, self.target_file)

            async def on_flink(plane: FlinkRest, _target: FlinkTarget) -> T:
                from flink_jobs_provider.cli.flink_view import FlinkView

                return await work(FlinkView(plane))

            return await _on_flink(target, on_flink)

        return _run(session(), interrupted)

    def _gateway(self) -> GatewayAddress | None:
        """Return the gateway that is given by its address or its target file, or None."""
        if self.gateway is None:
            given = _read(self.target_file) if self.target_file else None
            is_gateway = isinstance(given, dict) and given.get("kind") == "gateway"
            return _gateway_of(given, f"{self.target_file}: ") if is_gateway else None
        # An address of the environment, or the default one, is for commands without --gateway.
        if self.target_file or self.url not in (DEFAULT_URL, os.environ.get("FLINK_JOBS_URL")):
            raise _one_place()
        return _gateway_of({"url": self.gateway}, "--gateway: ")


async def _on_flink(
    target: FlinkTarget, work: Callable[[FlinkRest, FlinkTarget], Awaitable[T]]
) -> T:
    from flink_jobs_provider.control_planes.connection import Clusters, environment

    clusters = Clusters(environment)
    try:
        return await work(clusters.of(target), target)
    finally:
        await clusters.close()


async def _through(
    address: GatewayAddress, cluster: str | None, work: Callable[[JobView], Awaitable[T]]
) -> T:
    from flink_jobs_provider.cli.gateway_client import GatewayClient
    from flink_jobs_provider.cli.gateway_view import GatewayView
    from flink_jobs_provider.control_planes.connection import environment

    client = GatewayClient.open(address, environment)
    try:
        return await work(GatewayView(client, cluster))
    finally:
        await client.close()


def _run(session: Coroutine[Any, Any, T], interrupted: str) -> T:
    import asyncio

    from flink_jobs_provider.model.errors import JobError

    try:
        return asyncio.run(session)
    except JobError as error:
        fail(str(error))
    except KeyboardInterrupt:
        if not interrupted:
            raise typer.Exit(130) from None
        fail(interrupted, code=130)


def _one_place() -> JobError:
    from flink_jobs_provider.model.errors import PermanentError

    return PermanentError("--gateway must not be given with --url or --target-file")


def _needs_a_gateway() -> JobError:
    from flink_jobs_provider.model.errors import PermanentError

    return PermanentError(
        "--cluster chooses among the clusters of a gateway, and none is given",
        remedy="Give its address (--gateway), or a target file of the kind gateway",
    )


def _gateway_of(given: Any, where: str) -> GatewayAddress:
    from pydantic import ValidationError

    from flink_jobs_provider.cli.gateway_client import GatewayAddress
    from flink_jobs_provider.gateway.setting_types import problems_of_settings
    from flink_jobs_provider.model.errors import InvalidFiles

    try:
        return GatewayAddress.model_validate(given)
    except ValidationError as error:
        problems = problems_of_settings(error, GatewayAddress.model_json_schema())
        raise InvalidFiles([(f"{where}{path}", why) for path, why in problems]) from None


def _target(url: str, file: Path | None) -> FlinkTarget:
    from flink_jobs_provider.model.errors import InvalidFiles, PermanentError
    from flink_jobs_provider.model.target import TARGETS

    if file is None:
        return _checked({"url": url}, lambda _path: "--url")
    given = _read(file)
    kind = given.get("kind") if isinstance(given, dict) else None
    service = TARGETS.get(str(kind))
    if service and service.is_job_service:
        raise PermanentError(
            f"{file} is a target of {service.label}, and this command speaks to Flink itself",
            remedy="If a gateway serves it, give the address of the Flink cluster behind it "
            "(--url), or to a command that only reads that of the gateway (--gateway); a job in a "
            "cloud is managed in its console",
        )
    if kind == "gateway":
        raise PermanentError(
            f"{file} is a gateway, and this command speaks to Flink itself",
            remedy="Give the address of the Flink cluster behind it (--url), or act by the "
            "gateway's job API or portal",
        )
    if kind not in (None, "flink"):
        raise InvalidFiles([(f"{file}: target.kind", f"must be flink (got {kind!r})")])
    return _checked(given, lambda path: f"{file}: {path}")


def _read(file: Path) -> Any:
    from flink_jobs_provider.model.errors import PermanentError
    from flink_jobs_provider.strict_yaml import UnreadableFile, read_yaml

    try:
        return read_yaml(file)
    except UnreadableFile as error:
        raise PermanentError(str(error)) from None


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
    from flink_jobs_provider.cli.known_owners import owners_known_in
    from flink_jobs_provider.inspecting.job_choice import named_jobs

    return await named_jobs(plane, owners_known_in(Path()))


async def chosen_job(plane: FlinkRest, wanted: str) -> tuple[NamedJobs, ObservedJob]:
    """Return the cluster's jobs, and the one that is meant."""
    from flink_jobs_provider.inspecting.job_choice import choose

    jobs = await named_here(plane)
    found = choose(jobs, wanted)[0]
    return jobs.with_name(found, wanted), found
