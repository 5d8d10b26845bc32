"""Waiting until a step has really had its effect: the job itself shows that.

That a step was accepted says nothing. What is shown may be as before for a while, or a word that
nobody knows: all that is waited on, and never taken for done, or for gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flink_jobs_provider.control_planes.action_plane import Unanswered
from flink_jobs_provider.control_planes.step_plane import Configuration, StepJob, StepPlane
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionInProgress, DeadlineExceeded
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.reconciling.waiting import (
    LONGEST_PAUSE,
    Clock,
    Pauses,
    once_reachable,
)

#: How long a job that looks as before a step is taken for one that is not up to date.
_SETTLES = 30.0
#: How long a step that was not answered is given to show.
_ARRIVES = 60.0
#: Words that say nothing of how a start went: the job may just not have been seen to move.
_SILENT = ("job_init", "job_cancel_success")


@dataclass(frozen=True)
class Look:
    """How a job is at one moment after a step.

    Attributes:
        job: The job.
        before: As it was before the step.
        moved: Whether something has been in progress on it since.
        settled: Whether what is shown has had some time to be up to date. That it then is, is sure
            only of a system that tells starts: a step that has not shown there will not any more.
    """

    job: StepJob
    before: StepJob
    moved: bool
    settled: bool

    @property
    def quiet(self) -> bool:
        """Whether nothing is in progress on it, and its status is known."""
        return not self.job.in_progress and self.job.status is not None

    @property
    def told(self) -> bool:
        """Whether the step has shown: something was in progress, or the job shows another thing."""
        return self.moved or _facts(self.job) != _facts(self.before)


class StepWaiter:
    """Reads a job until it is as it should be."""

    def __init__(self, plane: StepPlane, clock: Clock) -> None:
        self._plane = plane
        self._clock = clock

    async def until_up(
        self,
        before: StepJob,
        sent: float,
        timeout: float,
        unanswered: Unanswered | None = None,
    ) -> StepJob | None:
        """Wait for the end of a start: the job runs, or does not come up; none for one gone."""

        def ended(look: Look) -> bool:
            if look.job.active:
                return look.quiet
            if look.job.status_word in _SILENT and not self._plane.capabilities.tells_starts:
                return look.quiet and (look.moved or look.job.started != look.before.started)
            return look.quiet and self._has_shown(look)

        return await self._until(ended, before, sent, timeout, "the start", unanswered)

    async def until_settled(self, job: StepJob, settle: float) -> StepJob | None:
        """Watch a job that came up for its settle time.

        Returns:
            The job as it is then; as it has ended, if it has; or as somebody has begun something
            else on it. None for one that is gone.
        """
        began, pauses, found = self._clock.now(), Pauses.of_service(self._clock), job
        while (left := began + settle - self._clock.now()) > 0:
            await pauses.take(left)
            now = await self._look(job.run_id, began + settle + _SETTLES)
            if now is None:
                return None
            found = now
            if found.in_progress or (found.status is not None and not found.active):
                break
        return found

    async def until_down(
        self,
        before: StepJob,
        sent: float,
        timeout: float,
        savepoint: bool,
        unanswered: Unanswered | None = None,
    ) -> StepJob | None:
        """Wait for the end of a stop: the job has ended, or goes on; none for one that is gone."""

        def ended(look: Look) -> bool:
            if not look.quiet or look.job.active:
                return look.quiet and self._has_shown(look)
            lags = savepoint and look.job.status is JobStatus.CANCELED
            return look.settled or not lags or has_new_savepoint(look.job, look.before)

        return await self._until(ended, before, sent, timeout, "the stop", unanswered)

    async def until_saved(self, before: StepJob, sent: float, timeout: float) -> StepJob | None:
        """Wait for the end of a savepoint while the job goes on; none for a job that is gone."""

        def ended(look: Look) -> bool:
            new = has_new_savepoint(look.job, before)
            return look.quiet and (new or look.told or look.settled)

        return await self._until(ended, before, sent, timeout, "the savepoint")

    async def until_idle(self, job: StepJob, timeout: float) -> None:
        """Return when nothing is in progress on a job, and its status is a known one.

        Raises:
            ActionInProgress: Something still is.
            DeadlineExceeded: Its status is still a word that nobody knows.
        """
        began, pauses = self._clock.now(), Pauses.of_service(self._clock)
        while True:
            found = await self._look(job.run_id, began + timeout)
            if found is None or (not found.in_progress and found.status is not None):
                return
            if self._clock.now() - began >= timeout:
                if found.in_progress:
                    raise ActionInProgress(
                        f"{job.job_name}: {described(found)}, and that has not ended in "
                        f"{timeout:.0f} s",
                        now="It goes on, in the job service; nothing else was begun",
                        remedy="Run again when it has ended",
                    )
                raise DeadlineExceeded(
                    f"{job.job_name}: nobody knows what it does: {described(found)}",
                    now="Nothing was changed",
                    remedy="Run again later; or look after it by hand",
                )
            await pauses.take()

    async def shortly_after(self, job: StepJob) -> StepJob | None:
        """Return a job when nothing is in progress on it, or as it is after a while."""
        began, pauses, found = self._clock.now(), Pauses.of_service(self._clock), job
        while found.in_progress and self._clock.now() - began < _SETTLES:
            await pauses.take()
            now = await self._look(job.run_id, began + _SETTLES)
            if now is None:
                return None
            found = now
        return found

    async def until_gone(self, job: StepJob, timeout: float) -> bool:
        """Wait until a job is no longer there; return whether it is not."""
        began, pauses = self._clock.now(), Pauses.of_service(self._clock)
        while await self._look(job.run_id, began + timeout) is not None:
            if self._clock.now() - began >= timeout:
                return False
            await pauses.take()
        return True

    async def until_there(self, run_id: str) -> StepJob | None:
        """Wait a while for a job that was just created; return it when it shows."""
        began, pauses = self._clock.now(), Pauses.of_service(self._clock)
        while True:
            job = await self._look(run_id, began + _SETTLES)
            if job is not None or self._clock.now() - began >= _SETTLES:
                return job
            await pauses.take()

    async def until_taken(
        self, run_id: str, written: Configuration, former: Configuration
    ) -> list[str]:
        """Wait a while for a job to show what was written; return what it shows otherwise."""
        began, pauses = self._clock.now(), Pauses.of_service(self._clock)
        while True:
            job = await self._look(run_id, began + _SETTLES)
            left = self._plane.not_taken(written, job, former) if job else []
            if not left or self._clock.now() - began >= _SETTLES:
                return left
            await pauses.take()

    def _has_shown(self, look: Look) -> bool:
        return look.told or (look.settled and self._plane.capabilities.tells_starts)

    async def _until(
        self,
        ended: Callable[[Look], bool],
        before: StepJob,
        sent: float,
        timeout: float,
        what: str,
        unanswered: Unanswered | None = None,
    ) -> StepJob | None:
        """Read a job until a step has ended.

        Args:
            ended: Tells whether it has.
            before: The job before the step.
            sent: When the step was sent.
            timeout: How long it may take, in seconds.
            what: The step, for messages.
            unanswered: Why nobody knows whether it was taken: then it must show soon.

        Raises:
            DeadlineExceeded: It has not ended yet, or has not shown.
        """
        began, pauses, moved = self._clock.now(), Pauses.of_service(self._clock), False
        while True:
            job = await self._look(before.run_id, sent + timeout)
            if job is None:
                return None
            moved = moved or job.in_progress
            now = self._clock.now()
            look = Look(job, before, moved, now - began >= _SETTLES)
            if ended(look):
                return job
            if unanswered and not look.told and now - began >= _ARRIVES:
                raise DeadlineExceeded(
                    f"{before.job_name}: {what} was not answered ({unanswered.reason}) and has "
                    f"not shown in {_ARRIVES:.0f} s: {described(job)}",
                    now="Whether it was taken is not known; nothing else was begun",
                    remedy="Run again: what became of it is read from the job",
                )
            if now - sent >= timeout:
                raise DeadlineExceeded(
                    f"{before.job_name}: {what} has not ended in {timeout:.0f} s: {described(job)}",
                    now="It may go on, in the job service; nothing else was begun",
                    remedy="Run again to wait for it, or raise timeouts",
                )
            await pauses.take()

    async def _look(self, run_id: str, deadline: float) -> StepJob | None:
        """Read a job; a service that does not answer for a while is waited for."""

        async def read() -> StepJob | None:
            return await self._plane.job(run_id)

        return await once_reachable(read, deadline, self._clock, LONGEST_PAUSE)


def has_new_savepoint(job: StepJob, before: StepJob) -> bool:
    """Whether a job shows a savepoint that it did not show before."""
    return bool(job.last_savepoint) and not same_path(job.last_savepoint, before.last_savepoint)


def described(job: StepJob) -> str:
    """Say what a job shows."""
    said = f" ({job.output})" if job.output else ""
    return f"it is {job.status_word or 'without a status'}{said}"


def steps_of(action: Action | None) -> tuple[str, ...]:
    """Return the steps of `Timeouts` that something in progress takes."""
    if action is Action.STOP:
        return ("savepoint", "cancel")
    return ("savepoint",) if action is Action.SAVEPOINT else ("submit", "running")


def _facts(job: StepJob) -> tuple[object, ...]:
    return (job.status_word, job.output, job.started)
