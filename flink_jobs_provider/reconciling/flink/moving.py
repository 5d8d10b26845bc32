"""Carrying a job to another Flink cluster with its state: stopped there, started from it here.

Where it stands is read from both clusters. It is started on the new one only when it has ended on
the old one; from then on a mark on the old one keeps it from being started there, which cannot see
the new one. A run that died is taken up: the savepoint of the stop is found again, and a version
that was started is adopted.

A job that does not start on the new one, or does not pass its health gate there, goes back. It goes
on from the newest state that it has left there, since its sinks may have committed what is in that;
so the mark stays until it runs again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    GateFailed,
    JobError,
    JobVanished,
    PermanentError,
    StateUnavailable,
    TemporaryError,
)
from flink_jobs_provider.model.health_gate import FailedGate
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import RestorePoint, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.failed_version import (
    WRITTEN_AGAIN,
    FailedVersions,
    Return,
)
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor, keeps
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.move_marks import mark_moving, unmark_moving
from flink_jobs_provider.reconciling.flink.moved_state import MovedFrom, MovedState
from flink_jobs_provider.reconciling.flink.observer import identities, submissions_of
from flink_jobs_provider.reconciling.flink.submissions import Starter
from flink_jobs_provider.reconciling.flink.swallowed import mark_swallowed, unmark_swallowed
from flink_jobs_provider.reconciling.flink.way_back import WayBack
from flink_jobs_provider.reconciling.health_conditions import OutputFlows
from flink_jobs_provider.reconciling.job_errors import (
    broken_state,
    finished_meanwhile,
    gate_kept,
    neither_started,
    no_state,
)


class ReconcilerHere(Protocol):
    """What a move asks of the reconciler of each of the two clusters."""

    way_back: WayBack
    gate: GateWatch
    starter: Starter
    failed: FailedVersions
    states: StateFinder

    async def bring_about(
        self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar | str, *, back: bool = False
    ) -> JobRecord:
        """Make a job as it is wanted, and return what is now so."""

    async def find_start(self, recorded: JobRecord, wanted: JobSpec) -> RestorePoint | None:
        """Return what a start would begin from, or None."""

    async def check_start(self, base: JobRecord, wanted: JobSpec, jar: Jar, now: str) -> None:
        """Check that a job which runs elsewhere could start here."""


@dataclass(frozen=True)
class Place:
    """One of the two clusters."""

    plane: ControlPlane
    reconciler: ReconcilerHere
    address: str
    loopback: bool = False


@dataclass(frozen=True)
class Move:
    """Carries a job from one cluster to another."""

    _old: Place
    _new: Place
    _say: Say
    _wall: Callable[[], float]

    async def carry_over(self, recorded: JobRecord, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Move a job; may be called again after a crash at any point.

        Raises:
            JobError: What happened, where the job runs now, and what to do.
        """
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
            raise PermanentError(
                f"{wanted.job_name}: it runs on both clusters, as job {active[0].job_id} on "
                f"{self._old.address} and as job {there[0].job_id} on {self._new.address}",
                now="Neither was touched",
                remedy="End the one that is not to go on (flink-jobs jobs stop keeps its state), "
                "and run again",
            )
        if there:
            self._say(f"{wanted.job_name}: an earlier run started it on {self._new.address}")
            record = await self._start(base, wanted, jar)
            ended = listed[0] if listed else None
            numbers = await self._old.reconciler.gate.numbers_of_ended(wanted, ended)
            before = Predecessor(numbers, watched_before=True)
            return await self._moved(recorded, None, wanted, record, before)
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
        origin = await self._origin(stopped, base.generation, wanted, earlier=earlier)
        path, generation = origin.path, origin.generation
        of_stop = {"savepoints": stopped.savepoints, "last_savepoint": stopped.last_savepoint}
        base = base.model_copy(update={**of_stop, "generation": generation})
        try:
            record = await self._start(base, wanted.model_copy(update={"restore_from": path}), jar)
        except PermanentError as error:
            raise await self._did_not_start(stopped, origin, wanted, error) from None
        except TemporaryError as error:
            error.complete(now=f"It has ended on {self._old.address}; its state is in {path}")
            raise
        return await self._moved(recorded, stopped, wanted, record, before)

    async def _start(self, base: JobRecord, wanted: JobSpec, jar: Jar) -> JobRecord:
        # Its gate is asked when it is up: one that does not pass goes back to the other cluster.
        ungated = {"health": None, "settle_time": "0s"} if wanted.health else {}
        ungated_job = wanted.model_copy(update=ungated)
        try:
            return await self._new.reconciler.bring_about(base, ungated_job, jar)
        except JobVanished as error:
            raise self._lost(error) from None

    async def _origin(
        self, stopped: JobRecord, generation: int, wanted: JobSpec, *, earlier: bool
    ) -> MovedFrom:
        """Return what the job starts from: what it left on the new cluster, or that of the stop.

        `earlier` is whether an earlier run may have started it there.
        """
        name, address = wanted.job_name, self._new.address
        there = MovedState(self._new.plane, self._new.reconciler.states)
        origin = await there.of(stopped, generation, wanted)
        point = origin.left_there
        if point is not None and point.broken:
            raise broken_state(wanted, stopped, point, None, self._wall())
        if point is not None:
            self._say(
                f"{name}: an earlier run started it on {address}; going on from "
                f"{point.with_age(self._wall())}, its newest state there"
            )
        elif earlier and not origin.all_seen:
            self._say(
                f"warning: {name}: the checkpoints of {address} cannot be listed from here: what "
                "the job has committed there, if an earlier run had started it, is written again"
            )
        return origin

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
        if wanted.health is None or not record.status.active:
            return await self._given_up(recorded, record)
        try:
            await self._watched(wanted, record, before)
        except GateFailed as failure:
            row = (await self._new.plane.jobs()).by_id.get(str(record.job_id))
            if not keeps(wanted) or row is None or not row.active:
                raise await self._not_passed(recorded, stopped, record, failure) from None
            kept = FailedGate(check=failure.check, reason=failure.reason, earlier=before.numbers)
            record = record.model_copy(update={"gate_failed": kept})
            raise gate_kept(await self._given_up(recorded, record)) from None
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
        point = await self._old.reconciler.find_start(recorded, former)
        if point is None:
            raise no_state(recorded, former, f"does not run on {self._old.address}")
        if point.broken:
            raise broken_state(former, recorded, point, None, self._wall())
        update = {"status": JobStatus.STOPPED, "last_savepoint": point.path}
        return recorded.model_copy(update=update)

    async def _did_not_start(
        self, stopped: JobRecord, origin: MovedFrom, wanted: JobSpec, error: PermanentError
    ) -> JobError:
        """Start a job where it was that did not start; return the error that reports both."""
        listed = (await self._new.plane.jobs()).of(wanted.key)
        if any(job.active for job in listed):
            return error
        path, note = origin.path, ""
        tried = next((job for job in listed if job.generation > origin.generation), None)
        left = await self._new.reconciler.failed.left_by(wanted, tried.job_id) if tried else None
        otherwise = None
        if left and left.completed:
            otherwise, note = (path, "") if left.point else (None, WRITTEN_AGAIN)
            path = left.point.path if left.point else path
        what = f"{wanted.job_name}: it did not start on {self._new.address}: {error.reason}"
        generation = tried.generation if tried else origin.generation
        return await self._go_back(stopped, what, Return(path, otherwise, note), generation)

    async def _not_passed(
        self,
        recorded: JobRecord,
        stopped: JobRecord | None,
        record: JobRecord,
        failure: GateFailed,
    ) -> JobError:
        """End a job that did not pass its gate, and start it where it was; return the error.

        Where the state of the stop is not known any more, it is left running.
        """
        wanted, address, job_id = record.spec, self._new.address, str(record.job_id)
        why = f"it did not pass its health gate on {address}: {failure.reason}"
        what = f"{wanted.job_name}: {why}"
        try:
            stopped = stopped or await self._stopped(recorded)
            await self._old.reconciler.way_back.secure(recorded.spec, "")
        except JobError as error:
            return ActionFailed(
                what,
                now=f"It goes on there as job {job_id}, since {self._old.address} cannot start it: "
                f"{error.reason}",
                remedy=Remedy.CHANGE_OR_WATCH_AGAIN,
            )
        # An earlier run may have stopped it there already: it has gone on from that state since.
        origin, swallowed = record.restored_from, failure.check == OutputFlows.check
        back = stopped.last_savepoint if swallowed else origin
        if swallowed:  # the old cluster may read the directories of the new one
            await mark_swallowed(self._old.plane, self._say, wanted, job_id)
        returned = await self._new.reconciler.failed.end(wanted, job_id, failure, origin, back)
        return await self._go_back(stopped, what, returned, record.generation)

    async def _go_back(
        self, stopped: JobRecord, what: str, returned: Return, generation: int
    ) -> JobError:
        """Start a job where it was; return the error that reports both.

        Until it runs the mark stays: what it has done on the new cluster is not seen from here.
        """
        former = stopped.spec.model_copy(update={"desired_state": DesiredState.RUNNING})
        path, note, old = str(returned.path), returned.note, self._old
        self._say(f"{what}; going back to {old.address}")
        base = stopped.model_copy(
            update={"spec": former, "generation": max(generation, stopped.generation)}
        )
        wanted = former.model_copy(update={"health": None, "restore_from": path})
        digest = str(former.jar_digest)
        try:
            back = await old.reconciler.bring_about(base, wanted, digest, back=True)
        except JobError as second:
            again = await self._runs_otherwise(second)
            if again is None:
                now = neither_started(second.reason, f"its state is in {path}")
                return ActionFailed(what, now=now, remedy="Fix it, and run again")
            self._say(f"{former.job_name}: {second.reason}")
            same = same_path(path, again.restored_from)
            back, note = again, note if same else WRITTEN_AGAIN
        await unmark_moving(old.plane, stopped)
        for place in (self._new, old):
            await unmark_swallowed(place.plane, stopped.spec.key.prefix)
        failed = ActionFailed(
            what,
            now=f"It runs again on {old.address} as job {back.job_id}, from {back.restored_from}"
            f"{note}",
            remedy="Fix what it names, and run again",
        )
        failed.partial = back.model_copy(update={"spec": former})
        return failed

    async def _runs_otherwise(self, error: JobError) -> JobRecord | None:
        """Return the record of a job that runs again from the savepoint of before the move.

        So it does where its cluster cannot read what it has left on the new one.
        """
        record = error.partial
        rows = (await self._old.plane.jobs()).by_id
        if not isinstance(record, JobRecord) or record.job_id not in rows:
            return None
        return record if rows[str(record.job_id)].active else None

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
