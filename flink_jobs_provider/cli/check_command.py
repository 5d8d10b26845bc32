"""`flink-jobs jobs check`: whether a new version can go on from the state of a running job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flink_jobs_provider.cli.cluster_session import named_here
from flink_jobs_provider.cli.job_actions import start_inputs
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.inspecting.version_check import (
    Checked,
    check_state,
    of_running,
    opened,
    running,
)
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.target import FlinkTarget


async def check(
    plane: FlinkRest, target: FlinkTarget, wanted: str | Path, given: dict[str, Any]
) -> Checked:
    """Compare a running job's state with a new version; nothing is changed.

    Nothing is asked of the cluster before a job file is found valid.

    Args:
        plane: The cluster.
        target: How it is reached.
        wanted: A job file, or what names a job.
        given: Inputs of the new version that go before those of the file.

    Raises:
        InvalidSpec: An input is invalid; every problem at once.
        PermanentError: No such job runs.
        JobError: The new version cannot be planned.
    """
    if isinstance(wanted, Path):
        inputs = start_inputs(wanted, target)
        declared, _ = await opened(inputs)
        found = running(await named_here(plane), declared.job_name)
        return await check_state(plane, found, declared, {**inputs, **given})
    jobs = await named_here(plane)
    job, name = running(jobs, wanted)
    if "jar" not in given:
        raise PermanentError(
            f"{name}: which program it is to be compared with is not known",
            remedy="Give its jar with --jar, or the job's file instead of its name",
        )
    inputs = of_running(jobs, job, target) | given
    return await check_state(plane, (job, name), None, inputs)
