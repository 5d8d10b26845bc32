"""Rehearsing an update: a copy of the new version runs alongside the old one, and is ended.

The copy starts from a savepoint that is taken while the old version goes on, under a jobId of the
rehearsal's own identity: it is no submission of the job, and nobody goes on from it. The savepoint
is kept. What a run that died has left of a rehearsal is ended by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose, Submission
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.errors import (
    ActionFailed,
    GateFailed,
    JobError,
    RehearsalFailed,
    TemporaryError,
)
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.rehearsed_copy import (
    refusal_of_sinks,
    refusal_to_rehearse,
    rehearsal_of,
    sinks_text,
)
from flink_jobs_provider.planning.rehearsed_state import RehearsedState
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.ending import Stopper
from flink_jobs_provider.reconciling.flink.gate_watch import Predecessor
from flink_jobs_provider.reconciling.flink.observer import Change
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.state_check import StateCheck, Successor
from flink_jobs_provider.reconciling.flink.submissions import DidNotStart, Starter, submission
from flink_jobs_provider.reconciling.record_updates import add_aside

#: Within five minutes another rehearsal of the same version starts from the same savepoint.
_OCCASION = "rehearsal"


@dataclass(frozen=True)
class Rehearser:
    """Runs copies of new versions alongside the versions that they are to replace."""

    _plane: ControlPlane
    _preflight: Preflight
    _stopper: Stopper
    _starter: Starter
    _state_check: StateCheck
    _say: Say

    async def end_left_over(self, spec: JobSpec, rehearsals: Iterable[ObservedJob]) -> None:
        """End rehearsals of a job that earlier runs have left, or that another one works on.

        The latter fails by that, before it has changed anything of the job.
        """
        for job in rehearsals:
            self._say(f"{spec.job_name}: ending job {job.job_id}, which an earlier run rehearsed")
            await self._stopper.cancel(spec, job)

    async def rehearse(self, change: Change, current: ObservedJob, before: Predecessor) -> Change:
        """Run a copy of the wanted version through the health gate, and end it.

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
            found = await self._check_sinks(change, request, current, now)
            self._report(wanted, found)
            if found.left_out:
                copy = copy.model_copy(update={"allow_non_restored_state": True})
            path = await self._stopper.take_whole(wanted, current, Purpose.SAVEPOINT, _OCCASION)
            if change.recorded:
                listed = add_aside(change.recorded, path, SavepointReason.REHEARSAL)
                change = replace(change, recorded=listed)
            await self._check_sinks(change, request, current, now, path)
            await self._judge(change, copy, generation, path, current, before)
        except JobError:
            await self._forget_jars(copy)
            raise
        finally:
            self._preflight.slots.give_back(copy.key.prefix)
        await self._forget_jars(copy)
        self._say(f"{wanted.job_name}: rehearsed; job {current.job_id} was not interrupted")
        return change

    async def _check_sinks(
        self, change: Change, copy: Submission, current: ObservedJob, now: str, savepoint: str = ""
    ) -> RehearsedState:
        """Return how the state of the running version suits the copy.

        Raises:
            PermanentError: The copy would commit what the job has yet to commit.
        """
        wanted = submission(change.wanted, change.jar, 1, None)
        found = await self._state_check.rehearsed(
            Successor(current, None, wanted), copy, self._plane.plan, savepoint
        )
        if refusal := refusal_of_sinks(found, change.wanted, now):
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
            raise self._failed(change, current, failure) from None
        except TemporaryError as error:
            raise type(error)(
                f"{change.wanted.job_name}: its rehearsal was not seen to its end: {error.reason}",
                now=f"Job {current.job_id} was not touched; job {job_id}, the rehearsal, may run",
                remedy="Run again: that is ended first",
            ) from None
        await self._starter.end(started.job_id, copy)

    @staticmethod
    def _failed(
        change: Change, current: ObservedJob, failure: DidNotStart | GateFailed
    ) -> RehearsalFailed:
        """Return the error for a copy that did not come up, or did not pass the gate."""
        gated = isinstance(failure, GateFailed)
        how = "did not pass its health gate" if gated else "did not start"
        reason = failure.reason if isinstance(failure, GateFailed) else str(failure)
        error = RehearsalFailed(
            f"{change.wanted.job_name}: the rehearsal of the new version {how}: {reason}",
            now=f"The rehearsal was ended, and job {current.job_id} goes on: it was never "
            "interrupted",
            remedy="Fix the new version, or what it needs to run, and run again",
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
