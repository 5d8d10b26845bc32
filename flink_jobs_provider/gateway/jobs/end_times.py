"""When a job ended, by its cluster, which forgets that after a while."""

from __future__ import annotations

from dataclasses import replace

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.store import JobState
from flink_jobs_provider.gateway.store.queries import ACTIVE
from flink_jobs_provider.model.errors import JobError

#: Any list will do: whoever found that the job has ended has just seen one that says so.
_LATEST_LIST = 3600.0


async def with_end(plane: ControlPlane, state: JobState) -> JobState:
    """Return how a job is, with when its latest submission ended, where the cluster says it."""
    job_id = state.record.get("job_id")
    if state.status in ACTIVE or job_id is None:
        return state
    try:
        job = (await plane.jobs(max_age=_LATEST_LIST)).by_id.get(job_id)
    except JobError:
        return state
    if job is None or job.active or job.ended <= 0:
        return state
    return replace(state, ended=job.ended / 1000)
