"""STOP, CANCEL and DELETE: ending a job, for now or for good, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import JobSpec, OnDelete
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Seen, identities
from flink_jobs_provider.reconciling.flink.stop import Stopper
from flink_jobs_provider.reconciling.record_updates import (
    add_aside,
    done,
    keep,
    savepoint_output,
)


class Ender:
    """Ends the submissions of a job."""

    def __init__(
        self,
        plane: ControlPlane,
        stopper: Stopper,
        states: StateFinder,
        say: Callable[[str], None],
    ) -> None:
        self._plane = plane
        self._stopper = stopper
        self._states = states
        self._say = say

    async def cancel(self, recorded: JobRecord) -> bool:
        """End all submissions of a job without a savepoint. May be called again.

        Returns:
            Whether any of them had not ended.
        """
        spec = recorded.spec
        ours = (await self._plane.jobs()).of(spec.key, recorded=recorded.job_id)
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
        ours = (await self._plane.jobs()).of(spec.key, recorded=recorded.job_id)
        path = None
        for job in (job for job in ours if job.active):
            if spec.on_delete is OnDelete.SAVEPOINT:
                path = await self._stopper.take(spec, job, Purpose.DELETE)
            else:
                await self._stopper.cancel(spec, job)
        if path is None and spec.on_delete is OnDelete.SAVEPOINT and ours:
            point = await self._states.of_ended(ours[0])
            path = point.path if point else None
        for identity in identities(recorded, spec):
            await self._plane.forget_jars(identity, frozenset())
        return Removed(path)

    async def stop(self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen) -> JobRecord:
        """STOP: end the job with a savepoint, or record that it has ended."""
        record = recorded or JobRecord(spec=wanted, status=JobStatus.STOPPED)
        path = None
        for job in reversed(seen.active):  # the newest last: its savepoint is the one to go on from
            path = await self._stopper.take(wanted, job, Purpose.STOP)
            base = recorded and record
            record = keep(base, path, SavepointReason.STOP, wanted, job)
        status = JobStatus.STOPPED
        if not seen.active and recorded and recorded.status is not JobStatus.STOPPED:
            path, record, status = await self._found_ended(recorded, wanted, seen)
        action = Action.STOP if path else record.action
        output = savepoint_output(path) if path else record.job_output
        return done(record, wanted, action, output).model_copy(
            update={"status": status, "running_parallelism": None}
        )

    async def _found_ended(
        self, recorded: JobRecord, wanted: JobSpec, seen: Seen
    ) -> tuple[str | None, JobRecord, JobStatus]:
        """Return how a job is that ended before it was to be stopped.

        Returns:
            The savepoint of a stop by a run that died, or None; the record, with the savepoint
            that was found; and the job's status.
        """
        newest = seen.ended[0] if seen.ended else None
        if newest is None or newest.generation < recorded.generation:
            finished = recorded.status is JobStatus.FINISHED
            return None, recorded, JobStatus.FINISHED if finished else JobStatus.STOPPED
        if await self._states.came_to_its_end(newest):
            return None, recorded, JobStatus.FINISHED
        point = await self._states.of_ended(newest)
        if point is None or point.what != "savepoint":
            return None, recorded, JobStatus.STOPPED
        stopped = newest.state == "FINISHED"
        reason = SavepointReason.STOP if stopped else SavepointReason.FOUND
        record = keep(recorded, point.path, reason, wanted, newest, taken_at=point.taken_at)
        return point.path if stopped else None, record, JobStatus.STOPPED

    async def stop_duplicate(
        self, recorded: JobRecord | None, wanted: JobSpec, older: ObservedJob
    ) -> JobRecord | None:
        """End the older of two copies; with a savepoint, since it is unknown which state counts."""
        self._say(f"{wanted.job_name}: two copies run; stopping the older one, {older.job_id}")
        path = await self._stopper.take(wanted, older, Purpose.STOP)
        return add_aside(recorded, path, SavepointReason.DUPLICATE) if recorded else None
