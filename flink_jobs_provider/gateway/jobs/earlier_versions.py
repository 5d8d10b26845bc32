"""A request for an earlier version of a job: the inputs and the jar that it had."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.gateway.job_history import JobVersion
from flink_jobs_provider.gateway.job_service import ActionRequest, JobFacts
from flink_jobs_provider.gateway.jobs.gateway_process import GatewayProcess
from flink_jobs_provider.gateway.refusals import ACTION_WORDS, Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.errors import JarError

#: The inputs of a job that are those of a version; a restart's trigger is each action's own.
OF_VERSION = ("jar", "entry_class", "args", "parallelism", "flink_configuration")


async def of_version(
    process: GatewayProcess, request: ActionRequest, cluster: ClusterConfiguration, latest: float
) -> tuple[ActionRequest, Jar]:
    """Return the request with the inputs of an earlier version, and that version's jar.

    Raises:
        Refusal: There is no such version, or its jar is nowhere any more.
    """
    job = await process.ask(process.store.live_job, cluster.key, request.job_name)
    found = (
        await process.ask(process.store.versions_of, job.number, 1, request.version) if job else []
    )
    if job is None or not found:
        raise no_version(request.job_name, request.version)
    version = found[0]
    uri = str(version.inputs.get("jar"))
    try:
        async with asyncio.timeout(latest - time.monotonic()):
            jar = await process.opener.find(uri, version.jar_digest)
    except (JarError, TimeoutError) as error:
        reason = error.worded(ACTION_WORDS) if isinstance(error, JarError) else "it took long."
        raise Refusal(
            "InvalidParameter",
            f"The jar of that version (SHA-256 {version.jar_digest[:12]}…) is unavailable: "
            f"{reason} Nothing was begun.",
            target="version",
        ) from None
    return with_inputs_of(request, job, version), replace(jar, uri=uri)


def with_inputs_of(request: ActionRequest, job: JobFacts, version: JobVersion) -> ActionRequest:
    """Return a request for an earlier version of a job as one that gives its inputs."""
    inputs = {name: version.inputs.get(name) for name in OF_VERSION}
    gone = dict.fromkeys(set(job.as_given) - set(version.as_given))
    return replace(
        request,
        run_id=job.run_id,
        version="",
        changes={**inputs, **request.changes},
        as_given={**gone, **version.as_given},
    )


def no_version(job_name: str, version: str) -> Refusal:
    """Return the refusal of a request for a version that is not on record."""
    return Refusal(
        "InvalidParameter",
        f"Job {job_name} has no version {version} on record.",
        target="version",
    )
