"""The jobs of a cluster as rows, and their changes, as the commands that only read show them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from flink_jobs_provider.cli.job_choice import NamedJobs
from flink_jobs_provider.control_planes.flink.inspection import (
    GATHERING_PAUSE_S,
    GATHERING_TRIES,
    Checkpoint,
    JobInspection,
    newest_completed,
)
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.model.errors import ClusterUnreachable, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.savepoint import is_checkpoint, iso_time
from flink_jobs_provider.reconciling.flink.observer import retention

T = TypeVar("T")
R = TypeVar("R")

#: Jobs whose details are asked for at once. Flink reports them job by job alone.
_AT_ONCE = 8


@dataclass(frozen=True)
class JobRow:
    """One job of a cluster, for people.

    Attributes:
        job_name: The name that its owner gave it; None for a job that is not ours.
        name: The name that the program gave itself.
        owner: Whose it is, or the digits for an owner that is unknown here; None if not ours.
        generation: Its submission's number; None for a job that is not ours.
        started_at: When it was submitted, in UTC.
        age: Seconds from then until now, or until it ended.
        restarts: How often it was restarted; None where the cluster does not report it.
        last_checkpoint_at: When its newest checkpoint completed, in UTC.
        last_checkpoint_age: Seconds since then.
    """

    job_name: str | None
    name: str
    status: str
    job_id: str
    owner: str | None
    generation: int | None
    parallelism: int | None
    started_at: str
    age: int
    restarts: int | None
    last_checkpoint_at: str | None
    last_checkpoint_age: int | None
    last_savepoint: str | None
    dashboard_url: str

    def plain(self) -> dict[str, Any]:
        """Return the row as plain JSON types."""
        return asdict(self)

    @property
    def title(self) -> str:
        """What the job is called, and whether it is ours."""
        return self.job_name or f"{self.name} (not ours)"


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
    name = jobs.job_name(job)
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
        owner=jobs.owner(job),
        generation=job.generation if name else None,
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


async def job_facts(plane: FlinkRest, jobs: NamedJobs, job: ObservedJob) -> dict[str, Any]:
    """Return all that `describe` shows of one job."""
    inspection = JobInspection(plane.client)
    rows, (statistics, history), retains, failure = await asyncio.gather(
        job_rows(plane, jobs, [job]),
        inspection.checkpoints(job.job_id),
        retention(plane, job.job_id),
        plane.failure(job.job_id),
    )
    newest = newest_completed(history)
    return {
        **rows[0].plain(),
        "tasks": f"{job.running_tasks} of {job.tasks} running",
        "restored_from": statistics.restored_from or None,
        "last_checkpoint": checkpoint_facts(newest) if newest else None,
        "retains_checkpoints": retains,
        "last_failure": failure or None,
    }


def checkpoint_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a checkpoint as plain JSON types."""
    return {
        "id": checkpoint.number,
        "kind": checkpoint.kind,
        "status": checkpoint.status,
        "triggered_at": iso_time(checkpoint.triggered),
        "completed_at": iso_time(checkpoint.completed) or None,
        "duration_ms": checkpoint.duration,
        "size_bytes": checkpoint.size,
        "path": checkpoint.path or None,
        "discarded": checkpoint.discarded,
        "failure": checkpoint.failure or None,
    }


def _seconds(since: int, until: int) -> int:
    return max(0, (until - since) // 1000)


#: What a job is shown as when the cluster no longer lists it.
_GONE = "not listed"


@dataclass(frozen=True)
class Change:
    """One change of one job, as the job list shows it.

    Attributes:
        at: When it was seen, in UTC.
        before: The status before; None for a job that was not seen before.
        tasks: How many of its tasks run, of how many.
    """

    at: str
    job_name: str
    job_id: str
    before: str | None
    status: str
    tasks: str

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)

    def line(self) -> str:
        """Return it as a line for people."""
        arrow = f"{self.before} → " if self.before and self.before != self.status else ""
        return f"{self.at}  {self.job_name}  {arrow}{self.status}  {self.tasks}  {self.job_id}"


class Watch:
    """Polls the job list, and reports each change.

    `warn` receives a line when the cluster becomes unreachable, and when it answers again.
    """

    def __init__(
        self,
        list_jobs: Callable[[], Awaitable[NamedJobs]],
        on_change: Callable[[Change], None],
        warn: Callable[[str], None],
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._list_jobs = list_jobs
        self._on_change = on_change
        self._warn = warn
        self._pause = pause
        self._seen: dict[str, tuple[ObservedJob, str]] = {}
        self._unreachable = ""

    async def run(self, wanted: str | None) -> str:
        """Watch all jobs until interrupted, or one until it has ended; return its final status.

        A job that is known by its name is watched over its submissions: a new one takes the place
        of the one that ended, if both are in the same list.

        Raises:
            PermanentError: No such job is listed, or it is no longer listed.
        """
        first = True
        while True:
            jobs = await self._reached(may_fail=first)
            if jobs is not None:
                shown = jobs.fitting(wanted) if wanted else list(jobs.snapshot.jobs)
                if wanted and not shown and first:
                    raise jobs.unknown(wanted)
                self._report(jobs, shown, first=first)
                if wanted and not any(job.active for job in shown):
                    if first:
                        self._report_end(jobs, _newest(shown))
                    return self._end(wanted, shown)
                first = False
            await self._pause()

    async def _reached(self, *, may_fail: bool) -> NamedJobs | None:
        try:
            jobs = await self._list_jobs()
        except ClusterUnreachable as error:
            if may_fail:
                raise
            if not self._unreachable:
                self._warn(f"{error.happened} Watching goes on.")
            self._unreachable = error.happened
            return None
        if self._unreachable:
            self._warn("The cluster answers again.")
            self._unreachable = ""
        return jobs

    def _report(self, jobs: NamedJobs, shown: list[ObservedJob], *, first: bool) -> None:
        now = iso_time(time.time() * 1000)
        for job in sorted(shown, key=lambda each: each.started):
            before = self._seen.get(job.job_id)
            name = jobs.job_name(job) or job.name
            if before is None and first and not job.active:
                pass  # it had ended before the watch began; for a single job, its end is reported
            elif before is None or _looks(before[0]) != _looks(job):
                status = before[0].status.value if before else None
                self._on_change(_change(now, name, job, status, job.status.value))
            self._seen[job.job_id] = (job, name)
        listed = {job.job_id for job in shown}
        for job_id in [each for each in self._seen if each not in listed]:
            job, name = self._seen.pop(job_id)
            self._on_change(_change(now, name, job, job.status.value, _GONE))

    def _end(self, wanted: str, shown: list[ObservedJob]) -> str:
        if not shown:
            raise PermanentError(
                f"{wanted}: the cluster no longer lists it, so how it ended is not known",
                remedy="Has its JobManager been restarted? `flink-jobs refresh` shows what its "
                "stack makes of it",
            )
        return _newest(shown).status.value

    def _report_end(self, jobs: NamedJobs, job: ObservedJob) -> None:
        """Report how a job ended that had done so before the watch began."""
        name = jobs.job_name(job) or job.name
        self._on_change(_change(iso_time(time.time() * 1000), name, job, None, job.status.value))


def _newest(shown: list[ObservedJob]) -> ObservedJob:
    return max(shown, key=lambda job: job.started)


def _looks(job: ObservedJob) -> tuple[str, int, int]:
    return job.status.value, job.running_tasks, job.tasks


def _change(now: str, name: str, job: ObservedJob, before: str | None, status: str) -> Change:
    tasks = f"{job.running_tasks}/{job.tasks} tasks"
    return Change(now, name, job.job_id, before, status, tasks)
