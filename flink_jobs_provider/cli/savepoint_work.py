"""Savepoints and ends of jobs, for `flink-jobs jobs`."""

from __future__ import annotations

import os

from flink_jobs_provider.cli.job_choice import NamedJobs, choose
from flink_jobs_provider.control_planes.flink import FlinkRest
from flink_jobs_provider.control_planes.protocol import Purpose, SavepointRequest
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.savepoint import SavepointFormat, SavepointLayout
from flink_jobs_provider.reconciling.waiting import Clock, Waiter

_WAIT_S = 1800.0
_END_S = 300.0


async def take(
    plane: FlinkRest, jobs: NamedJobs, wanted: str, directory: str | None, *, stop: bool
) -> dict[str, str | None]:
    """Take a savepoint of a job, and stop it with that if asked to.

    Returns:
        The job's name and id, the savepoint's path and, after a stop, the state it ended in.

    Raises:
        JobError: There is no such job, or it failed.
    """
    found, name = choose(jobs, wanted)
    if not found.active:
        raise PermanentError(f"{name} is {found.state}: nothing to take a savepoint of")
    request = SavepointRequest(
        found.job_id,
        SavepointLayout(await _directory(plane, directory), name).of_submission(found.job_id),
        Purpose.STOP if stop else Purpose.SAVEPOINT,
        SavepointFormat.CANONICAL,
        occasion="" if stop else os.urandom(8).hex(),
    )
    path = await plane.take_savepoint(request, _WAIT_S)
    facts: dict[str, str | None] = {"job_name": name, "job_id": found.job_id, "savepoint": path}
    return {**facts, "status": await ended(plane, found.job_id)} if stop else facts


async def ended(plane: FlinkRest, job_id: str) -> str | None:
    """Wait until a job has ended; return the state it ended in, None where it is gone."""
    job = await Waiter(plane, Clock()).until_ended(job_id, _END_S)
    return job.state if job else None


async def _directory(plane: FlinkRest, given: str | None) -> str:
    directory = given or (await plane.facts()).savepoint_directory
    if not directory:
        raise PermanentError(
            "the cluster has no savepoint directory of its own", remedy="Give --directory"
        )
    return directory
