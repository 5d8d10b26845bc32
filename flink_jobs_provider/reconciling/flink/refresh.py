"""Reading a recorded job back from its cluster: what drifted, without touching anything."""

from __future__ import annotations

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint, SavepointReason, is_checkpoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Observer
from flink_jobs_provider.reconciling.flink.rescale import rescaling
from flink_jobs_provider.reconciling.record_updates import keep
from flink_jobs_provider.reconciling.retention import retention
from flink_jobs_provider.reconciling.waiting import Waiter

#: Reads of one refresh share a list that is at most this old, in seconds.
SHARED_AGE = 15.0


class Reader:
    """Looks at recorded jobs; a whole refresh costs one list call for each cluster."""

    def __init__(
        self, plane: ControlPlane, states: StateFinder, observer: Observer, waiter: Waiter
    ) -> None:
        self._plane = plane
        self._waiter = waiter
        self._states = states
        self._observer = observer

    async def look_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now, and what a start would begin from.

        That is found as the start itself finds it.
        """
        seen = await self.look(recorded)
        if seen.status.active or seen.status is JobStatus.STOPPED or seen.job_id is None:
            return seen.model_copy(update={"restore_point": None})
        point = await self.find_start(seen, seen.spec)
        return seen.model_copy(update={"restore_point": point})

    async def find_start(self, recorded: JobRecord, wanted: JobSpec) -> RestorePoint | None:
        """Return what a start would begin from, found as the start itself finds it; or None."""
        snapshot = await self._plane.jobs(max_age=SHARED_AGE)
        ours = snapshot.of(recorded.spec.key, recorded=recorded.job_id)
        ended = [job for job in ours if not job.active]
        return await self._states.newest(wanted, ended, recorded)

    async def look(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now.

        "Never existed", "ended", "no longer known" and "cannot be reached" are told apart: the
        last is an error, and a job that has vanished is LOST, not gone.
        """
        snapshot = await self._plane.jobs(max_age=SHARED_AGE)
        shown = recorded.unconfirmed in snapshot.by_id
        if shown:
            recorded = recorded.model_copy(update={"unconfirmed": None})
        ours = snapshot.of(recorded.spec.key, recorded=recorded.job_id)
        active = [job for job in ours if job.active]
        if active:
            return await self._active(recorded, active)
        quiet = recorded.model_copy(update={"duplicates": [], "other_version": False})
        if recorded.status is JobStatus.STOPPED or (recorded.job_id is None and not shown):
            return quiet
        ended = [job for job in ours if job.generation >= recorded.generation]
        if ended:
            return await self._ended(quiet, ended[0])
        if not recorded.status.active:
            return quiet  # it had ended before, and the cluster has forgotten it since
        return quiet.model_copy(
            update={
                "status": JobStatus.LOST,
                "job_output": f"The cluster no longer knows job {recorded.job_id}",
                "running_parallelism": None,
                "rescaled": None,
            }
        )

    async def _active(self, recorded: JobRecord, active: list[ObservedJob]) -> JobRecord:
        newest = active[0]
        update: dict[str, object] = {
            "status": newest.status,
            "duplicates": [job.job_id for job in active[1:]],
        }
        if newest.job_id != recorded.job_id:
            recorded = recorded.model_copy(update={"submitted_parallelism": None, "rescaled": None})
            same, restored_from = await self._observer.submitted_as(newest, recorded, recorded.spec)
            update |= {
                "job_id": newest.job_id,
                "generation": newest.generation,
                "restored_from": restored_from,
                "retains_checkpoints": await retention(self._plane, newest.job_id),
                "other_version": not same,
                "dashboard_url": self._plane.dashboard(newest.job_id),
                "running_parallelism": await self._plane.parallelism(newest.job_id),
            }
            if restored_from and restored_from in {known.path for known in recorded.savepoints}:
                update["last_savepoint"] = restored_from
            elif restored_from and not is_checkpoint(restored_from):
                recorded = keep(
                    recorded, restored_from, SavepointReason.FOUND, recorded.spec, taken_at=""
                )
        update |= await rescaling(self._plane, recorded, newest)
        return recorded.model_copy(update=update)

    async def _ended(self, recorded: JobRecord, job: ObservedJob) -> JobRecord:
        update: dict[str, object] = {
            "status": job.status,
            "running_parallelism": None,
            "rescaled": None,
        }
        if job.state == "FAILED":
            reason = await self._waiter.cause(job)
            update["job_output"] = reason or "The job failed"
        if job.state == "FINISHED" and not await self._states.came_to_its_end(job):
            update["status"] = JobStatus.STOPPED
            point = await self._states.of_ended(job)
            if point and point.path not in {known.path for known in recorded.savepoints}:
                recorded = keep(
                    recorded,
                    point.path,
                    SavepointReason.FOUND,
                    recorded.spec,
                    taken_at=point.taken_at,
                )
        return recorded.model_copy(update=update)
