"""The plan of a start, checked against the state that it would begin from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from flink_jobs_provider.artifacts import Finding, inspect_savepoint
from flink_jobs_provider.artifacts.storage import local_path
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint, is_checkpoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import HDInsightTarget
from flink_jobs_provider.planning.plan import Plan, plan, to_restore

#: How long a plan waits for a cluster and for the storage of a savepoint, in seconds.
_PATIENCE_S = 15.0

#: Finds what a start of a recorded job would begin from, as the start itself finds it.
FindStart = Callable[[JobRecord, JobSpec], Awaitable[RestorePoint | None]]


async def plan_start(
    recorded: JobRecord, wanted: JobSpec, find: FindStart | None, *, offline: bool
) -> Plan:
    """Return the plan of a job; that of a start names the condition of the state it begins from.

    Args:
        recorded: What is recorded of the job, or freshly read.
        wanted: The job as it should be.
        find: Asks the job's cluster; None where no cluster can be asked for it.
        offline: Whether only files of this machine may be read.
    """
    decided = plan(recorded, wanted)
    if decided.action is not Action.START or to_restore(recorded, wanted):
        return decided
    if find is not None and not offline:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                point = await find(recorded, wanted)
            found = recorded.model_copy(update={"restore_point": point})
            return plan(found, wanted, looked=True)
        except (JobError, TimeoutError):
            pass  # what is recorded may be readable all the same
    point = recorded.restore_point or _recorded_point(recorded)
    if point is None:
        return decided
    finding = await inspect_from_here(wanted, point.path, local=offline)
    if finding is None or not finding.broken:
        return decided
    broken = RestorePoint(point.path, point.what, point.taken_at, point.behind, str(finding))
    return plan(recorded.model_copy(update={"restore_point": broken}), wanted)


def _recorded_point(recorded: JobRecord) -> RestorePoint | None:
    path = recorded.last_savepoint
    if path is None:
        return None
    times = {known.path: known.taken_at for known in recorded.savepoints}
    what = "checkpoint" if is_checkpoint(path) else "savepoint"
    return RestorePoint(path, what, times.get(path, ""))


async def inspect_from_here(spec: JobSpec, path: str, *, local: bool) -> Finding | None:
    """Return the condition of a job's savepoint; None where it cannot be seen from here.

    Args:
        spec: The job.
        path: The savepoint, or its name on HDInsight.
        local: Whether only files of this machine may be read.
    """
    if isinstance(spec.target, HDInsightTarget) and "/" not in path:
        return None  # by its name, which the service knows
    mine = local_path(path) is not None
    if not spec.target.loopback if mine else local:
        return None  # it lies on the cluster's machine, or behind a network
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await asyncio.to_thread(inspect_savepoint, path)
    except TimeoutError:
        return None
