"""Rehearsing an update: a copy of the new version runs alongside the old one, and is ended.

The copy starts from a savepoint that is taken while the old version goes on, under a jobId of the
rehearsal's own identity: it is no submission of the job, and nobody goes on from it. The savepoint
is kept. What a run that died has left of a rehearsal is ended by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose, Submission
from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    GateFailed,
    JobError,
    RehearsalFailed,
    TemporaryError,
)
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import plan as plan_of
from flink_jobs_provider.planning.rehearsed_copy import (
    refusal_of_sinks,
    refusal_to_rehearse,
    rehearsal_of,
    sinks_text,
)
from flink_jobs_provider.planning.rehearsed_state import RehearsedState
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.ending import Stopper
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor
from flink_jobs_provider.reconciling.flink.observer import (
    Change,
    Seen,
    rehearsals_of,
    submissions_of,
)
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.state_check import PlanProgram, StateCheck, Successor
from flink_jobs_provider.reconciling.flink.submissions import DidNotStart, Starter, submission
from flink_jobs_provider.reconciling.record_updates import add_aside, record_of

#: Within five minutes another run that is to update the job rehearses from the same savepoint.
_OCCASION = "rehearsal"


@dataclass(frozen=True)
class Foreseen:
    """What a preview finds out about a rehearsal.

    Attributes:
        state: How the state of the running version suits the copy.
        lacks: What it lacks now; empty for nothing.
        gone: How the recorded version is, a clause, where none runs whose state it could start
            from; else empty.
    """

    state: RehearsedState = field(default_factory=RehearsedState)
    lacks: str = ""
    gone: str = ""


@dataclass(frozen=True)
class _Sinks:
    """A copy whose sinks are compared with the state of a running version."""

    change: Change
    copy: Submission
    current: ObservedJob
    plan: PlanProgram


@dataclass(frozen=True)
class Rehearser:
    """Runs copies of new versions alongside the versions that they are to replace."""

    _plane: ControlPlane
    _preflight: Preflight
    _stopper: Stopper
    _starter: Starter
    _gate: GateWatch
    _state_check: StateCheck
    _say: Say

    async def end_left_over(self, spec: JobSpec, rehearsals: Iterable[ObservedJob]) -> None:
        """End rehearsals of a job that earlier runs have left, or that another one works on.

        The latter fails by that, before it has changed anything of the job.
        """
        for job in rehearsals:
            self._say(f"{spec.job_name}: ending job {job.job_id}, which an earlier run rehearsed")
            await self._stopper.cancel(spec, job)

    async def rehearse(
        self,
        change: Change,
        current: ObservedJob,
        before: Predecessor,
        *,
        alone: bool = False,
    ) -> Change:
        """Run a copy of the wanted version through the health gate, and end it.

        One that no update follows is `alone`: it starts from a savepoint of its own, and its jar
        does not stay on the cluster.

        Returns:
            The change, whose record lists the savepoint that the copy was started from.

        Raises:
            RehearsalFailed: It did not come up, or did not pass the gate.
            JobError: There is none. In either case the running version was not touched.
        """
        wanted = change.wanted
        now = f"Job {current.job_id} goes on as it was"
        if refusal := refusal_to_rehearse(wanted):
            raise refusal
        copy = rehearsal_of(wanted)
        known = (await self._plane.jobs()).of(copy.key)
        generation = change.seen.next_generation(change.recorded)
        generation = max([generation, *(job.generation + 1 for job in known)])
        try:
            request = submission(copy, change.jar, generation, None)
            await self._preflight.program(request, current, now, alongside=True)
            plan = self._plane.try_out if alone else self._plane.plan
            sinks = _Sinks(change, request, current, plan)
            found = await self._check_sinks(sinks, now)
            self._report(wanted, found)
            if found.left_out:
                copy = copy.model_copy(update={"allow_non_restored_state": True})
            occasion = f"{_OCCASION} {generation}" if alone else _OCCASION
            path = await self._stopper.take_whole(wanted, current, Purpose.SAVEPOINT, occasion)
            if change.recorded:
                listed = add_aside(change.recorded, path, SavepointReason.REHEARSAL)
                change = replace(change, recorded=listed)
            await self._check_sinks(sinks, now, path)
            await self._judge(change, copy, generation, path, current, before)
        except JobError:
            await self._forget_jars(copy)
            raise
        finally:
            self._preflight.slots.give_back(copy.key.prefix)
        await self._forget_jars(copy)
        ended = await self._has_ended(current)
        then = f"has ended meanwhile: it is {ended}" if ended else "goes on"
        self._say(f"{wanted.job_name}: rehearsed; job {current.job_id} {then}")
        return change

    def report_none(self, change: Change) -> None:
        """Report that a start is not rehearsed, though the plan was: the job has ended since."""
        if change.recorded and plan_of(change.recorded, change.wanted).rehearses:
            why = "no version runs whose state it could start from"
            self._say(f"{change.wanted.job_name}: not rehearsed, since {why}")

    async def rehearse_alone(self, current: ObservedJob, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Rehearse a version of a running job that no record is at hand of; it goes on as it is.

        Returns:
            What is known of it, with the savepoint that was taken.
        """
        snapshot = await self._plane.jobs()
        await self.end_left_over(wanted, rehearsals_of(None, wanted, snapshot))
        record = record_of(wanted, current)
        before = Predecessor(await self._gate.numbers_before_stop(wanted, current))
        change = Change(record, wanted, jar, Seen((current,)))
        done = await self.rehearse(change, current, before, alone=True)
        return done.recorded or record

    async def foresee(self, recorded: JobRecord, wanted: JobSpec, jar: Jar) -> Foreseen:
        """Return what is known of a rehearsal in a preview; nothing stays on the cluster.

        Raises:
            JobError: It cannot be found out; the reason is for the plan.
        """
        facts, snapshot = await self._plane.facts(), await self._plane.jobs()
        if not any(job.active for job in submissions_of(recorded, snapshot)):
            row = snapshot.by_id.get(recorded.job_id or "")
            how = f"is {row.state}" if row else "is not listed by its cluster"
            return Foreseen(gone=f"job {recorded.job_id} {how}")
        current = snapshot.by_id.get(recorded.job_id or "")
        if current is None or not current.active or facts.intercepts_exit is not True:
            return Foreseen()
        request = submission(rehearsal_of(wanted), jar, 1, None)
        needed = (await self._plane.try_out(request)).parallelism
        free = (await self._plane.task_slots())[0] if facts.fixed_slots else needed
        change = Change(recorded, wanted, jar, Seen(()))
        found = await self._compare(_Sinks(change, request, current, self._plane.try_out))
        short = f"its rehearsal needs {needed} task slots, {free} are free" if needed > free else ""
        return Foreseen(found, short)

    async def _compare(self, sinks: _Sinks, savepoint: str = "") -> RehearsedState:
        wanted = submission(sinks.change.wanted, sinks.change.jar, 1, None)
        successor = Successor(sinks.current, None, wanted)
        return await self._state_check.rehearsed(successor, sinks.copy, sinks.plan, savepoint)

    async def _check_sinks(self, sinks: _Sinks, now: str, savepoint: str = "") -> RehearsedState:
        """Return how the state of the running version suits the copy.

        Raises:
            PermanentError: The copy would commit what the job has yet to commit.
        """
        found = await self._compare(sinks, savepoint)
        if refusal := refusal_of_sinks(found, sinks.change.wanted, now):
            raise refusal
        return found

    def _report(self, wanted: JobSpec, found: RehearsedState) -> None:
        if text := sinks_text(found):
            self._say(f"{'warning: ' if found.why_unknown else ''}{wanted.job_name}: {text}")

    async def _judge(
        self,
        change: Change,
        copy: JobSpec,
        generation: int,
        path: str,
        current: ObservedJob,
        before: Predecessor,
    ) -> None:
        """Start the copy, wait until it has passed its gate, and end it."""
        job_id = submission(copy, change.jar, generation, path).job_id
        self._say(
            f"{change.wanted.job_name}: rehearsing the new version as job {job_id}, while job "
            f"{current.job_id} goes on"
        )
        try:
            started = await self._starter.start(copy, change.jar, generation, path, before=before)
        except (DidNotStart, GateFailed) as failure:
            await self._starter.end(job_id, copy)
            raise await self._failed(change, current, failure) from None
        except TemporaryError as error:
            raise type(error)(
                f"{change.wanted.job_name}: its rehearsal was not seen to its end: {error.reason}",
                now=f"Job {current.job_id} was not touched; job {job_id}, the rehearsal, may run",
                remedy="Run again: that is ended first",
            ) from None
        await self._starter.end(started.job_id, copy)

    async def _has_ended(self, job: ObservedJob) -> str:
        """Return how a running version has ended, such as CANCELED; empty where it still runs."""
        row = (await self._plane.jobs()).by_id.get(job.job_id)
        if row is None:
            return JobStatus.LOST.value
        return "" if row.active else row.state

    async def _failed(
        self, change: Change, current: ObservedJob, failure: DidNotStart | GateFailed
    ) -> RehearsalFailed:
        """Return the error for a copy that did not come up, or did not pass the gate."""
        gated = isinstance(failure, GateFailed)
        how = "did not pass its health gate" if gated else "did not start"
        reason = failure.reason if isinstance(failure, GateFailed) else str(failure)
        now, remedy = "goes on: this run has not stopped it", "and run again"
        if ended := await self._has_ended(current):
            now = f"has ended meanwhile: it is {ended}"
            remedy = "or declare the previous one, and run with --refresh, which starts it from "
            remedy += "the newest state"
        error = RehearsalFailed(
            f"{change.wanted.job_name}: the rehearsal of the new version {how}: {reason}",
            now=f"The rehearsal was ended, and job {current.job_id} {now}",
            remedy=f"Fix the new version, or what it needs to run, {remedy}",
        )
        if change.recorded and change.recorded.job_id:
            update = {"action_result": ActionResult.FAILED, "job_output": error.happened}
            error.partial = change.recorded.model_copy(update=update)
        return error

    async def _forget_jars(self, copy: JobSpec) -> None:
        """Remove the copy's jars; one that stays by accident is removed the next time."""
        try:
            await self._plane.forget_jars(copy.key.prefix, frozenset())
        except (ActionFailed, TemporaryError) as error:
            self._say(f"{copy.job_name}: its jars could not be removed: {error}")
