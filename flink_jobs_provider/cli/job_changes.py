"""`flink-jobs jobs watch`: the changes of jobs, from one list to the next."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from flink_jobs_provider.cli.printing import text
from flink_jobs_provider.cli.view_protocol import JobListing
from flink_jobs_provider.inspecting.listed_job import ListedJob
from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.model.savepoint import iso_time

#: What a job is shown as that is no longer listed.
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
        now = f"{arrow}{self.status}  {self.tasks}"
        return f"{self.at}  {text(self.job_name)}  {now}  {text(self.job_id)}"


class Watch:
    """Polls the job list, and reports each change.

    Args:
        list_jobs: Reads the list.
        on_change: Receives each change.
        warn: Receives a line when the jobs cannot be observed any more, and when they can again.
        pause: Waits until the next look.
        on_list: Receives the jobs of each list that is read, after its changes; and the same ones
            again while no list can be read.
    """

    def __init__(
        self,
        list_jobs: Callable[[], Awaitable[JobListing]],
        on_change: Callable[[Change], None],
        warn: Callable[[str], None],
        pause: Callable[[], Awaitable[None]],
        on_list: Callable[[Sequence[ListedJob]], None] = lambda _shown: None,
    ) -> None:
        self._list_jobs = list_jobs
        self._on_change = on_change
        self._warn = warn
        self._pause = pause
        self._on_list = on_list
        self._seen: dict[str, ListedJob] = {}
        self._problem = ""

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
            if jobs is None:
                self._on_list(list(self._seen.values()))
            else:
                shown = jobs.shown(wanted)
                if wanted and not shown and first:
                    raise jobs.unknown(wanted)
                self._report(shown, first=first)
                self._on_list(shown)
                if wanted and not any(job.active for job in shown):
                    if not shown:
                        raise jobs.vanished(wanted)
                    newest = max(shown, key=lambda job: job.started)
                    if first:  # it had ended before the watch began
                        self._on_change(_change(newest, None, newest.status))
                    return newest.status
                first = False
            await self._pause()

    async def _reached(self, *, may_fail: bool) -> JobListing | None:
        try:
            jobs = await self._list_jobs()
        except ClusterUnreachable as error:
            if may_fail:
                raise
            self._tell(error.happened)
            return None
        self._tell(jobs.problem)
        return jobs

    def _tell(self, problem: str) -> None:
        """Warn of a problem, and of its end, once."""
        if problem and not self._problem:
            self._warn(f"{problem} Watching goes on.")
        elif self._problem and not problem:
            self._warn("The cluster answers again.")
        self._problem = problem

    def _report(self, shown: Sequence[ListedJob], *, first: bool) -> None:
        for job in sorted(shown, key=lambda each: each.started):
            before = self._seen.get(job.key)
            known = _with_tasks(job, before)
            if before is None and first and not job.active:
                pass  # it had ended before the watch began; for a single job, its end is reported
            elif before is None or _looks(_with_tasks(before, known)) != _looks(known):
                self._on_change(_change(job, before.status if before else None, job.status))
            self._seen[job.key] = known
        listed = {job.key for job in shown}
        for key in [each for each in self._seen if each not in listed]:
            job = self._seen.pop(key)
            self._on_change(_change(job, job.status, _GONE))


def _with_tasks(job: ListedJob, other: ListedJob | None) -> ListedJob:
    """Return a job whose tasks are not observed with those that it had, or has by now.

    A cluster that is silent for a while changes no job.
    """
    if job.tasks is not None or other is None or other.job_id != job.job_id:
        return job
    return replace(job, tasks=other.tasks, running_tasks=other.running_tasks)


def _looks(job: ListedJob) -> tuple[str, str, int | None, int | None]:
    return job.job_id, job.status, job.running_tasks, job.tasks


def _change(job: ListedJob, before: str | None, status: str) -> Change:
    now = iso_time(time.time() * 1000)
    return Change(now, job.name, job.job_id, before, status, job.running)
