"""Marks on the cluster that a job is moved from: no version of it is started there meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.protocol import ControlPlane, Mark
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.flink.observer import submissions_of


async def mark_moving(
    plane: ControlPlane, recorded: JobRecord, listed: Sequence[ObservedJob]
) -> bool:
    """Keep every submission that a cluster could go on with from being started there.

    `listed` are those that it lists, the one that runs first. It returns whether an earlier run has
    marked one already, after which it may have started the job elsewhere.
    """
    prefix, timeout = recorded.spec.key.prefix, recorded.spec.timeout("submit")
    earlier = False
    for job_id in dict.fromkeys([str(recorded.job_id), *(job.job_id for job in listed[:1])]):
        if await _is_marked(plane, job_id):
            earlier = True
        else:
            await plane.put_mark(Mark.MOVING, prefix, job_id, timeout)
    return earlier


async def unmark_moving(plane: ControlPlane, stopped: JobRecord) -> None:
    """Remove the marks, when a version of the job runs there again."""
    rows = submissions_of(stopped, await plane.jobs())
    for job_id in {str(stopped.job_id), *(row.job_id for row in rows)}:
        for mark in await plane.marks(job_id):
            if mark.kind is Mark.MOVING:
                await plane.remove_mark(mark)


async def _is_marked(plane: ControlPlane, job_id: str) -> bool:
    return any(mark.kind is Mark.MOVING for mark in await plane.marks(job_id))


async def check_not_moving(plane: ControlPlane, recorded: JobRecord) -> None:
    """Check that a job which is to be started was not carried to another cluster.

    Raises:
        StateUnavailable: It may run there.
    """
    marks = await plane.marks(str(recorded.job_id))
    moving = next((mark for mark in marks if mark.kind is Mark.MOVING), None)
    if moving is not None:
        raise StateUnavailable(
            f"{recorded.spec.job_name}: an earlier run was moving job {recorded.job_id} to another "
            "cluster, where it may run",
            now="Nothing was started here",
            remedy="Declare the new target again, and run again to finish the move; or, if it "
            f"does not run there, remove jar {moving.id} from this cluster",
        )
