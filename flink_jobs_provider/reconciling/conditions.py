"""What is waited for, as conditions that compose: pure functions of what was observed so far.

A waiter adds one observation after another to a history and asks a condition for its judgement of
the whole, until that is met, has failed, or the time is up. So a condition is tested by replaying
recorded sequences, and a new one, such as a health gate, is one more member of `all_of`.

A Flink job has come up when all its tasks run: Flink shows RUNNING before any task does. One that
finished by itself did come up. It has failed to when it ended otherwise, when the cluster no
longer lists it, or when it was restarted `RESTARTS` times without coming up: with checkpointing,
Flink 2 restarts for ever by default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeAlias, TypeVar

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.observation import ObservedJob, VitalSigns
from flink_jobs_provider.model.savepoint import same_path

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)

#: After so many restarts without all tasks running a job is taken for one that does not come up.
RESTARTS = 3


@dataclass(frozen=True)
class Observation(Generic[T_co]):
    """What was seen, as long as it stayed the same.

    It was seen first at `since`, and last at `at`, in seconds of the waiter's clock.
    """

    seen: T_co
    since: float
    at: float


#: All that a wait has observed, the oldest first; never empty, and neighbours always differ.
History: TypeAlias = Sequence[Observation[T]]


def with_observation(history: History[T], seen: T, at: float) -> list[Observation[T]]:
    """Return a history with one more observation; one that repeats the last prolongs that."""
    if history and history[-1].seen == seen:
        return [*history[:-1], replace(history[-1], at=at)]
    return [*history, Observation(seen, at, at)]


def waited(history: History[T]) -> float:
    """Return the seconds between the first observation and the last one."""
    return history[-1].at - history[0].since


@dataclass(frozen=True)
class Met:
    """A condition holds."""


@dataclass(frozen=True)
class NotYet:
    """A condition does not hold, and may later.

    Attributes:
        due: Seconds after which time alone may change the judgement; None where it does not.
    """

    reason: str
    due: float | None = None


@dataclass(frozen=True)
class Failed:
    """A condition will not hold any more: why, for people, and which one it is."""

    reason: str
    by: object = None


Judgement: TypeAlias = Met | NotYet | Failed


class Condition(Protocol[T_contra]):
    """What is waited for."""

    def judge(self, history: Sequence[Observation[T_contra]]) -> Judgement:
        """Judge what was observed so far."""


@dataclass(frozen=True)
class Shown(Generic[T]):
    """What was observed last is as it should be.

    `missing` returns what is not so, for people; empty for nothing.
    """

    missing: Callable[[T], str]

    def judge(self, history: History[T]) -> Judgement:
        """Judge by the last observation."""
        reason = self.missing(history[-1].seen)
        return NotYet(reason) if reason else Met()


@dataclass(frozen=True)
class _AllOf(Generic[T]):
    parts: tuple[Condition[T], ...]

    def judge(self, history: History[T]) -> Judgement:
        judgements = [part.judge(history) for part in self.parts]
        if failed := [each for each in judgements if isinstance(each, Failed)]:
            return failed[0]
        pending = [each for each in judgements if isinstance(each, NotYet)]
        if not pending:
            return Met()
        dues = [each.due for each in pending if each.due is not None]
        reasons = dict.fromkeys(each.reason for each in pending if each.reason)
        return NotYet("; ".join(reasons), min(dues, default=None))


def all_of(*conditions: Condition[T]) -> Condition[T]:
    """Return the condition that holds when all of these do, and fails when one of them does."""
    return _AllOf(conditions)


@dataclass(frozen=True)
class CheckpointRequest:
    """Whether a requested checkpoint has completed, or the job keeps none; and why not."""

    completed: bool = False
    reason: str = "no checkpoint has completed yet"


@dataclass(frozen=True)
class JobObservation:
    """A Flink job at one moment.

    Attributes:
        job: Its row; None where the cluster does not list it.
        cause: Why it failed or was restarted since all its tasks ran; empty where that is unknown.
        restored_from: What its checkpoint statistics show it started from; empty where they show
            nothing, or are not read.
        vitals: What a health gate judges; None before it is read, and without a gate.
    """

    job_id: str
    job: ObservedJob | None
    cause: str = ""
    restored_from: str = ""
    checkpoint: CheckpointRequest = field(default_factory=CheckpointRequest)
    vitals: VitalSigns | None = None


JobHistory: TypeAlias = Sequence[Observation[JobObservation]]


@dataclass(frozen=True)
class TasksRunning:
    """All tasks of a job run, or it came to its own end."""

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the last row, and by the restarts since all tasks ran last."""
        last = history[-1].seen
        job = last.job
        if job is None:
            return Failed(unlisted(last), self)
        if job.healthy:
            return Met()
        if not job.active or _restarts(history) >= RESTARTS:
            return Failed(f"the job is {job.state}", self)
        return NotYet(tasks_of(job))


