"""The jobs of a cluster as rows, as the commands that only read show them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from flink_jobs_provider.control_planes.flink.inspection import (
    GATHERING_PAUSE_S,
    GATHERING_TRIES,
    JobInspection,
    newest_completed,
)
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.inspecting.job_choice import NamedJobs
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.savepoint import is_checkpoint, iso_time
from flink_jobs_provider.observing.documents import checkpoint_document
from flink_jobs_provider.reconciling.flink.observer import retention

T = TypeVar("T")
R = TypeVar("R")

#: Jobs whose details are asked for at once. Flink reports them job by job alone.
_AT_ONCE = 8


@dataclass(frozen=True)
class JobRow:
    """One job of a cluster, for people.

    Attributes:
        job_name: The name that its owner gave it; None for a job that is not ours, and where its
            name is unknown.
        name: The name that the program gave itself.
        owner: Whose it is, or the digits for an owner that is unknown here; None if not ours.
        generation: Its submission's number; None for a job that is not ours.
        started_at: When it was submitted, in UTC.
        age: Seconds from then until now, or until it ended; None where it was never submitted.
        restarts: How often it was restarted; None where the cluster does not report it.
        last_checkpoint_at: When its newest checkpoint completed, in UTC.
        last_checkpoint_age: Seconds since then.
        dashboard_url: Its page in Flink's dashboard, or in a gateway's portal; None where there
            is none.
        problem: Why it is shown as it was last seen, a sentence; None where it was observed.
    """

    job_name: str | None
    name: str
    status: str
    job_id: str
    owner: str | None
    generation: int | None
    parallelism: int | None
    started_at: str
    age: int | None
    restarts: int | None
    last_checkpoint_at: str | None
    last_checkpoint_age: int | None
    last_savepoint: str | None
    dashboard_url: str | None
    problem: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the row as plain JSON types."""
        return asdict(self)

    @property
    def title(self) -> str:
        """What the job is called, and whether it is ours."""
        return self.job_name or f"{self.name} ({'name unknown' if self.owner else 'not ours'})"


@dataclass(frozen=True, kw_only=True)
class JobFacts(JobRow):
    """One job of a cluster, with where its state is and why it failed.

    Attributes:
        tasks: How many of its tasks run.
        restored_from: The savepoint or checkpoint that it started from.
        last_checkpoint: Its newest completed checkpoint: number, times, size, path.
        retains_checkpoints: Whether its checkpoints outlast a cancel.
        last_failure: Its last cause of failure, as its cluster has it.
    """

    tasks: str
    restored_from: str | None
    last_checkpoint: dict[str, Any] | None
    retains_checkpoints: bool | None
    last_failure: str | None


async def job_rows(plane: FlinkRest, jobs: NamedJobs, shown: Sequence[ObservedJob]) -> list[JobRow]:
    """Return rows of jobs, in the order of their names, the newest submission first."""
    inspection = JobInspection(plane.client)
    now = await inspection.clock()
    ordered = sorted(shown, key=lambda job: (jobs.job_name(job) or f"~{job.name}", -job.started))
    return await bounded(ordered, lambda job: _row(plane, inspection, jobs, job, now))


async def bounded(items: Sequence[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """Do the same work for many jobs, a few at a time; return the results in their order."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(item: T) -> R:
        async with slots:
            return await work(item)

    return list(await asyncio.gather(*map(one, items)))


async def _row(
    plane: FlinkRest, inspection: JobInspection, jobs: NamedJobs, job: ObservedJob, now: int
) -> JobRow:
    name, owner = jobs.job_name(job), jobs.owner(job)
    parallelism, restarts, (statistics, history) = await asyncio.gather(
        plane.parallelism(job.job_id),
        _restarts(inspection, job),
        inspection.checkpoints(job.job_id),
    )
    savepoint = statistics.savepoint or statistics.restored_from
    checkpoint = newest_completed(history)
    return JobRow(
        job_name=name,
        name=job.name,
        status=job.status.value,
        job_id=job.job_id,
        owner=owner,
        generation=job.generation if owner else None,
        parallelism=parallelism,
        started_at=iso_time(job.started),
        age=_seconds(job.started, job.ended or now),
        restarts=restarts,
        last_checkpoint_at=iso_time(checkpoint.completed) if checkpoint else None,
        last_checkpoint_age=_seconds(checkpoint.completed, now) if checkpoint else None,
        last_savepoint=savepoint if savepoint and not is_checkpoint(savepoint) else None,
        dashboard_url=plane.dashboard(job.job_id),
    )


async def _restarts(inspection: JobInspection, job: ObservedJob) -> int | None:
    if not job.active:
        return None  # its metrics went with it
    for _ in range(GATHERING_TRIES):
        restarts = await inspection.restarts(job.job_id)
        if restarts is not None:
            return restarts
        await asyncio.sleep(GATHERING_PAUSE_S)
    return None


async def job_facts(plane: FlinkRest, jobs: NamedJobs, job: ObservedJob) -> JobFacts:
    """Return all that `describe` shows of one job, but for its health."""
    inspection = JobInspection(plane.client)
    rows, (statistics, history), retains, failure = await asyncio.gather(
        job_rows(plane, jobs, [job]),
        inspection.checkpoints(job.job_id),
        retention(plane, job.job_id),
        plane.failure(job.job_id),
    )
    newest = newest_completed(history)
    return JobFacts(
        **rows[0].plain(),
        tasks=f"{job.running_tasks} of {job.tasks} running",
        restored_from=statistics.restored_from or None,
        last_checkpoint=checkpoint_document(newest) if newest else None,
        retains_checkpoints=retains,
        last_failure=failure or None,
    )


def _seconds(since: int, until: int) -> int:
    return max(0, (until - since) // 1000)
