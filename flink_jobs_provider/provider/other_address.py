"""Whether two resources have one cluster, or one job, which they call by two addresses."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.target import DliTarget, FlinkTarget, Target


async def is_same_cluster(
    clusters: Clusters, one: Target, other: Target, job_name: str
) -> bool | None:
    """Whether two addresses lead to one cluster; None where that is not known.

    A Flink cluster shows what no other one has, unless a proxy hides it. Else the jobs of that
    name tell, once there are any: no two clusters have one of one id and one millisecond of start.
    """
    if one.kind != other.kind:
        return None
    try:
        if isinstance(one, FlinkTarget) and isinstance(other, FlinkTarget):
            names = [(await clusters.of(each).facts()).instance for each in (one, other)]
            if all(names):
                return names[0] == names[1]
        here, there = [await _started_jobs(clusters, each, job_name) for each in (one, other)]
    except JobError:
        return None
    return True if here & there else None


async def _started_jobs(clusters: Clusters, target: Target, name: str) -> set[tuple[object, ...]]:
    rows: Sequence[ActionJob]
    if isinstance(target, FlinkTarget):
        snapshot = await clusters.of(target).jobs()
        return {(job.job_id, job.started) for job in snapshot.jobs if job.started}
    if isinstance(target, DliTarget):
        rows = await clusters.of(target).named(name)
    else:
        rows = [row for row in await clusters.of(target).jobs() if row.job_name == name]
    return {(row.run_id, row.job_id, row.started) for row in rows if row.started}


async def is_same_job(clusters: Clusters, old: JobRecord, new: JobRecord) -> bool:
    """Whether what the new resource has is there as well where the old one looks.

    A jobId alone does not tell: on a Flink cluster it is derived, so that the first version of a
    job has the same one wherever it runs. Nobody submits it to two clusters at one millisecond.
    """
    one, other = old.spec.target, new.spec.target
    if isinstance(one, FlinkTarget) and isinstance(other, FlinkTarget):
        here = (await clusters.of(one).jobs()).by_id.get(str(new.job_id))
        there = (await clusters.of(other).jobs()).by_id.get(str(new.job_id))
        return here is not None and there is not None and here.started == there.started
    if old.run_id in (None, old.spec.job_name):
        return False  # one version of HDInsight's API calls a run by the job's name
    names = ((each.run_id, each.job_id, each.started_at) for each in (old, new))
    return next(names) == next(names)
