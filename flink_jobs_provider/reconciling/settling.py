"""Seeing that a version stays up: that its tasks ran for a moment says little.

A task that fails on its first records, or whose source finds nobody to read from, runs before it
fails. So a version counts as up when it has run for its settle time without a restart. One that
comes to its own end within it did come up.
"""

from __future__ import annotations

import asyncio

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import ActionFailed, DeadlineExceeded
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.reconciling.waiting import Clock, Pauses, Waiter

#: How long a cluster that does not answer is waited for, in seconds.
_AWAY = 10.0


class Settler:
    """Watches jobs for their settle times."""

    def __init__(self, plane: ControlPlane, waiter: Waiter, clock: Clock) -> None:
        self._plane = plane
        self._waiter = waiter
        self._clock = clock

    async def until_settled(
        self, up: ObservedJob, settle: float, timeout: float, beside: asyncio.Task[None]
    ) -> None:
        """Return when a job has run for its settle time, or has come to its own end.

        A restart without an exception is a rescale: the time begins anew when all tasks run again.

        Args:
            up: The job as it was when all its tasks ran first.
            settle: The settle time, in seconds.
            timeout: Seconds that rescales may take altogether.
            beside: What is waited for at the same time; its failure ends this at once.

        Raises:
            ActionFailed: It did not stay up; the text is the reason.
        """
        began, pauses = self._clock.now(), Pauses.of_cluster(self._clock)
        deadline = began + settle + timeout
        while (left := began + settle - self._clock.now()) > 0:
            await pauses.take(left)
            job = await self._look(up.job_id, settle)
            if not job.active:
                return
            if beside.done():
                beside.result()
            if job.healthy and job.modified == up.modified:
                continue
            restarted = not job.healthy or job.finished_tasks == up.finished_tasks
            if cause := await self._waiter.cause(job, since=up.modified, surely=restarted):
                raise _not_up(settle, f"it failed after all its tasks ran: {cause}")
            if restarted:
                job = await self._again(job.job_id, deadline, settle)
                began = self._clock.now()
            up = job

    async def last_look(self, job_id: str, settle: float) -> ObservedJob:
        """Return a job as it is before it is recorded.

        Raises:
            ActionFailed: It is not up.
        """
        job = await self._look(job_id, settle)
        if not job.healthy:
            raise _not_up(settle, await self._waiter.reason(job))
        return job

    async def _look(self, job_id: str, settle: float) -> ObservedJob:
        """Return a job that has not ended, or came to its own end."""
        snapshot = await self._waiter.look(self._clock.now() + max(settle, _AWAY))
        job = snapshot.by_id.get(job_id)
        if job is None:
            raise _not_up(settle, f"the cluster no longer lists job {job_id}")
        if not job.active and not job.healthy:
            raise _not_up(settle, await self._waiter.reason(job))
        return job

    async def _again(self, job_id: str, deadline: float, settle: float) -> ObservedJob:
        """Return a job when all its tasks run again."""
        left = deadline - self._clock.now()
        if left <= 0:
            raise _not_up(settle, "it was rescaled again and again")
        try:
            snapshot = await self._waiter.until_running(job_id, left)
        except (ActionFailed, DeadlineExceeded) as error:
            raise _not_up(settle, error.reason) from None
        return snapshot.by_id[job_id]


def _not_up(settle: float, why: str) -> ActionFailed:
    """Return the error for a version that did not stay up."""
    return ActionFailed(did_not_stay_up(settle, why) if settle else why)


def did_not_stay_up(settle: float, why: str) -> str:
    """Say that a version did not stay up for its settle time, in seconds."""
    return f"it did not stay up for {settle:.0f} s: {why}"


def adopted_and_down(job_name: str, settle: float, why: str) -> ActionFailed:
    """Return the error for a version that an earlier run started, and that did not stay up."""
    return ActionFailed(
        f"{job_name}: it did not stay up for {settle:.0f} s: {why}",
        now="An earlier run started it; this one has begun nothing",
        remedy="Mend the job, and run again",
    )
