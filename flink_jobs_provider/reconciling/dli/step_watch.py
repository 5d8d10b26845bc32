"""Watching one job of a service that takes single steps, until a step has had its effect.

That a step was accepted is no evidence: the job itself shows its effect. What is shown may be as
before for a while, or an unknown status: all that is waited on, and never taken for done, or for
gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flink_jobs_provider.control_planes.dli.job_config import input_names, not_taken
from flink_jobs_provider.control_planes.service_planes import (
    Configuration,
    StepJob,
    StepPlane,
)
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import DeadlineExceeded
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import (
    Condition,
    Failed,
    Judgement,
    Met,
    NotYet,
    Observation,
    Shown,
    waited,
)
from flink_jobs_provider.reconciling.job_errors import timeouts_of
from flink_jobs_provider.reconciling.service_loop import (
    ARRIVES,
    AWAY_PAUSE,
    GONE,
    SETTLES,
    THERE,
    Idle,
    until_idle,
)
from flink_jobs_provider.reconciling.waiter import Backoff, Clock, Waiter, service_backoff

#: Statuses that do not show how a start went: the job may just not have been seen to move.
_SILENT = ("job_init", "job_cancel_success")

StepHistory: TypeAlias = Sequence[Observation[StepJob | None]]


@dataclass(frozen=True)
class _StepShown:
    """What a job shows at one moment after a step.

    Attributes:
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
    def noticed(self) -> bool:
        """Whether the step has shown: something was in progress, or the job shows another thing."""
        return self.moved or _facts(self.job) != _facts(self.before)


@dataclass(frozen=True)
class StepEnded:
    """A step has ended, as far as the job shows it; or the job is gone.

    Attributes:
        before: The job before the step.
        shows_starts: Whether a step that has not shown after a while will not any more.
        unanswered: Why it is not known whether the step was taken: then it must show soon.
    """

    before: StepJob
    shows_starts: bool = False
    unanswered: str = ""

    def judge(self, history: StepHistory) -> Judgement:
        """Judge by the last observation, and by whether something was in progress in any."""
        job, seconds = history[-1].seen, waited(history)
        if job is None:
            return Met()
        moved = any(each.seen is not None and each.seen.in_progress for each in history)
        shown = _StepShown(job, self.before, moved, seconds >= SETTLES)
        if shown.quiet and self._ended(shown):
            return Met()
        if self.unanswered and not shown.noticed and seconds >= ARRIVES:
            return Failed(described(job), self)
        return NotYet(described(job))

    def _ended(self, shown: _StepShown) -> bool:
        """Whether it has, of a job on which nothing is in progress."""
        return shown.noticed or (shown.settled and self.shows_starts)


@dataclass(frozen=True)
class StartEnded(StepEnded):
    """A start has ended: the job runs, or does not come up."""

    def _ended(self, shown: _StepShown) -> bool:
        if shown.job.active:
            return True
        if shown.job.status_word in _SILENT and not self.shows_starts:
            # The time of the start may show before the status that it brings about.
            came_up = shown.job.started != shown.before.started
            return shown.moved or (came_up and shown.settled)
        return super()._ended(shown)


@dataclass(frozen=True)
class StopEnded(StepEnded):
    """A stop, with a savepoint or without, has ended: the job has ended, or goes on.

    `safety` is a savepoint of just before, which is none of the stop.
    """

    savepoint: bool = False
    safety: str = ""

    def has_saved(self, job: StepJob) -> bool:
        """Return whether a job shows the savepoint of the stop."""
        return has_new_savepoint(job, self.before) and not (
            self.safety and same_path(job.last_savepoint, self.safety)
        )

    def _ended(self, shown: _StepShown) -> bool:
        if shown.job.active and shown.job.started != shown.before.started:
            return shown.settled  # somebody else has started it: that shows nothing of the stop
        if shown.job.active:
            return super()._ended(shown)
        lags = self.savepoint and shown.job.status is JobStatus.CANCELED
        return shown.settled or not lags or self.has_saved(shown.job)