@dataclass(frozen=True)
class StillUp:
    """A job that was up runs all its tasks, or came to its own end.

    For a moment not all of them run where a batch job comes to its next stage, or the cluster
    rescales a job (measured on 1.19.3: such a row is RUNNING, and no exception is shown).
    """

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the last row, and by what Flink reports of a failure."""
        last = history[-1].seen
        job = last.job
        if job is None:
            return Failed(unlisted(last), self)
        if job.healthy and not last.cause:
            return Met()
        if not job.active or job.status is JobStatus.RESTARTING or last.cause:
            return Failed(f"the job is {job.state}", self)
        return NotYet(tasks_of(job))


@dataclass(frozen=True)
class NoRestartFor:
    """A job has run for some seconds without a restart, or came to its own end.

    A task that fails on its first records, or whose source finds nobody to read from, runs before
    it fails. A restart without an exception is a rescale: the time begins again when all tasks run
    again.
    """

    seconds: float

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the longest time in which the row shows that nothing was restarted."""
        up: ObservedJob | None = None
        since = 0.0
        for each in history:
            job = each.seen.job
            if job is None:
                return Failed(unlisted(each.seen), self)
            if not job.active:
                return Met() if job.healthy else Failed(f"the job is {job.state}", self)
            if up is not None and was_disturbed(up, job):
                if each.seen.cause:
                    return Failed(f"it failed after all its tasks ran: {each.seen.cause}", self)
                up = None if was_restarted(up, job) else job
            if up is None and job.healthy:
                up, since = job, each.since
            if up is not None and each.at - since >= self.seconds:
                return Met()
        last = history[-1]
        if up is None:
            return NotYet(tasks_of(last.seen.job))
        ran = last.at - since
        reason = f"all tasks have run for {ran:.0f} of {self.seconds:.0f} s"
        return NotYet(reason, self.seconds - ran)


@dataclass(frozen=True)
class CheckpointCompleted:
    """A requested checkpoint has completed within some seconds; a job at its own end needs none."""

    within: float

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the last observation, and by the time since the first one."""
        last = history[-1].seen
        at_its_end = last.job is not None and not last.job.active and last.job.healthy
        if last.checkpoint.completed or at_its_end:
            return Met()
        left = self.within - waited(history)
        if left <= 0:
            return Failed(last.checkpoint.reason, self)
        return NotYet(last.checkpoint.reason, left)


@dataclass(frozen=True)
class RestoredFrom:
    """A job started from the path that it should, if any: state that is missing must not pass."""

    path: str | None

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the statistics; where they show nothing, Flink's acceptance counts."""
        origin = history[-1].seen.restored_from
        if not self.path or not origin or same_path(origin, self.path):
            return Met()
        return Failed(f"it was to start from {self.path}, and started from {origin}", self)


@dataclass(frozen=True)
class Ended:
    """A job has ended, or its cluster no longer lists it."""

    def judge(self, history: JobHistory) -> Judgement:
        """Judge by the last row."""
        job = history[-1].seen.job
        if job is None or not job.active:
            return Met()
        return NotYet(f"job {job.job_id} is still {job.state}")


def was_disturbed(up: ObservedJob, now: ObservedJob) -> bool:
    """Whether a task of a job has changed its state since all of them ran."""
    return not now.healthy or now.modified != up.modified


def was_restarted(up: ObservedJob, now: ObservedJob) -> bool:
    """Whether a disturbed job was restarted or rescaled, rather than a task ended by itself."""
    return not now.healthy or now.finished_tasks == up.finished_tasks


def _restarts(history: JobHistory) -> int:
    """Return how often a job was seen to be restarted since all its tasks ran last."""
    restarts, before = 0, False
    for each in history:
        job = each.seen.job
        if job is not None and job.healthy:
            restarts, before = 0, False
            continue
        restarting = job is not None and job.status is JobStatus.RESTARTING
        restarts += restarting and not before
        before = restarting
    return restarts


def tasks_of(job: ObservedJob | None) -> str:
    """Return how many tasks of a job run."""
    if job is None:
        return "the job is not listed"
    return f"the job is {job.state}, with {job.running_tasks} of {job.tasks} tasks running"


def unlisted(seen: JobObservation) -> str:
    """Return what happened to a job that its cluster does not list."""
    return f"job {seen.job_id} was accepted, and the cluster no longer lists it"
