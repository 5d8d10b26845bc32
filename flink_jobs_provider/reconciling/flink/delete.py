"""CANCEL and DELETE: ending a job for good."""

from __future__ import annotations

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import OnDelete
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import identities
from flink_jobs_provider.reconciling.flink.stop import Stopper


async def cancel(plane: ControlPlane, stopper: Stopper, recorded: JobRecord) -> bool:
    """End all submissions of a job without a savepoint. May be called again.

    Returns:
        Whether any of them had not ended.
    """
    spec = recorded.spec
    ours = (await plane.jobs()).of(spec.key, recorded=recorded.job_id)
    active = [job for job in ours if job.active]
    for job in active:
        await stopper.cancel(spec, job)
    return bool(active)


async def remove(
    plane: ControlPlane, stopper: Stopper, states: StateFinder, recorded: JobRecord
) -> Removed:
    """End all submissions of a job, and remove their jars. May be called again.

    Raises:
        JobError: It is not gone.
    """
    spec = recorded.spec
    ours = (await plane.jobs()).of(spec.key, recorded=recorded.job_id)
    path = None
    for job in (job for job in ours if job.active):
        if spec.on_delete is OnDelete.SAVEPOINT:
            path = await stopper.take(spec, job, Purpose.DELETE)
        else:
            await stopper.cancel(spec, job)
    if path is None and spec.on_delete is OnDelete.SAVEPOINT and ours:
        point = await states.of_ended(ours[0])
        path = point.path if point else None
    for identity in identities(recorded, spec):
        await plane.forget_jars(identity, frozenset())
    return Removed(path)
