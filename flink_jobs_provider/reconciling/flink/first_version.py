"""What is recorded of a job whose first version its cluster accepted, and which did not come up.

Such a version may have completed checkpoints, and with each its sinks have committed records. Did
nothing name it, the next run would start the job from nothing, and write those records once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.model.errors import JobError, JobVanished, TemporaryError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, is_checkpoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.failed_version import Left
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.record_updates import keep


def is_first(recorded: JobRecord | None) -> bool:
    """Whether no version of a job has come up yet, as far as is recorded."""
    return recorded is None or recorded.job_id is None or recorded.never_came_up


async def left_none(states: StateFinder, recorded: JobRecord, ended: Sequence[ObservedJob]) -> bool:
    """Whether the recorded submission, of which no state was found, is seen to have left none.

    Its statistics show that; where its cluster has forgotten it, the directories of checkpoints do,
    if all of them can be read from here.
    """
    row = next((job for job in ended if job.job_id == recorded.job_id), None)
    if row is not None and (statistics := await states.settled(row)):
        return not statistics.completed
    return row is None and await states.directories.lists_checkpoints(recorded.spec)


@dataclass(frozen=True)
class FirstVersion:
    """One submission of a job of which no version has come up yet.

    Attributes:
        base: The record before; of a job of that name that was done with, or of such a version.
        restore: What it was started from.
    """

    base: JobRecord | None
    wanted: JobSpec
    job_id: str
    generation: int
    restore: str | None

    async def while_it_comes_up(
        self, error: TemporaryError, states: StateFinder
    ) -> JobRecord | None:
        """Return what is recorded where the run ends before it is up; None to record nothing.

        That is so where its cluster has lost it, and it is seen to have left no state.
        """
        if not error.accepted:
            return None
        lost = isinstance(error, JobVanished)
        status = JobStatus.LOST if lost else JobStatus.STARTING
        record = self._record(status, ActionResult.IN_PROGRESS, error.happened)
        try:
            seen = lost and await states.newest(self.wanted, (), record) is None
            return None if seen and await left_none(states, record, ()) else record
        except JobError:  # whether it has left any is not seen now
            return record

    def when_it_failed(self, left: Left, happened: str) -> JobRecord | None:
        """Return what is recorded of it; None for nothing, where it has completed no checkpoint."""
        if left.row is None or not left.completed:
            return None
        stopped = left.row.status is JobStatus.FINISHED
        status = JobStatus.STOPPED if stopped else left.row.status
        record = self._record(status, ActionResult.FAILED, happened)
        if left.point is None or is_checkpoint(left.point.path):
            return record.model_copy(update={"restore_point": left.point})
        return keep(record, left.point.path, SavepointReason.FOUND, left.point.taken_at)

    def _record(self, status: JobStatus, result: ActionResult, output: str) -> JobRecord:
        base = self.base or JobRecord(spec=self.wanted, status=status)
        return base.model_copy(
            update={
                "spec": self.wanted,
                "status": status,
                "action": None,
                "action_result": result,
                "job_output": output,
                "job_id": self.job_id,
                "unconfirmed": None,
                "generation": self.generation,
                "restored_from": self.restore,
            }
        )
