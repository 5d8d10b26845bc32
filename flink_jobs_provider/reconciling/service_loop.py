"""The loops of any job service: turns until a job is as wanted, or gone; and what is waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.errors import (
    ActionInProgress,
    DeadlineExceeded,
    JarError,
    PermanentError,
)
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.conditions import Judgement, Met, NotYet, Observation
from flink_jobs_provider.reconciling.waiter import Waited, Waiter, service_backoff

Job = TypeVar("Job", bound=ActionJob)

#: How long a job that is shown as before an action is taken for one that is not up to date.
SETTLES = 30.0
#: How long an action whose answer was lost is given to show.
ARRIVES = 60.0
#: The pause after a job service did not answer, in seconds.
AWAY_PAUSE = 5.0


@dataclass(frozen=True)
class Idle:
    """No action is in progress on a job, or the job is gone.

    Attributes:
        known: Whether its status must be a known one, too.
    """

    known: bool = True

    def judge(self, history: Sequence[Observation[ActionJob | None]]) -> Judgement:
        """Judge by what was shown last."""
        job = history[-1].seen
        if job is None or not (job.in_progress or (self.known and job.status is None)):
            return Met()
        return NotYet(f"{job.action or 'an action'} is in progress, status {job.status_word}")


@dataclass(frozen=True)
class Gone:
    """A job is no longer there."""

    def judge(self, history: Sequence[Observation[ActionJob | None]]) -> Judgement:
        """Judge by what was shown last."""
        return NotYet("it is still listed") if history[-1].seen else Met()


@dataclass(frozen=True)
class There:
    """A job is shown."""

    def judge(self, history: Sequence[Observation[ActionJob | None]]) -> Judgement:
        """Judge by what was shown last."""
        return Met() if history[-1].seen else NotYet("it is not listed")


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

    Args:
        waiter: Waits.
        observe: Returns the job; None where it is gone.
        timeout: For how many seconds.
        job_name: The job.
        going_on: Returns what is in progress, as the beginning of "... has not ended in".
        described: Returns what a job shows.

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
        remedy="Run again later; or look after it by hand",
    )


#: Waiting for what is in progress, the stop, the deletion, each perhaps not taken at once.
_MOST_REMOVING_TURNS = 8


class TakesTurns(Protocol):
    """One change of a job."""

    async def turn(self) -> JobRecord | None:
        """Look, and do what is next; return the record when nothing is left to do."""
        ...


class StoresJars(Protocol):
    """A service that keeps the jars of its jobs."""

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were brought there for a job, but for those with these digests."""


async def until_reached(
    turn: Callable[[], Awaitable[JobRecord | None]], most: int, job_name: str, unit: str
) -> JobRecord:
    """Take turns until one returns the record of a job that is as it should be.

    Args:
        turn: Looks at the job, and takes the next action if it needs one.
        most: How many turns are taken.
        job_name: The job.
        unit: What the service calls what a turn does: an action, or a step.

    Raises:
        PermanentError: The job is not as it should be after the last turn.
    """
    for _ in range(most):
        record = await turn()
        if record is not None:
            return record
    raise PermanentError(
        f"{job_name}: it is still not as it should be after all that was tried",
        now=f"The last {unit} has ended, and nothing more was begun",
        remedy="Is somebody else changing it? Run again to go on",
    )


async def changed(
    plane: StoresJars,
    recorded: JobRecord | None,
    wanted: JobSpec,
    begin: Callable[[JobSpec], TakesTurns],
    most: int,
    unit: str,
    say: Callable[[str], None],
) -> JobRecord:
    """Make a job as it is wanted, turn by turn, and return what is now so.

    Args:
        plane: The service.
        recorded: The record in the state.
        wanted: The job as it should be.
        begin: Begins a change to a spec.
        most: How many turns are taken.
        unit: What the service calls what a turn does.
        say: Called with a line for what could not be removed.
    """
    wanted = wanted.carrying_on(recorded.spec) if recorded else wanted
    record = await until_reached(begin(wanted).turn, most, wanted.job_name, unit)
    await _forget_jars(plane, recorded, wanted, say)
    return record.model_copy(update={"honoured": None})


async def until_removed(
    plane: StoresJars, spec: JobSpec, turn: Callable[[], Awaitable[Removed | None]]
) -> Removed:
    """Take turns until one finds that a job is gone; remove its jars, and return what it left.

    Args:
        plane: The service.
        spec: The job.
        turn: Looks at the job, and takes the next action towards its deletion.

    Raises:
        PermanentError: The job is still there after the last turn.
    """
    for _ in range(_MOST_REMOVING_TURNS):
        removed = await turn()
        if removed is not None:
            await plane.forget_jars(spec, frozenset())
            return removed
    raise PermanentError(
        f"{spec.job_name}: it comes back each time it is deleted, or takes no orders",
        remedy="Is somebody else changing it? Run again to go on",
    )


async def _forget_jars(
    plane: StoresJars, recorded: JobRecord | None, wanted: JobSpec, say: Callable[[str], None]
) -> None:
    """Remove jars that no version needs: neither the wanted one nor the one before it."""
    digests = {wanted.jar_digest, recorded.spec.jar_digest if recorded else None}
    try:
        await plane.forget_jars(wanted, frozenset(filter(None, digests)))
    except JarError as error:
        say(str(error))