@dataclass(frozen=True)
class SavepointEnded(StepEnded):
    """A savepoint has ended while the job goes on."""

    def _ended(self, shown: _StepShown) -> bool:
        return has_new_savepoint(shown.job, shown.before) or shown.noticed or shown.settled


@dataclass(frozen=True)
class StaysActive:
    """A job has been shown for its settle time, in seconds, since it came up.

    It also holds as soon as the job has ended, is gone, or somebody has begun something else on it.
    """

    settle: float

    def judge(self, history: StepHistory) -> Judgement:
        """Judge by the last observation, and by the time since the first one."""
        job, left = history[-1].seen, self.settle - waited(history)
        if job is None or job.in_progress or (job.status is not None and not job.active):
            return Met()
        return NotYet(described(job), left) if left > 0 else Met()


#: A job shows all inputs that were written: those that it shows otherwise are observed.
TAKEN_OVER = Shown[tuple[str, ...]](
    lambda left: f"it does not show {', '.join(left)}" if left else ""
)


def has_new_savepoint(job: StepJob, before: StepJob) -> bool:
    """Whether a job shows a savepoint that it did not show before."""
    return bool(job.last_savepoint) and not same_path(job.last_savepoint, before.last_savepoint)


def came_up_and_was_ended(job: StepJob, before: StepJob) -> bool:
    """Return whether a job came up by a start, and was stopped or cancelled since, by others."""
    if job.status is not JobStatus.CANCELED:
        return False
    return job.started > before.started or has_new_savepoint(job, before)


def described(job: StepJob) -> str:
    """Return what a job shows."""
    said = f" ({job.output})" if job.output else ""
    return f"it is {job.status_word or 'without a status'}{said}"


def _facts(job: StepJob) -> tuple[object, ...]:
    return (job.status_word, job.output, job.started)


class StepWatch:
    """Reads a job until it is as it should be."""

    def __init__(self, plane: StepPlane, clock: Clock, say: Say) -> None:
        self._plane = plane
        self._clock = clock
        self._waiter = Waiter(clock, say)

    async def until_settled(self, job: StepJob, settle: float) -> StepJob | None:
        """Watch a job that came up for its settle time; return it as it is then, or None if gone.

        It may have ended, or somebody have begun something else on it.
        """
        return await self._until(
            job.run_id, StaysActive(settle), settle + SETTLES, job, job.job_name
        )

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
        return await self._until(job.run_id, GONE, timeout, about=job.job_name) is None

    async def until_there(self, run_id: str) -> StepJob | None:
        """Wait a while for a job that was just created; return it when it shows."""
        return await self._until(run_id, THERE, SETTLES)

    async def until_found(
        self, find: Callable[[], Awaitable[StepJob | None]], backoff: Backoff
    ) -> bool:
        """Wait for a job whose creation was not answered; return whether it shows."""

        async def observe(_deadline: float) -> StepJob | None:
            return await find()

        return (await self._waiter.until(observe, THERE, ARRIVES, backoff=backoff)).met

    async def until_taken(
        self, run_id: str, written: Configuration, former: Configuration
    ) -> list[str]:
        """Wait a while for a job to show what was written; return what it shows otherwise."""

        async def observe(deadline: float) -> tuple[str, ...]:
            job = await self._job(run_id, deadline)
            return tuple(input_names(not_taken(written, job.shown, former))) if job else ()

        waited = await self._waiter.until(observe, TAKEN_OVER, SETTLES, backoff=service_backoff())
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

    async def until_ended(
        self, ended: StepEnded, sent: float, timeout: float, what: str, steps: Sequence[str]
    ) -> StepJob | None:
        """Read a job until a step, sent at that time, has ended; return it, or None if it is gone.

        `steps` are those of `Timeouts` that it takes.

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
                remedy="Run again: the outcome is read from the job",
            )
        if not waited.met:
            raise DeadlineExceeded(
                f"{before.job_name}: {what} has not ended in {timeout:.0f} s: {waited.reason}",
                now="It may go on, in the job service; nothing else was begun",
                remedy=f"Run again to wait for it, or raise {timeouts_of(*steps)}",
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
