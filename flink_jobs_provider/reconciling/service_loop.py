"""The loops of any job service: turns until a job is as wanted, or gone; and what is waited for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.service_planes import (
    ActionJob,
    ActionPlane,
    Busy,
    StepPlane,
)
from flink_jobs_provider.model.errors import (
    ActionInProgress,
    DeadlineExceeded,
    JarError,
    JarMissing,
    PermanentError,
)
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import previous_version
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import Judgement, Met, NotYet, Observation, Shown
from flink_jobs_provider.reconciling.job_errors import no_way_back
from flink_jobs_provider.reconciling.record_updates import NOTHING_TO_STOP
from flink_jobs_provider.reconciling.waiter import Waited, Waiter, service_backoff

Job = TypeVar("Job", bound=ActionJob)

#: How long a job that is shown as before an action is taken for one that is not up to date.
SETTLES = 30.0
#: How long an action whose answer was lost is given to show.
ARRIVES = 60.0
#: The pause after a job service did not answer, in seconds.
AWAY_PAUSE = 5.0


#: How long a service that accepts nothing for now is left alone, where it names no longer time.
_BUSY, _LONGEST_BUSY = 5.0, 60.0


class BusyRest:
    """The pauses of one run for a service that accepts nothing for now: they grow."""

    def __init__(self) -> None:
        self._pause = _BUSY

    def after(self, busy: Busy) -> float:
        """Return the pause in seconds, which is at least the one that the service asks for."""
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_BUSY)
        return max(pause, busy.seconds or 0.0)


@dataclass(frozen=True)
class Idle:
    """No action is in progress on a job, and its status is known where asked for; or it is gone."""

    known: bool = True

    def judge(self, history: Sequence[Observation[ActionJob | None]]) -> Judgement:
        """Judge by what was shown last."""
        job = history[-1].seen
        if job is None or not (job.in_progress or (self.known and job.status is None)):
            return Met()
        return NotYet(f"{job.action or 'an action'} is in progress, status {job.status_word}")


#: A job is no longer there; a job is shown.
GONE = Shown[ActionJob | None](lambda job: "it is still listed" if job else "")
THERE = Shown[ActionJob | None](lambda job: "" if job else "it is not listed")


async def until_idle(
    waiter: Waiter,
    observe: Callable[[float], Awaitable[Job | None]],
    timeout: float,
    job_name: str,
    *,
    going_on: Callable[[Job], str],
    described: Callable[[Job], str],
) -> None:
    """Return when no action is in progress on a job, and its status is a known one.

    `going_on` returns what is in progress, as the beginning of "... has not ended in".

    Raises:
        ActionInProgress: Something still is.
        DeadlineExceeded: Its status is still one that is unknown.
    """
    waited: Waited[Job | None] = await waiter.until(
        observe, Idle(), timeout, backoff=service_backoff(), about=job_name
    )
    job = waited.last
    if waited.met or job is None:
        return
    if job.in_progress:
        raise ActionInProgress(
            f"{job_name}: {going_on(job)} has not ended in {timeout:.0f} s",
            now="It goes on, in the job service; nothing else was begun",
            remedy="Run again when it has ended",
        )
    raise DeadlineExceeded(
        f"{job_name}: its status is unrecognised: {described(job)}",
        now="Nothing was changed",
        remedy="Run again later; or check the job by hand",
    )


#: Waiting for what is in progress, the stop, the deletion, each perhaps not accepted at once.
_MOST_REMOVING_TURNS = 8


Plane = TypeVar("Plane", ActionPlane, StepPlane)
T = TypeVar("T")
#: Observes a job and does what is next; returns what is so when nothing is left to do, else None.
Turn: TypeAlias = Callable[[], Awaitable[T | None]]


class Change(Protocol):
    """One change of a job, turn by turn."""

    async def turn(self) -> JobRecord | None:
        """Do what is next; return the record of a job that is as it should be."""

    @property
    def standing(self) -> str:
        """How the job stands in the middle of the change; empty where nothing is down by it."""


async def until_reached(change: Change, most: int, job_name: str, unit: str) -> JobRecord:
    """Take turns until one returns the record of a job that is as it should be.

    `unit` is what the service calls what a turn does: an action, or a step.

    Raises:
        PermanentError: The job is not as it should be after the last turn.
    """
    for _ in range(most):
        record = await change.turn()
        if record is not None:
            return record
    raise PermanentError(
        f"{job_name}: gave up after {most} {unit}s without reaching the desired state",
        now=change.standing or f"The last {unit} has ended, and nothing more was begun",
        remedy="Is somebody else changing it, or the service busy? Run again to go on",
    )


class ServiceReconciler(ABC, Generic[Plane]):
    """Brings jobs of one service to what is wanted, turn by turn, and ends them for good.

    Where a job stands is read from the service in each turn: what is in progress on it is waited
    for, the next thing is decided, sent once, and waited for until the service shows its effect.
    Then all is judged again, until nothing is left to do. So a run that died anywhere is taken up
    by the next one.
    """

    #: The most turns of a change, and what the service calls what a turn does.
    most_turns: int
    unit: str

    def __init__(self, plane: Plane, say: Say) -> None:
        self._plane: Plane = plane
        self._say = say

    @abstractmethod
    def _change(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> Change:
        """Begin a change."""

    @abstractmethod
    def _removal(self, recorded: JobRecord) -> Turn[Removed]:
        """Begin a deletion; return its turn, which returns what a job that is gone has left."""

    @abstractmethod
    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the service shows it now; nothing is changed."""

    async def refresh_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same: what a start begins from shows at the start."""
        return await self.refresh(recorded)

    async def bring_about(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.

        Raises:
            JobError: What happened, what runs now, and what to do.
        """
        wanted = wanted.carrying_on(recorded.spec) if recorded else wanted
        change = self._change(recorded, wanted, jar)
        record = await until_reached(change, self.most_turns, wanted.job_name, self.unit)
        digests = {wanted.jar_digest, recorded.spec.jar_digest if recorded else None}
        try:  # the version before this one may be needed again
            await self._plane.forget_jars(wanted, frozenset(filter(None, digests)))
        except JarError as error:
            self._say(str(error))
        return record.model_copy(update={"honoured": None})

    async def delete(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one; or release it.

        May be called again.

        Raises:
            JobError: It is not gone.
        """
        if recorded.spec.on_delete is OnDelete.RELEASE:
            return Removed(
                released="nothing was asked of its job service, where it stays as it is, with its "
                f"jar and savepoints; a resource with job_name {recorded.spec.job_name} and owner "
                f"{recorded.spec.owner} takes it over"
            )
        turn = self._removal(recorded)
        for _ in range(_MOST_REMOVING_TURNS):
            removed = await turn()
            if removed is not None:
                await self._plane.forget_jars(recorded.spec, frozenset())
                return removed
        raise PermanentError(
            f"{recorded.spec.job_name}: it was not deleted in {_MOST_REMOVING_TURNS} turns: it "
            "comes back each time, or accepts no orders",
            remedy="Is somebody else changing it? Run again to go on",
        )


def reporting_end(record: JobRecord, say: Say) -> JobRecord:
    """Return what is recorded of an ended job; report that nothing was left to stop, if so."""
    if record.job_output.startswith(NOTHING_TO_STOP):
        say(f"{record.spec.job_name}: {record.job_output}")
    return record


async def secure_in_storage(
    recorded: JobRecord | None, provide: Callable[[JobSpec], Awaitable[None]], now: str, say: Say
) -> None:
    """Make sure that a job service can start the recorded version again, before it is stopped.

    Where that is unknown from here, it is reported, and the update goes on.

    Raises:
        PermanentError: What the version is made of is certainly gone.
    """
    previous = previous_version(recorded)
    if previous is None:
        return
    try:
        await provide(previous)
    except JarMissing as error:
        raise no_way_back(
            previous, error.reason, now, "Put it back, and give each build a name of its own"
        ) from None
    except JarError as error:
        say(
            f"{previous.job_name}: whether the previous version could be started again is "
            f"unknown here: {error.reason}"
        )
