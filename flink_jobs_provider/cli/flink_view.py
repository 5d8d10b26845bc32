"""The jobs of a Flink cluster, read from Flink itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from flink_jobs_provider.cli.cluster_session import chosen_job, named_here
from flink_jobs_provider.cli.load_rows import LoadRow, load_rows
from flink_jobs_provider.control_planes.flink.inspection import JobInspection
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.inspecting.health_reading import health_facts, observations
from flink_jobs_provider.inspecting.job_choice import NamedJobs
from flink_jobs_provider.inspecting.job_rows import JobRow, job_facts, job_rows
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.documents import checkpoint_document, exception_document
from flink_jobs_provider.observing.named_metrics import JobMetrics, UnknownMetric

#: Seconds that a list may be old that two observations of one moment share.
_SAME = 1.0


class FlinkView:
    """Shows the jobs of one cluster.

    Args:
        plane: The cluster.
    """

    def __init__(self, plane: FlinkRest) -> None:
        self._plane = plane
        self._monitor = ClusterMonitor(plane.client)

    async def rows(self, *, ended: bool) -> list[JobRow]:
        """Return the active jobs, or all."""
        jobs = await named_here(self._plane)
        shown = [job for job in jobs.snapshot.jobs if job.active or ended]
        return await job_rows(self._plane, jobs, shown)

    async def described(self, job: str, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Observe a job for some seconds; return its facts, and its health as plain JSON types."""
        jobs, found = await chosen_job(self._plane, job)
        seen = await observations(self._plane.client, found.job_id, seconds)
        if seconds:
            jobs = (await named_here(self._plane)).with_name(found, job)
            found = jobs.snapshot.by_id.get(found.job_id, found)
        facts = await job_facts(self._plane, jobs, found)
        return facts.plain(), health_facts(seen)

    async def checkpoints(self, job: str) -> list[dict[str, Any]]:
        """Return the last checkpoints and savepoints of a job, newest first."""
        _, found = await chosen_job(self._plane, job)
        _, history = await JobInspection(self._plane.client).checkpoints(found.job_id)
        return list(map(checkpoint_document, history))

    async def exceptions(self, job: str, limit: int) -> list[dict[str, Any]]:
        """Return the exceptions of a job, newest first."""
        _, found = await chosen_job(self._plane, job)
        failures = await JobInspection(self._plane.client).exceptions(found.job_id, limit)
        return list(map(exception_document, failures))

    async def versions(self, job: str) -> list[dict[str, Any]]:
        """Raise: a cluster records no versions.

        Raises:
            PermanentError: Always.
        """
        raise _not_recorded(job)

    async def go_back(
        self, job: str, _version: str, _savepoint: str | None, _say: Callable[[str], None]
    ) -> dict[str, Any]:
        """Raise: a cluster records no versions.

        Raises:
            PermanentError: Always.
        """
        raise _not_recorded(job)

    async def metrics(self, job: str, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Return metrics of a job by their names, by default those that tell its health.

        Raises:
            UnknownMetric: There is no metric of a name.
        """
        _, found = await chosen_job(self._plane, job)
        try:
            rows = await JobMetrics(self._plane.client, found.job_id).rows(wanted)
        except UnknownMetric as error:
            error.complete(remedy="`flink-jobs jobs metrics JOB --names` lists those that it has")
            raise
        return [row.plain() for row in rows]

    async def metric_names(self, job: str) -> list[dict[str, Any]]:
        """Return the names of all metrics of a job, without values."""
        _, found = await chosen_job(self._plane, job)
        return [row.plain() for row in await JobMetrics(self._plane.client, found.job_id).named()]

    async def load(self, wanted: Collection[str]) -> list[LoadRow]:
        """Return the load of the active jobs, or of those that are wanted.

        Raises:
            PermanentError: No such job is listed.
        """
        jobs = await named_here(self._plane)
        shown = [job for job in jobs.snapshot.jobs if job.active]
        if wanted:
            fitting = {job.job_id for name in wanted for job in _fitting(jobs, name)}
            shown = [job for job in shown if job.job_id in fitting]
        return await load_rows(self._monitor, jobs, shown)

    async def listed(self) -> NamedJobs:
        """Return the list of jobs, with what it shows to need attention."""
        jobs, concerns = await asyncio.gather(
            named_here(self._plane), self._monitor.attention(_SAME)
        )
        attention = {
            job_id: tuple(each.concern.value for each in found)
            for job_id, found in concerns.items()
        }
        return replace(jobs, attention=attention)

    async def page(self, job: str) -> dict[str, Any]:
        """Return `job_name`, `job_id`, and the `url` of a job's page in Flink's dashboard."""
        jobs, found = await chosen_job(self._plane, job)
        url = self._plane.dashboard(found.job_id)
        return {"job_name": jobs.job_name(found) or found.name, "job_id": found.job_id, "url": url}


def _not_recorded(job: str) -> PermanentError:
    return PermanentError(
        f"{job}: a Flink cluster has no record of a job's versions",
        remedy="Name the stack that declares the job (--stack), or the gateway that has it on "
        "record (--gateway)",
    )


def _fitting(jobs: NamedJobs, wanted: str) -> list[ObservedJob]:
    found = jobs.fitting(wanted)
    if not found:
        raise jobs.unknown(wanted)
    return found
