"""Carrying a job to another Flink cluster with its state: stopped there, started from it here.

Where it stands is read from both clusters. It is started on the new one only when it has ended on
the old one; from then on a mark on the old one keeps it from being started there, which cannot see
the new one. A run that died is taken up: the savepoint of the stop is found again, and a version
that was started is adopted.

A job that does not start on the new one, or does not pass its health gate there, goes back. It goes
on from the newest state that it has left there, since its sinks may have committed what is in that;
so the mark stays until it runs again (`move_back`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    GateFailed,
    JobVanished,
    MovedAway,
    PermanentError,
    StateUnavailable,
    TemporaryError,
)
from flink_jobs_provider.model.health_gate import FailedGate
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.gate_watch import Predecessor, keeps
from flink_jobs_provider.reconciling.flink.move_back import MoveBack, Place
from flink_jobs_provider.reconciling.flink.move_marks import mark_moving, unmark_moving
from flink_jobs_provider.reconciling.flink.observer import Carried, identities, submissions_of
from flink_jobs_provider.reconciling.flink.swallowed import unmark_swallowed
from flink_jobs_provider.reconciling.job_errors import (
    finished_meanwhile,
    gate_kept,
    runs_on_both,
    started_meanwhile,
)


@dataclass(frozen=True)
class Move:
    """Carries a job from one cluster to another."""

    _old: Place
    _new: Place
    _say: Say
    _wall: Callable[[], float]

    @property
    def _back(self) -> MoveBack:
        return MoveBack(self._old, self._new, self._say, self._wall)

    async def carry_over(self, recorded: JobRecord, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Move a job; may be called again after a crash at any point.

        Raises:
            JobError: What happened, where the job runs now, and what to do.
        """
        try:
            return await self._carried_over(recorded, wanted, jar)
        except MovedAway as error:
            raise await self._back.finish(recorded, wanted, error.job_id) from None

    async def _carried_over(self, recorded: JobRecord, wanted: JobSpec, jar: Jar) -> JobRecord:
        former = recorded.spec
        listed = submissions_of(recorded, await self._old.plane.jobs())
        active = [job for job in listed if job.active]
        there = [job for job in (await self._new.plane.jobs()).of(wanted.key) if job.active]
        # A start that fails there is taken back here, from what it has done.
        stopped_there = {"target": wanted.target, "desired_state": DesiredState.STOPPED}
        base = recorded.model_copy(
            update={
                "spec": former.model_copy(update=stopped_there),
                "status": JobStatus.STOPPED,
                "generation": max([recorded.generation, *(job.generation for job in listed)]),
                "submitted_parallelism": None,
                "rescaled": None,
            }
        )
        if there and active:
            raise runs_on_both(wanted, active[0], self._old.address, there[0], self._new.address)
        if there:
            return await self._gone_on_with(there[0], listed, recorded, base, wanted, jar)
        now = f"Job {active[0].job_id} goes on as it was" if active else "Nothing of it runs"
        await self._check_storage(former, wanted, now)
        await self._new.reconciler.check_start(base, wanted, jar, now)
        await self._old.reconciler.way_back.secure(former, now)
        before = Predecessor()
        if active:
            numbers = await self._old.reconciler.gate.numbers_before_stop(wanted, active[0])
            before = Predecessor(numbers)
        stopped = await self._stopped(recorded)
        earlier = await mark_moving(self._old.plane, recorded, [*active, *listed])
        there = [job for job in (await self._new.plane.jobs()).of(wanted.key) if job.active]
        if there:
            return await self._gone_on_with(there[0], listed, recorded, base, wanted, jar)
        origin = await self._back.origin(stopped, base.generation, wanted, earlier=earlier)
        await self._check_ended(stopped)  # it could be started there until the mark was put
        path, generation = origin.path, origin.generation
        of_stop = {"savepoints": stopped.savepoints, "last_savepoint": stopped.last_savepoint}
        base = base.model_copy(update={**of_stop, "generation": generation})
        try:
            started = wanted.model_copy(update={"restore_from": path})
            record = await self._start(base, started, jar)
        except MovedAway:
            raise
        except PermanentError as error:
            raise await self._back.did_not_start(stopped, origin, wanted, jar, error) from None
        except TemporaryError as error:
            error.complete(now=f"It has ended on {self._old.address}; its state is in {path}")
            raise
        return await self._moved(recorded, stopped, wanted, record, before)

    async def _gone_on_with(
        self,
        there: ObservedJob,
        listed: Sequence[ObservedJob],
        recorded: JobRecord,
        base: JobRecord,
        wanted: JobSpec,
        jar: Jar,
    ) -> JobRecord:
        """Go on with a version that another run has started on the new cluster."""
        self._say(f"{wanted.job_name}: an earlier run started it on {self._new.address}")
        begun = await self._back.begun(wanted, there.job_id)
        if begun is not None:
            raise await self._back.finish(recorded, wanted, begun)
        try:
            record = await self._start(base, wanted, jar)
        except MovedAway:
            raise
        except PermanentError as error:
            stopped = await self._back.state_left(recorded)
            origin = await self._back.origin(stopped, base.generation, wanted, earlier=True)
            origin = replace(origin, generation=base.generation)
            raise await self._back.did_not_start(stopped, origin, wanted, jar, error) from None
        ended = listed[0] if listed else None
        numbers = await self._old.reconciler.gate.numbers_of_ended(wanted, ended)
        before = Predecessor(numbers, watched_before=True)
        return await self._moved(recorded, None, wanted, record, before)

    async def _check_ended(self, stopped: JobRecord) -> None:
        """Check that no other run has started the job again where it was stopped.

        Raises:
            PermanentError: One has.
        """
        rows = submissions_of(stopped, await self._old.plane.jobs())
        again = next((row for row in rows if row.active), None)
        if again is not None:
            await unmark_moving(self._old.plane, stopped, again.generation)
            raise started_meanwhile(stopped.spec, again, "and this run has started none")

    async def _start(self, base: JobRecord, wanted: JobSpec, jar: Jar) -> JobRecord:
        # Its gate is asked when it is up: one that does not pass goes back to the other cluster.
        ungated = {"health": None, "settle_time": "0s"} if wanted.health else {}
        ungated_job = wanted.model_copy(update=ungated)
        try:
            return await self._new.reconciler.bring_about(base, ungated_job, jar, Carried.OVER)
        except JobVanished as error:
            raise self._lost(error) from None

    async def _moved(
        self,
        recorded: JobRecord,
        stopped: JobRecord | None,
        wanted: JobSpec,
        record: JobRecord,
        before: Predecessor,
    ) -> JobRecord:
        """Return the record of a job that runs on the new cluster, once it has passed its gate.

        `stopped` is its record with what it has left on the old one; None to be found if needed.
        """
        record = record.model_copy(update={"spec": wanted, "action": Action.UPDATE})
        job_id = str(record.job_id)
        try:
            if wanted.health and record.status.active:
                await self._watched(wanted, record, before)
        except GateFailed as failure:
            row = (await self._new.plane.jobs()).by_id.get(job_id)
            if not keeps(wanted) or row is None or not row.active:
                raise await self._back.not_passed(recorded, stopped, record, failure) from None
            kept = FailedGate(check=failure.check, reason=failure.reason, earlier=before.numbers)
            record = record.model_copy(update={"gate_failed": kept})
            raise gate_kept(await self._given_up(recorded, record)) from None
        begun = await self._back.begun(wanted, job_id)
        if begun is not None:
            raise await self._back.finish(recorded, wanted, begun)
        return await self._given_up(recorded, record)

    async def _watched(self, wanted: JobSpec, record: JobRecord, before: Predecessor) -> None:
        """Wait until a job has passed its gate on the new cluster.

        Raises:
            GateFailed: It did not, or it has ended.
            TemporaryError: Its cluster stopped answering, or lost it; the next run goes on.
        """
        starter, job_id = self._new.reconciler.starter, str(record.job_id)
        try:
            await starter.watch(wanted, job_id, record.restored_from, before)
        except GateFailed:
            raise
        except JobVanished as error:
            raise self._lost(error) from None
        except ActionFailed as error:
            raise GateFailed(f"health.max_restarts: {error.reason}") from None
        except TemporaryError as error:
            error.complete(now=f"It was moved: job {job_id} runs on {self._new.address}")
            raise

    async def _stopped(self, recorded: JobRecord) -> JobRecord:
        """Stop the job where it is; return its record, with the state that it left.

        Raises:
            StateUnavailable: It has finished; or its state is not known, or cannot be restored.
        """
        former = recorded.spec
        stop = former.model_copy(update={"desired_state": DesiredState.STOPPED})
        stopped = await self._old.reconciler.bring_about(recorded, stop, str(former.jar_digest))
        if stopped.status is JobStatus.FINISHED:
            raise finished_meanwhile(former, stopped.job_id)
        if stopped.action is Action.STOP and stopped.last_savepoint:
            return stopped
        return await self._back.state_left(recorded)

    def _lost(self, error: JobVanished) -> JobVanished:
        """Return the error of a job that the new cluster lost before the move was recorded."""
        return JobVanished(
            error.happened,
            now=error.now,
            remedy="Run again: it goes on from its newest checkpoint there; where none can be read "
            "from here, from the savepoint of the move, and what it has committed since is written "
            "again",
        )

    async def _given_up(self, recorded: JobRecord, record: JobRecord) -> JobRecord:
        """Return the record of a job that was moved; its jars on the old cluster are removed.

        Those of whoever had it before go as well: nobody else would remove them.
        """
        try:
            for identity in identities(recorded, record.spec):
                await self._old.plane.forget_jars(identity, frozenset())
                await unmark_swallowed(self._old.plane, identity)
        except (ActionFailed, TemporaryError) as error:
            self._say(f"{record.spec.job_name}: old jars could not be removed: {error}")
        return record

    async def _check_storage(self, former: JobSpec, wanted: JobSpec, now: str) -> None:
        """Refuse a move whose savepoint is on a disk that the new cluster certainly has not."""
        directory = former.savepoint_directory
        directory = directory or (await self._old.plane.facts()).savepoint_directory
        if not directory:
            raise StateUnavailable(
                f"{wanted.job_name}: no savepoint can be taken, since neither the job nor "
                f"{self._old.address} names a savepoint directory",
                now=now,
                remedy=Remedy.NAME_SAVEPOINT_DIRECTORY,
            )
        local = directory.startswith(("/", "file:"))
        if local and self._old.loopback != self._new.loopback:
            raise StateUnavailable(
                f"{wanted.job_name}: its savepoints lie in {directory}, on the disks of "
                f"{self._old.address}, which {self._new.address} does not have",
                now=now,
                remedy="Set savepoint_directory to a storage that both clusters reach, in a run "
                "before",
            )
