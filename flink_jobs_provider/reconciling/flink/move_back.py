"""Taking a job back that was carried to another Flink cluster, and is no good there.

It goes on, where it was, from the newest state that it has left on the new cluster: its sinks may
have committed what is in that. A mark on the new cluster, put before the version there is ended,
keeps any other run from starting it there once more; such a run takes it back as well, so that of
two runs at once both end with the same job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    GateFailed,
    JobError,
    PermanentError,
    StartedMeanwhile,
    TemporaryError,
)
from flink_jobs_provider.model.identity import generation_of, spec_digits_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import RestorePoint, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.failed_version import (
    GOES_ON,
    WRITTEN_AGAIN,
    FailedVersions,
    Return,
)
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.move_marks import (
    mark_version,
    moving_mark,
    unmark_moving,
    unmark_version,
)
from flink_jobs_provider.reconciling.flink.moved_state import MovedFrom, MovedState
from flink_jobs_provider.reconciling.flink.observer import Carried, submissions_of
from flink_jobs_provider.reconciling.flink.submissions import Starter, submission
from flink_jobs_provider.reconciling.flink.swallowed import (
    mark_swallowed,
    swallowed,
    unmark_swallowed,
)
from flink_jobs_provider.reconciling.flink.way_back import WayBack
from flink_jobs_provider.reconciling.health_conditions import OutputFlows
from flink_jobs_provider.reconciling.job_errors import (
    broken_state,
    neither_started,
    no_state,
    runs_on_both,
)
from flink_jobs_provider.reconciling.record_updates import with_found


class ReconcilerHere(Protocol):
    """What a move asks of the reconciler of each of the two clusters."""

    way_back: WayBack
    gate: GateWatch
    starter: Starter
    failed: FailedVersions
    states: StateFinder

    async def bring_about(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        carried: Carried | None = None,
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
class MoveBack:
    """Takes a job back from the new cluster to the old one."""

    _old: Place
    _new: Place
    _say: Say
    _wall: Callable[[], float]

    async def state_left(self, recorded: JobRecord) -> JobRecord:
        """Return the record of a job that has ended on the old cluster, with what it left there.

        Raises:
            StateUnavailable: That is not known, or cannot be restored.
        """
        former = recorded.spec
        point = await self._old.reconciler.find_start(recorded, former)
        if point is None:
            raise no_state(recorded, former, f"does not run on {self._old.address}")
        if point.broken:
            raise broken_state(former, recorded, point, None, self._wall())
        update = {"status": JobStatus.STOPPED, "last_savepoint": point.path}
        return with_found(recorded, point).model_copy(update=update)

    async def origin(
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

    async def begun(self, wanted: JobSpec, job_id: str) -> str | None:
        """Return the version on the new cluster that a run has begun to take back; or None.

        It is the given one, or the same that another run has started before.
        """
        mark = await moving_mark(self._new.plane, wanted.key, job_id)
        return mark.job_id if mark else None

    async def did_not_start(
        self,
        stopped: JobRecord,
        origin: MovedFrom,
        wanted: JobSpec,
        jar: Jar,
        error: PermanentError,
    ) -> JobError:
        """Start a job where it was that did not start; return the error that reports both."""
        tried = await self._tried(wanted, jar, origin)
        await self._mark(wanted, tried)
        listed = (await self._new.plane.jobs()).of(wanted.key)
        if any(job.active for job in listed):
            await unmark_version(self._new.plane, tried)
            return error
        path, note, otherwise = origin.path, "", None
        left = await self._new.reconciler.failed.left_by(wanted, tried)
        if left.completed:
            otherwise, note = (path, "") if left.point else (None, WRITTEN_AGAIN)
            path = left.point.path if left.point else path
        what = f"{wanted.job_name}: it did not start on {self._new.address}: {error.reason}"
        return await self._go_back(stopped, what, Return(path, otherwise, note), tried)

    async def _tried(self, wanted: JobSpec, jar: Jar, origin: MovedFrom) -> str:
        """Return the jobId of the version that did not start; Flink may not have listed it."""
        listed = (await self._new.plane.jobs()).of(wanted.key)
        tried = next((job for job in listed if job.generation > origin.generation), None)
        if tried is not None:
            return tried.job_id
        return submission(wanted, jar, origin.generation + 1, origin.path).job_id

    async def not_passed(
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
        if (again := await self._runs_again(recorded)) is not None:
            return await self._adopted(recorded, what, again, wanted, job_id)
        try:
            stopped = stopped or await self.state_left(recorded)
            await self._old.reconciler.way_back.secure(recorded.spec, "")
        except JobError as error:
            return ActionFailed(
                what,
                now=f"It goes on there as job {job_id}, since {self._old.address} cannot start it: "
                f"{error.reason}",
                remedy=Remedy.CHANGE_OR_WATCH_AGAIN,
            )
        returned = await self._ended(stopped, wanted, job_id, record.restored_from, failure)
        return await self._go_back(stopped, what, returned, job_id)

    async def finish(self, recorded: JobRecord, wanted: JobSpec, job_id: str) -> JobError:
        """Take a job back as another run has begun to, now or earlier; return the error.

        `job_id` is of the version on the new cluster, which that run has marked.
        """
        what = (
            f"{wanted.job_name}: another run has begun to take it back from {self._new.address}, "
            f"where job {job_id} had not started, or not passed its health gate"
        )
        if (again := await self._runs_again(recorded)) is not None:
            return await self._adopted(recorded, what, again, wanted, job_id)
        stopped = await self.state_left(recorded)
        row = (await self._new.plane.jobs()).by_id.get(job_id)
        if row is not None and row.active:
            failure, statistics = GateFailed(what), await self._new.plane.checkpoints(job_id)
            if await swallowed(self._old.plane, wanted, recorded, [job_id]):
                failure.check = OutputFlows.check
            restored = statistics.restored_from if statistics else stopped.last_savepoint
            returned = await self._ended(stopped, wanted, job_id, restored, failure)
        else:
            origin = await self.origin(stopped, recorded.generation, wanted, earlier=True)
            further = origin.left_there is not None
            returned = Return(origin.path, origin.of_stop, GOES_ON if further else "")
        return await self._go_back(stopped, what, returned, job_id)

    async def _adopted(
        self,
        recorded: JobRecord,
        what: str,
        again: ObservedJob,
        wanted: JobSpec,
        job_id: str,
    ) -> JobError:
        """Record a job that another run has taken back; return the error.

        A copy of the version that was taken back, which began when nobody had marked it yet, is
        ended: the job has gone on from the same state since.
        """
        for row in (await self._new.plane.jobs()).of(wanted.key):
            if row.active and row.job_id == job_id:
                return runs_on_both(wanted, again, self._old.address, row, self._new.address)
            if row.active and spec_digits_of(row.job_id) == spec_digits_of(job_id):
                self._say(f"{wanted.job_name}: cancelling {row.job_id} there, a later copy")
                await self._new.reconciler.starter.end(row.job_id, wanted)
        return await self._go_back(recorded, what, Return(None), job_id)

    async def _ended(
        self,
        stopped: JobRecord,
        wanted: JobSpec,
        job_id: str,
        restored: str | None,
        failure: GateFailed,
    ) -> Return:
        """End a version on the new cluster; return what the job goes on from on the old one."""
        # An earlier run may have stopped it there already: it has gone on from that state since.
        has_swallowed = failure.check == OutputFlows.check
        back = stopped.last_savepoint if has_swallowed else restored
        if has_swallowed:  # the old cluster may read the directories of the new one
            await mark_swallowed(self._old.plane, self._say, wanted, job_id)
        await self._mark(wanted, job_id)
        failed = self._new.reconciler.failed
        return await failed.end(wanted, job_id, failure, restored, back)

    async def _mark(self, wanted: JobSpec, job_id: str) -> None:
        try:
            await mark_version(self._new.plane, wanted.key.prefix, job_id, wanted.timeout("submit"))
        except ActionFailed as error:
            self._say(
                f"warning: {wanted.job_name}: job {job_id} could not be marked on "
                f"{self._new.address}, so that another run at the same time may start it there "
                f"again: {error.reason}"
            )

    async def _runs_again(self, recorded: JobRecord) -> ObservedJob | None:
        """Return the version that another run has taken back already; None for none."""
        rows = submissions_of(recorded, await self._old.plane.jobs())
        return next((row for row in rows if row.active), None)

    async def _go_back(
        self, stopped: JobRecord, what: str, returned: Return, job_id: str
    ) -> JobError:
        """Start a job where it was, or adopt it there; return the error that reports both.

        `job_id` is of the version on the new cluster. Until it runs, the mark on the old one stays:
        what it has done on the new one is not seen from there.
        """
        former = stopped.spec.model_copy(update={"desired_state": DesiredState.RUNNING})
        path, note, old = returned.path, returned.note, self._old
        self._say(f"{what}; going back to {old.address}")
        generation = max(generation_of(job_id), stopped.generation)
        base = stopped.model_copy(update={"spec": former, "generation": generation})
        wanted = former.model_copy(update={"health": None, "restore_from": path})
        digest = str(former.jar_digest)
        try:
            back = await old.reconciler.bring_about(base, wanted, digest, Carried.BACK)
        except StartedMeanwhile as error:
            return ActionFailed(what, now=error.now, remedy=error.remedy)
        except JobError as second:
            again = await self._runs_otherwise(second)
            if again is None:
                if not isinstance(second, TemporaryError):  # the next run starts it there again
                    await unmark_version(self._new.plane, job_id)
                now = neither_started(
                    second.reason, f"its state is in {path or stopped.last_savepoint}"
                )
                return ActionFailed(what, now=now, remedy="Fix it, and run again")
            self._say(f"{former.job_name}: {second.reason}")
            same = same_path(path, again.restored_from)
            back, note = again, note if same else WRITTEN_AGAIN
        if not back.status.active:
            return ActionFailed(
                what,
                now=f"Job {back.job_id} was started again on {old.address}, and has ended since",
                remedy="See that only one run works on this stack, and run again",
            )
        await unmark_moving(old.plane, stopped, back.generation)
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
