"""Watching one job of a service that takes single steps, until a step has had its effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flink_jobs_provider.control_planes.action_plane import Unanswered
from flink_jobs_provider.control_planes.step_plane import Configuration, StepJob, StepPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import DeadlineExceeded
from flink_jobs_provider.reconciling.conditions import Condition, Observation
from flink_jobs_provider.reconciling.dli.conditions import (
    SavepointEnded,
    StartEnded,
    StaysActive,
    StepEnded,
    StopEnded,
    TakenOver,
    described,
)
from flink_jobs_provider.reconciling.service_loop import (
    ARRIVES,
    AWAY_PAUSE,
    SETTLES,
    Gone,
    Idle,
    There,
    until_idle,
)
from flink_jobs_provider.reconciling.waiter import Backoff, Clock, Waiter, service_backoff


class StepWatch:
    """Reads a job until it is as it should be."""

    def __init__(self, plane: StepPlane, clock: Clock, say: Callable[[str], None]) -> None:
        self._plane = plane
        self._clock = clock
        self._waiter = Waiter(clock, say)

    async def until_up(
        self, before: StepJob, sent: float, timeout: float, unanswered: Unanswered | None = None
    ) -> StepJob | None:
        """Wait for the end of a start: the job runs, or does not come up; None for one gone."""
        tells_starts = self._plane.capabilities.tells_starts
        ended = StartEnded(before, tells_starts, unanswered.reason if unanswered else "")
        return await self._until_ended(ended, sent, timeout, "the start")

    async def until_settled(self, job: StepJob, settle: float) -> StepJob | None:
        """Watch a job that came up for its settle time.

        Returns:
            The job as it is then; as it has ended, if it has; or as somebody has begun something
            else on it. None for one that is gone.
        """
        return await self._until(
            job.run_id, StaysActive(settle), settle + SETTLES, job, job.job_name
        )

    async def until_down(
        self,
        before: StepJob,
        sent: float,
        timeout: float,
        savepoint: bool,
        unanswered: Unanswered | None = None,
    ) -> StepJob | None:
        """Wait for the end of a stop: the job has ended, or goes on; None for one that is gone."""
        tells_starts = self._plane.capabilities.tells_starts
        why = unanswered.reason if unanswered else ""
        ended = StopEnded(before, tells_starts, why, savepoint)
        return await self._until_ended(ended, sent, timeout, "the stop")

    async def until_saved(self, before: StepJob, sent: float, timeout: float) -> StepJob | None:
        """Wait for the end of a savepoint while the job goes on; None for a job that is gone."""
        return await self._until_ended(SavepointEnded(before), sent, timeout, "the savepoint")

    async def until_idle(self, job: StepJob, timeout: float) -> None:
        """Return when nothing is in progress on a job, and its status is a known one.

        Raises:
            ActionInProgress: Something still is.
            DeadlineExceeded: Its status is still one that is unknown.
        """
        await until_idle(
            self._waiter,
            lambda deadline: self._job(job.run_id, deadline),
            timeout,
            job.job_name,
            going_on=lambda found: f"{described(found)}, and that",
            described=described,
        )

    async def shortly_after(self, job: StepJob) -> StepJob | None:
        """Return a job when nothing is in progress on it, or as it is after a while."""
        return await self._until(job.run_id, Idle(known=False), SETTLES, job)

    async def until_gone(self, job: StepJob, timeout: float) -> bool:
        """Wait until a job is no longer there; return whether it is not."""
        return await self._until(job.run_id, Gone(), timeout, about=job.job_name) is None

    async def until_there(self, run_id: str) -> StepJob | None:
        """Wait a while for a job that was just created; return it when it shows."""
        return await self._until(run_id, There(), SETTLES)

    async def until_found(
        self, find: Callable[[], Awaitable[StepJob | None]], backoff: Backoff
    ) -> bool:
        """Wait for a job whose creation was not answered; return whether it shows."""

        async def observe(_deadline: float) -> StepJob | None:
            return await find()

        return (await self._waiter.until(observe, There(), ARRIVES, backoff=backoff)).met

    async def until_taken(
        self, run_id: str, written: Configuration, former: Configuration
    ) -> list[str]:
        """Wait a while for a job to show what was written; return what it shows otherwise."""

        async def observe(deadline: float) -> tuple[str, ...]:
            job = await self._job(run_id, deadline)
            return tuple(self._plane.not_taken(written, job, former)) if job else ()

        waited = await self._waiter.until(observe, TakenOver(), SETTLES, backoff=service_backoff())
        return list(waited.last)

    async def _until(
        self,
        run_id: str,
        condition: Condition[StepJob | None],
        timeout: float,
        first: StepJob | None = None,
        about: str = "",
    ) -> StepJob | None:
        """Return a job as it is when a condition holds, or the time is up."""
        now = self._clock.now()
        waited = await self._waiter.until(
            lambda deadline: self._job(run_id, deadline),
            condition,
            timeout,
            backoff=service_backoff(),
            first=[Observation[StepJob | None](first, now, now)] if first else [],
            about=about,
        )
        return waited.last

    async def _until_ended(
        self, ended: StepEnded, sent: float, timeout: float, what: str
    ) -> StepJob | None:
        """Read a job until a step has ended.

        Args:
            ended: Whether it has.
            sent: When the step was sent.
            timeout: How long it may take, in seconds.
            what: The step, for messages.

        Raises:
            DeadlineExceeded: It has not ended yet, or has not shown.
        """
        before = ended.before
        waited = await self._waiter.until(
            lambda deadline: self._job(before.run_id, deadline),
            ended,
            sent + timeout - self._clock.now(),
            backoff=service_backoff(),
            about=before.job_name,
        )
        if waited.failed:
            raise DeadlineExceeded(
                f"{before.job_name}: {what} was not answered ({ended.unanswered}) and has "
                f"not shown in {ARRIVES:.0f} s: {waited.reason}",
                now="Whether it was taken is not known; nothing else was begun",
                remedy="Run again: what became of it is read from the job",
            )
        if not waited.met:
            raise DeadlineExceeded(
                f"{before.job_name}: {what} has not ended in {timeout:.0f} s: {waited.reason}",
                now="It may go on, in the job service; nothing else was begun",
                remedy="Run again to wait for it, or raise timeouts",
            )
        return waited.last

    async def _job(self, run_id: str, deadline: float) -> StepJob | None:
        """Read a job; a service that does not answer for a while is waited for."""

        async def read() -> StepJob | None:
            return await self._plane.job(run_id)

        return await self._waiter.reach(read, deadline, AWAY_PAUSE)


def steps_of(action: Action | None) -> tuple[str, ...]:
    """Return the steps of `Timeouts` that something in progress takes."""
    if action is Action.STOP:
        return ("savepoint", "cancel")
    return ("savepoint",) if action is Action.SAVEPOINT else ("submit", "running")
