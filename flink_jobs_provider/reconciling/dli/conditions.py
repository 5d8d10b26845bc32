"""When a step has really had its effect: the job itself shows that.

That a step was accepted says nothing. What is shown may be as before for a while, or an unknown
status: all that is waited on, and never taken for done, or for gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flink_jobs_provider.control_planes.step_plane import StepJob
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.reconciling.conditions import (
    Failed,
    Judgement,
    Met,
    NotYet,
    Observation,
    waited,
)
from flink_jobs_provider.reconciling.service_loop import ARRIVES, SETTLES

#: Statuses that say nothing of how a start went: the job may just not have been seen to move.
_SILENT = ("job_init", "job_cancel_success")

StepHistory: TypeAlias = Sequence[Observation[StepJob | None]]


@dataclass(frozen=True)
class _StepShown:
    """What a job shows at one moment after a step.

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


@dataclass(frozen=True)
class StepEnded:
    """A step has ended, as far as the job shows it; or the job is gone.

    Attributes:
        before: The job before the step.
        tells_starts: Whether a step that has not shown after a while will not any more.
        unanswered: Why it is not known whether the step was taken: then it must show soon.
    """

    before: StepJob
    tells_starts: bool = False
    unanswered: str = ""

    def judge(self, history: StepHistory) -> Judgement:
        """Judge by the last look, and by whether something was in progress in any."""
        job, seconds = history[-1].seen, waited(history)
        if job is None:
            return Met()
        moved = any(each.seen is not None and each.seen.in_progress for each in history)
        shown = _StepShown(job, self.before, moved, seconds >= SETTLES)
        if shown.quiet and self._ended(shown):
            return Met()
        if self.unanswered and not shown.told and seconds >= ARRIVES:
            return Failed(described(job), self)
        return NotYet(described(job))

    def _ended(self, shown: _StepShown) -> bool:
        """Whether it has, of a job on which nothing is in progress."""
        return shown.told or (shown.settled and self.tells_starts)


@dataclass(frozen=True)
class StartEnded(StepEnded):
    """A start has ended: the job runs, or does not come up."""

    def _ended(self, shown: _StepShown) -> bool:
        if shown.job.active:
            return True
        if shown.job.status_word in _SILENT and not self.tells_starts:
            return shown.moved or shown.job.started != shown.before.started
        return super()._ended(shown)


@dataclass(frozen=True)
class StopEnded(StepEnded):
    """A stop has ended: the job has ended, or goes on.

    Attributes:
        savepoint: Whether it takes a savepoint.
    """

    savepoint: bool = False

    def _ended(self, shown: _StepShown) -> bool:
        if shown.job.active:
            return super()._ended(shown)
        lags = self.savepoint and shown.job.status is JobStatus.CANCELED
        return shown.settled or not lags or has_new_savepoint(shown.job, shown.before)


@dataclass(frozen=True)
class SavepointEnded(StepEnded):
    """A savepoint has ended while the job goes on."""

    def _ended(self, shown: _StepShown) -> bool:
        return has_new_savepoint(shown.job, shown.before) or shown.told or shown.settled


@dataclass(frozen=True)
class StaysActive:
    """A job has been shown for its settle time since it came up.

    It also holds as soon as the job has ended, is gone, or somebody has begun something else on it.

    Attributes:
        settle: The settle time, in seconds.
    """

    settle: float

    def judge(self, history: StepHistory) -> Judgement:
        """Judge by the last look, and by the time since the first one."""
        job, left = history[-1].seen, self.settle - waited(history)
        if job is None or job.in_progress or (job.status is not None and not job.active):
            return Met()
        return NotYet(described(job), left) if left > 0 else Met()


@dataclass(frozen=True)
class TakenOver:
    """A job shows all that was written to its configuration."""

    def judge(self, history: Sequence[Observation[tuple[str, ...]]]) -> Judgement:
        """Judge by the inputs that were shown otherwise last."""
        left = history[-1].seen
        return NotYet(f"it does not show {', '.join(left)}") if left else Met()


def has_new_savepoint(job: StepJob, before: StepJob) -> bool:
    """Whether a job shows a savepoint that it did not show before."""
    return bool(job.last_savepoint) and not same_path(job.last_savepoint, before.last_savepoint)


def described(job: StepJob) -> str:
    """Return what a job shows."""
    said = f" ({job.output})" if job.output else ""
    return f"it is {job.status_word or 'without a status'}{said}"


def _facts(job: StepJob) -> tuple[object, ...]:
    return (job.status_word, job.output, job.started)
