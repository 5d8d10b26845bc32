"""Specs and records as they are stored: without their target, which the configuration says.

So no credential reaches the database, and a cluster that moves takes its jobs along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.store import JobState
from flink_jobs_provider.gateway.store.queries import ACTIVE
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget


def stored_spec(spec: JobSpec) -> dict[str, Any]:
    """Return a spec as it is stored."""
    return {name: value for name, value in spec.plain().items() if name != "target"}


def stored_record(record: JobRecord) -> dict[str, Any]:
    """Return a record as it is stored."""
    document = record.model_dump(mode="json", exclude={"spec"}, exclude_none=True)
    return {**document, "spec": stored_spec(record.spec)}


def read_spec(document: Mapping[str, Any], target: FlinkTarget) -> JobSpec:
    """Return a stored spec on the cluster as it is reached now."""
    known = {name: value for name, value in document.items() if name in JobSpec.model_fields}
    return JobSpec.model_validate({**known, "target": target})


def read_record(document: Mapping[str, Any], target: FlinkTarget) -> JobRecord:
    """Return a stored record; what a later version added is left aside."""
    known = {name: value for name, value in document.items() if name in JobRecord.model_fields}
    return JobRecord.model_validate({**known, "spec": read_spec(document["spec"], target)})


#: Any list will do: whoever found that the job has ended has just seen one that says so.
_LATEST_LIST = 3600.0


async def with_end(plane: ControlPlane, state: JobState) -> JobState:
    """Return how a job is, with when its latest submission ended, where the cluster says it.

    The cluster forgets that after a while.
    """
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
