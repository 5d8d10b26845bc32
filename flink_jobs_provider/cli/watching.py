"""`flink-jobs jobs watch`: a line for each change that the job list of a cluster shows."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from flink_jobs_provider.cli.job_choice import NamedJobs
from flink_jobs_provider.model.errors import ClusterUnreachable, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.savepoint import iso_time

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

    Args:
        look: Returns the jobs of the cluster, with their names.
        tell: Receives each change, as it is observed.
        warn: Receives a line when the cluster becomes unreachable, and when it answers again.
        pause: Waits until the next poll.
    """

    def __init__(
        self,
        look: Callable[[], Awaitable[NamedJobs]],
        tell: Callable[[Change], None],
        warn: Callable[[str], None],
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._look = look
        self._tell = tell
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
                        self._tell_end(jobs, _newest(shown))
                    return self._end(wanted, shown)
                first = False
            await self._pause()

    async def _reached(self, *, may_fail: bool) -> NamedJobs | None:
        try:
            jobs = await self._look()
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
                self._tell(_change(now, name, job, status, job.status.value))
            self._seen[job.job_id] = (job, name)
        listed = {job.job_id for job in shown}
        for job_id in [each for each in self._seen if each not in listed]:
            job, name = self._seen.pop(job_id)
            self._tell(_change(now, name, job, job.status.value, _GONE))

    def _end(self, wanted: str, shown: list[ObservedJob]) -> str:
        if not shown:
            raise PermanentError(
                f"{wanted}: the cluster no longer lists it, so how it ended is not known",
                remedy="Has its JobManager been restarted? `flink-jobs refresh` tells what its "
                "stack makes of it",
            )
        return _newest(shown).status.value

    def _tell_end(self, jobs: NamedJobs, job: ObservedJob) -> None:
        """Report how a job ended that had done so before the watch began."""
        name = jobs.job_name(job) or job.name
        self._tell(_change(iso_time(time.time() * 1000), name, job, None, job.status.value))


def _newest(shown: list[ObservedJob]) -> ObservedJob:
    return max(shown, key=lambda job: job.started)


def _looks(job: ObservedJob) -> tuple[str, int, int]:
    return job.status.value, job.running_tasks, job.tasks


def _change(now: str, name: str, job: ObservedJob, before: str | None, status: str) -> Change:
    tasks = f"{job.running_tasks}/{job.tasks} tasks"
    return Change(now, name, job.job_id, before, status, tasks)
