"""STOP, CANCEL and DELETE: ending a job, for now or for good; and savepoints while it goes on."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose, SavepointRequest
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    DeadlineExceeded,
    JobError,
    StateUnavailable,
    TemporaryError,
)
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import RestorePoint, SavepointReason
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import (
    Seen,
    identities,
    rehearsal_identities,
    submissions_of,
)
from flink_jobs_provider.reconciling.flink.preflight import Preflight, SavepointTerms
from flink_jobs_provider.reconciling.job_errors import no_retained_checkpoint, too_old, vanished
from flink_jobs_provider.reconciling.record_updates import (
    NOTHING_TO_STOP,
    add_aside,
    done,
    keep,
    record_of,
    savepoint_output,
    with_found,
)

#: How long a job whose tasks do not all run is given to come up, before a savepoint is given up.
_UNHEALTHY_GRACE = 30.0


@dataclass(frozen=True)
class Stopper:
    """Takes savepoints and ends jobs; an error states how the job is afterwards."""

    _plane: ControlPlane
    _watch: JobWatch
    _states: StateFinder
    _preflight: Preflight
    _say: Say

    def _now(self) -> float:
        return self._watch.waiter.clock.wall()

    async def last_state_time(self, job: ObservedJob) -> int:
        """Return when the state was taken that a job would go on from if it were cancelled now.

        That is its newest checkpoint; its start, where none has completed since. It is in
        milliseconds since the epoch.
        """
        statistics = await self._plane.checkpoints(job.job_id)
        return (statistics.checkpoint_time if statistics else 0) or job.started

    async def foresee_last_state(self, recorded: JobRecord) -> tuple[ObservedJob, int] | None:
        """Return a running job, and when the state was taken that a cancel would leave; or None."""
        row = (await self._plane.jobs()).by_id.get(recorded.job_id or "")
        running = row is not None and row.active
        return (row, await self.last_state_time(row)) if row and running else None

    async def cancel_for_last_state(self, wanted: JobSpec, current: ObservedJob) -> RestorePoint:
        """Cancel a job whose checkpoints outlive it, and return the last of them.

        Raises:
            StateUnavailable: Its checkpoints end with it, or the newest is too old; it goes on.
            TemporaryError: The cluster lost it meanwhile.
        """
        retained = (await self._plane.checkpointing(current.job_id)).retained
        origin = None
        if retained or not current.healthy:
            origin = await self._states.restarts_from(current, retained=retained)
        if origin is None:
            raise no_retained_checkpoint(wanted.job_name, current.job_id)
        if refusal := too_old(wanted, current, await self.last_state_time(current), self._now()):
            raise refusal
        self._say(f"{wanted.job_name}: cancelling job {current.job_id}, to go on from {origin}")
        ended = await self.cancel(wanted, current)
        if ended is None:  # it may have completed another one since, and dropped this one
            raise vanished(
                f"{wanted.job_name}: its cluster lost it while it was cancelled", current.job_id
            )
        return await self._states.of_ended(ended) or RestorePoint(origin, "checkpoint")

    async def cancel(self, wanted: SavepointTerms, job: ObservedJob) -> ObservedJob | None:
        """Cancel a job and wait for its end; return its last row, none where it is not listed."""
        await self._plane.cancel(job.job_id)
        try:
            return await self._watch.until_ended(
                job.job_id, wanted.timeout("cancel"), wanted.job_name
            )
        except DeadlineExceeded as error:
            raise DeadlineExceeded(
                f"{wanted.job_name}: {error.happened}",
                now="It is being cancelled, and nothing else was started",
                remedy="Run again to go on",
            ) from None

    async def take(
        self,
        wanted: SavepointTerms,
        job: ObservedJob,
        purpose: Purpose,
        occasion: str = "",
        *,
        drain: bool = False,
    ) -> str:
        """Take a savepoint of a running job; an error states how the job is then.

        A stop of a job that never got going returns what it started from: that is its state.
        """
        now = f"Job {job.job_id} goes on as it was"
        layout = await self._preflight.savepoint_layout(wanted, now)
        place = layout.of_deletion if purpose is Purpose.DELETE else layout.of_submission
        request = SavepointRequest(
            job.job_id, place(job.job_id), purpose, wanted.savepoint_format, occasion, drain
        )
        try:
            await self._until_healthy(wanted, job)
        except StateUnavailable:
            origin = None
            if purpose is Purpose.STOP:
                origin = await self._states.restarts_from(job, retained=False)
            if origin is None:
                raise
            self._say(
                f"{wanted.job_name}: cancelling job {job.job_id}, which has completed no "
                f"checkpoint since it was started from {origin}"
            )
            await self.cancel(wanted, job)
            return origin
        self._say(
            f"{wanted.job_name}: "
            + ("stopping with a savepoint" if request.stops else "taking a savepoint")
            + (", after all timers and windows have fired" if drain else "")
        )
        try:
            path = await self._plane.take_savepoint(request, wanted.timeout("savepoint"))
        except JobError as error:
            raise await self._savepoint_failed(wanted, job, request, error) from None
        if request.stops:
            await self._watch.until_ended(job.job_id, wanted.timeout("cancel"), wanted.job_name)
        return path

    async def take_whole(
        self, terms: SavepointTerms, job: ObservedJob, purpose: Purpose, occasion: str = ""
    ) -> str:
        """Take a savepoint, and check that it is whole as far as that is seen; return its path.

        While a job goes on, another one can be started from it, which claims nothing. The same
        occasion finds the same savepoint for five minutes.

        Raises:
            ActionFailed: It failed, or was seen not to be whole.
            StateUnavailable: None can be taken, since not all tasks of the job run.
        """
        path = await self.take(terms, job, purpose, occasion)
        finding = await self._states.inspect(path)
        if finding.broken:
            ended = "ended with it" if purpose is not Purpose.SAVEPOINT else "goes on as it was"
            raise ActionFailed(
                f"{terms.job_name}: the savepoint {path} {finding}",
                now=f"Job {job.job_id} {ended}",
                remedy="See that the cluster writes savepoints to the storage that is read here",
            )
        return path

    async def await_stop(self, wanted: SavepointTerms, job: ObservedJob) -> bool:
        """Wait for a stop that an earlier run has begun; whether the job has ended by it.

        Raises:
            DeadlineExceeded: It goes on.
        """
        request = SavepointRequest(job.job_id, "", Purpose.STOP, wanted.savepoint_format)
        try:
            path = await self._plane.await_savepoint(request, wanted.timeout("savepoint"))
        except TemporaryError as error:
            raise await self._savepoint_failed(wanted, job, request, error) from None
        if path is None:
            return False
        await self._watch.until_ended(job.job_id, wanted.timeout("cancel"), wanted.job_name)
        return True

    async def cancel_stillborn(self, wanted: SavepointTerms, job: ObservedJob) -> bool:
        """Cancel a job that began from nothing and never got going; whether it was one."""
        if job.healthy:
            return False
        try:
            await self._until_healthy(wanted, job)
        except StateUnavailable:
            statistics = await self._plane.checkpoints(job.job_id)
            if statistics and not statistics.completed and not statistics.restored_from:
                self._say(f"{wanted.job_name}: cancelling job {job.job_id}, which never came up")
                await self.cancel(wanted, job)
                return True
        return False

    async def _until_healthy(self, wanted: SavepointTerms, job: ObservedJob) -> None:
        """Wait a while for a job whose tasks do not all run: no savepoint of it can be taken."""
        if job.healthy:
            return
        try:
            await self._watch.until_running(job.job_id, _UNHEALTHY_GRACE, wanted.job_name)
        except (ActionFailed, DeadlineExceeded) as error:
            happened = (
                f"{wanted.job_name}: no savepoint can be taken while its tasks do not all run: "
                f"{error.happened}"
            )
            seen = (await self._plane.jobs()).by_id.get(job.job_id)
            if seen is None:
                raise vanished(happened, job.job_id) from None
            if not seen.active:
                raise StateUnavailable(
                    happened,
                    now=f"Job {job.job_id} has ended, and nothing else was started",
                    remedy="Run again: it is started from its newest savepoint or checkpoint",
                ) from None
            raise StateUnavailable(
                happened,
                now=f"Job {job.job_id} was left as it is",
                remedy=Remedy.LAST_STATE_OR_EMPTY,
            ) from None

    async def _savepoint_failed(
        self, wanted: SavepointTerms, job: ObservedJob, request: SavepointRequest, error: JobError
    ) -> JobError:
        """Return the error for a savepoint that failed: a stop that fails can end the job."""
        what = "stop with savepoint" if request.stops else "savepoint"
        happened = f"{wanted.job_name}: the {what} failed: {error.happened}"
        if isinstance(error, DeadlineExceeded):
            return DeadlineExceeded(
                f"{wanted.job_name}: the {what} has not ended in {wanted.timeouts.savepoint}",
                now="It goes on, on the cluster; no other version was started",
                remedy=Remedy.WAIT_FOR_SAVEPOINT,
            )
        if isinstance(error, TemporaryError):
            return TemporaryError(happened, now="No other version was started", remedy=error.remedy)
        seen = (await self._plane.jobs()).by_id.get(job.job_id)
        if seen is not None and seen.ending:
            # Its end decides what the next run starts from, so that is reported.
            with contextlib.suppress(DeadlineExceeded):
                seen = await self._watch.until_ended(
                    job.job_id, wanted.timeout("cancel"), wanted.job_name
                )
        if seen is None:
            return vanished(happened, job.job_id)
        if seen.active:
            now = f"Job {job.job_id} is {seen.state}; no other version was started"
            return ActionFailed(happened, now=now, remedy="Fix what failed, and run again")
        point = await self._states.of_ended(seen)
        now = f"Job {job.job_id} is now {seen.state}; nothing was started without state"
        remedy = "Run again: it starts from its newest savepoint or retained checkpoint"
        if point:
            remedy += f", {point}"
        return ActionFailed(happened, now=now, remedy=remedy)


@dataclass(frozen=True)
class Ender:
    """Ends the submissions of a job."""

    _plane: ControlPlane
    _stopper: Stopper
    _states: StateFinder
    _say: Say

    async def cancel(self, recorded: JobRecord) -> bool:
        """End all submissions of a job without a savepoint; return whether any had not ended."""
        spec = recorded.spec
        ours = submissions_of(recorded, await self._plane.jobs())
        active = [job for job in ours if job.active]
        for job in active:
            await self._stopper.cancel(spec, job)
        return bool(active)

    async def delete(self, recorded: JobRecord) -> Removed:
        """End all submissions of a job, and remove their jars. May be called again.

        Raises:
            JobError: It is not gone.
        """
        spec = recorded.spec
        ours = submissions_of(recorded, await self._plane.jobs())
        path = None
        for job in (job for job in ours if job.active):
            if spec.on_delete is OnDelete.SAVEPOINT:
                drain = spec.drain and job is ours[0]  # an older copy has the same windows
                path = await self._stopper.take(spec, job, Purpose.DELETE, drain=drain)
            else:
                await self._stopper.cancel(spec, job)
        ended = ClusterSnapshot.ended(submissions_of(recorded, await self._plane.jobs()))
        if path is None and spec.on_delete is OnDelete.SAVEPOINT and ended:
            point = await self._states.of_ended(ended[0])
            path = point.path if point else None
        for identity in identities(recorded, spec) | rehearsal_identities(recorded, spec):
            await self._plane.forget_jars(identity, frozenset())
        return Removed(path)

    async def stop(self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen) -> JobRecord:
        """STOP: end the job with a savepoint, or record that it has ended."""
        record = recorded or JobRecord(spec=wanted, status=JobStatus.STOPPED)
        path = None
        for job in reversed(seen.active):  # the newest last: its savepoint is the one to go on from
            drain = wanted.drain and job is seen.active[0]  # an older copy has the same windows
            path = await self._stopper.take(wanted, job, Purpose.STOP, drain=drain)
            base = record if recorded else record_of(wanted, job)
            record = keep(base, path, SavepointReason.STOP)
        status, left = JobStatus.STOPPED, None
        if not seen.active and recorded and recorded.status is not JobStatus.STOPPED:
            path, record, status = await self._found_ended(recorded, wanted, seen)
            left = record.restore_point
        action = Action.STOP if path else record.action
        output = savepoint_output(path) if path else record.job_output
        return done(record, wanted, action, output).model_copy(
            update={"status": status, "running_parallelism": None, "restore_point": left}
        )

    async def _found_ended(
        self, recorded: JobRecord, wanted: JobSpec, seen: Seen
    ) -> tuple[str | None, JobRecord, JobStatus]:
        """Return how a job is that ended before it was to be stopped.

        Returns:
            The savepoint of a stop by a run that died, or None; the record, with the savepoint or
            checkpoint that was found; and the job's status.
        """
        recorded = recorded.model_copy(update={"restore_point": None})
        newest = seen.ended[0] if seen.ended else None
        if newest is None or newest.generation < recorded.generation:
            if recorded.status is JobStatus.FINISHED:
                return None, recorded, JobStatus.FINISHED
            # Its cluster has forgotten it; a stop by a run that died has left its savepoint.
            point = await self._states.newest(wanted, (), recorded)
            whole = point if point and not point.broken else None
            return None, _ended_without_stop(recorded, "is no longer listed", whole), _STOPPED
        if await self._states.came_to_its_end(newest):
            return None, recorded, JobStatus.FINISHED
        point = await self._states.of_ended(newest)
        saved = point if point and point.what == "savepoint" else None
        if newest.state != "FINISHED" or saved is None:
            return None, _ended_without_stop(recorded, f"is {newest.state}", point), _STOPPED
        record = keep(recorded, saved.path, SavepointReason.STOP, saved.taken_at)
        return saved.path, record, _STOPPED

    async def stop_duplicate(
        self, recorded: JobRecord | None, wanted: JobSpec, older: ObservedJob
    ) -> JobRecord | None:
        """End the older of two copies; with a savepoint, since it is unknown which state counts."""
        self._say(f"{wanted.job_name}: two copies run; stopping the older one, {older.job_id}")
        path = await self._stopper.take(wanted, older, Purpose.STOP)
        return add_aside(recorded, path, SavepointReason.DUPLICATE) if recorded else None


_STOPPED = JobStatus.STOPPED


def _ended_without_stop(recorded: JobRecord, how: str, point: RestorePoint | None) -> JobRecord:
    """Return the record of a job that ended before its stop, with the state that is left of it."""
    state = f"its state is {point}" if point else "no savepoint or checkpoint of it is known"
    output = f"{NOTHING_TO_STOP}: job {recorded.job_id} {how}; {state}"
    checkpoint = point if point and point.what == "checkpoint" else None
    return with_found(recorded, point).model_copy(
        update={"job_output": output, "restore_point": checkpoint}
    )
