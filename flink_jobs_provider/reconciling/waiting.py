"""Waiting until a job is really so: what to look at, and what it must look like.

A job has come up when all its tasks run: RUNNING alone is said before any task does. One that
finished by itself did come up. It has failed to when it ended otherwise, when the cluster no
longer lists it, or when it was restarted `_RESTARTS` times without coming up: with checkpointing,
Flink 2 restarts for ever by default.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, ClusterUnreachable, DeadlineExceeded
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
#: The longest pause between looks at a job service, in seconds.
LONGEST_PAUSE = 5.0
_RESTARTS = 3
#: How much longer than Flink's cache of a job an exception may take to show, in seconds.
_CACHE_MARGIN = 0.5
#: A reason is not waited for any longer than this, in seconds, whatever the cluster's interval.
_LONGEST_CACHE = 30.0


@dataclass(frozen=True)
class Clock:
    """Time as the waiters see it; tests bring their own.

    Attributes:
        now: Seconds that only ever grow.
        wall: Seconds since the epoch.
        sleep: Waits that many seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wall: Callable[[], float] = time.time


class Pauses:
    """The pauses between looks: each longer than the one before, up to a longest one."""

    def __init__(self, clock: Clock, first: float, longest: float, growth: float) -> None:
        self._clock = clock
        self._next = first
        self._longest = longest
        self._growth = growth

    @classmethod
    def of_cluster(cls, clock: Clock) -> Pauses:
        """Return the pauses between looks at a Flink cluster."""
        return cls(clock, _FIRST_PAUSE, _LONGEST_PAUSE, 1.3)

    @classmethod
    def of_service(cls, clock: Clock) -> Pauses:
        """Return the pauses between looks at a job service."""
        return cls(clock, 0.05, LONGEST_PAUSE, 1.5)

    async def take(self, left: float = float("inf")) -> None:
        """Wait until the next look is due, but no longer than the seconds that are left."""
        await self._clock.sleep(min(self._next, max(left, _FIRST_PAUSE)))
        self._next = min(self._next * self._growth, self._longest)


async def once_reachable(
    ask: Callable[[], Awaitable[T]], deadline: float, clock: Clock, pause: float
) -> T:
    """Return an answer; what cannot be reached for a moment is asked again until a deadline."""
    while True:
        try:
            return await ask()
        except ClusterUnreachable:
            if clock.now() >= deadline:
                raise
            await clock.sleep(pause)


class Coming(Enum):
    """What becomes of a submission whose `main` was left running."""

    SHOWN = auto()
    #: No `main` runs on the cluster any more, and the job is not listed.
    NEVER = auto()
    MAIN_RUNS = auto()
    #: The cluster does not show what its JobManager runs.
    UNKNOWN = auto()


class Waiter:
    """Polls the cluster's job list until a job is as it should be."""

    def __init__(self, plane: ControlPlane, clock: Clock) -> None:
        self._plane = plane
        self._clock = clock

    async def until_running(self, job_id: str, timeout: float) -> ClusterSnapshot:
        """Wait until all tasks run; return the list in which they do.

        Raises:
            ActionFailed: The job will not come up; the text is the reason that Flink gives.
            DeadlineExceeded: It has not come up yet; the text says how far it is.
        """
        deadline, pauses = self._clock.now() + timeout, Pauses.of_cluster(self._clock)
        restarts, was_restarting = 0, False
        while True:
            snapshot = await self.look(deadline)
            job = snapshot.by_id.get(job_id)
            if job is None:
                raise ActionFailed(f"job {job_id} was accepted, and the cluster no longer lists it")
            if job.healthy:
                return snapshot
            restarting = job.status is JobStatus.RESTARTING
            restarts += restarting and not was_restarting
            was_restarting = restarting
            if not job.active or restarts >= _RESTARTS:
                raise ActionFailed(await self.reason(job))
            if self._clock.now() >= deadline:
                raise DeadlineExceeded(
                    f"after {timeout:.0f} s the job is {job.state}, with {job.running_tasks} of "
                    f"{job.tasks} tasks running{await self._because(job)}"
                )
            await pauses.take()

    async def until_shown(
        self,
        shown: Callable[[ClusterSnapshot], bool],
        timeout: float,
        passed_over: frozenset[str] = frozenset(),
    ) -> Coming:
        """Wait until the cluster lists a job that was submitted, or it is seen that it cannot.

        Args:
            shown: Whether a list has the job.
            timeout: For how many seconds.
            passed_over: What names each `main` that is not waited for. Nor are those that begin
                from now on, which are of other submissions.
        """
        deadline, pauses = self._clock.now() + timeout, Pauses.of_cluster(self._clock)
        first: frozenset[str] | None = None
        while True:
            # In this order: a `main` that ends between the two looks has its job listed.
            mains = await self._plane.running_mains()
            if first is None and mains is not None:
                first = mains - passed_over
            if shown(await self.look(deadline)):
                return Coming.SHOWN
            left = None if mains is None or first is None else mains & first
            if left == frozenset():
                return Coming.NEVER
            if self._clock.now() >= deadline:
                self._plane.outlasting |= left or frozenset()
                return Coming.MAIN_RUNS if left else Coming.UNKNOWN
            await pauses.take()

    async def until_ended(self, job_id: str, timeout: float) -> ObservedJob | None:
        """Wait until a job has ended; return its row, none where it is no longer listed.

        Raises:
            DeadlineExceeded: It has not ended yet.
        """
        deadline, pauses = self._clock.now() + timeout, Pauses.of_cluster(self._clock)
        while True:
            job = (await self.look(deadline)).by_id.get(job_id)
            if job is None or not job.active:
                return job
            if self._clock.now() >= deadline:
                raise DeadlineExceeded(f"after {timeout:.0f} s job {job_id} is still {job.state}")
            await pauses.take()

    async def cause(self, job: ObservedJob, since: int = 0, surely: bool = False) -> str:
        """Return why a job failed, empty where Flink does not say.

        Flink may show a job as it was before it failed (web.refresh-interval, 3 s by default).

        Args:
            job: The job.
            since: What failed before is left aside, in milliseconds by the cluster's clock.
            surely: Whether it has failed or was restarted, though it may run again.
        """
        cached = min((await self._plane.facts()).job_cache, _LONGEST_CACHE) + _CACHE_MARGIN
        failed = surely or job.state == "FAILED"
        deadline = self._clock.now() + (cached if failed else 0.0)
        cause = await self._plane.failure(job.job_id, since)
        while not cause and self._clock.now() < deadline:
            await self._clock.sleep(_LONGEST_PAUSE)
            cause = await self._plane.failure(job.job_id, since)
        return cause

    async def look(self, deadline: float) -> ClusterSnapshot:
        """Read the list; a cluster that does not answer for a moment is waited for."""
        return await once_reachable(self._plane.jobs, deadline, self._clock, _LONGEST_PAUSE)

    async def reason(self, job: ObservedJob) -> str:
        """Return how a job is, and why."""
        cause = await self.cause(job)
        return f"the job is {job.state}" + (f": {cause}" if cause else "")

    async def _because(self, job: ObservedJob) -> str:
        cause = await self._plane.failure(job.job_id)
        return f" ({cause})" if cause else ""
