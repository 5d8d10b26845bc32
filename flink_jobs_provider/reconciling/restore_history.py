"""Whether a job has started before from the savepoint that is named, where no record says so.

There is no record where a resource was renamed, or a state file was lost. A `restore_from` in the
program may be new then, or be left there from a start long ago: a job that has run on since is not
to be set back to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.identity import spec_digits_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import JobSpec


class RestoreUnclear(StateUnavailable):
    """Whether a job has started from `restore_from` before is unknown."""


async def started_from(
    plane: ControlPlane, jobs: Sequence[ObservedJob], wanted: JobSpec, named: str
) -> bool | None:
    """Whether any submission of a job has started from a savepoint; None if that is unknown.

    It has not, only if each one is listed still, and its cluster or its jobId tells what else it
    started from.

    Args:
        plane: The cluster.
        jobs: The job's submissions that are listed.
        wanted: The job as it should be.
        named: The savepoint.
    """
    told = set()
    for job in jobs:
        digits = spec_digits_of(job.job_id)
        if wanted.digits(named).startswith(digits):
            return True
        statistics = await plane.checkpoints(job.job_id)
        origin = statistics.restored_from if statistics else ""
        if origin and same_path(origin, named):
            return True
        # After a failover of the JobManager it started from a checkpoint of its own.
        failed_over = f"/{job.job_id}/" in origin
        shown = statistics is not None and statistics.enabled and not failed_over
        if shown or wanted.digits(None).startswith(digits):
            told.add(job.generation)
    newest = max((job.generation for job in jobs), default=0)
    return False if told == set(range(1, newest + 1)) else None


def unclear(wanted: JobSpec, job: object, state: str) -> RestoreUnclear:
    """Return the refusal of a start that could set a job back to an earlier savepoint.

    Args:
        wanted: The job as it should be.
        job: What names the job.
        state: What it does, or has left.
    """
    return RestoreUnclear(
        f"{wanted.job_name}: job {job} of this stack {state}, and whether it has started from "
        f"{{field}} ({wanted.restore_from}) before is not recorded",
        now="Nothing was changed",
        remedy=Remedy.TAKE_RESTORE_OUT,
        field="restore_from",
    )
