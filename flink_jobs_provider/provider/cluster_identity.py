"""Whether two addresses lead to one cluster, and two records name one job."""

from __future__ import annotations

from flink_jobs_provider.control_planes.connection import Clusters, instance_of, started_jobs
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.target import Target


async def is_same_cluster(
    clusters: Clusters, one: Target, other: Target, job_name: str
) -> bool | None:
    """Whether two addresses lead to one cluster; None where that is not known.

    A Flink cluster shows what no other one has, unless a proxy hides it. Else the jobs of that
    name decide, once there are any: no two clusters have a job of one id and one start time.
    """
    if one.kind != other.kind:
        return None
    try:
        names = [await instance_of(clusters, each) for each in (one, other)]
        if all(names):
            return names[0] == names[1]
        here, there = [await started_jobs(clusters, each, job_name) for each in (one, other)]
    except JobError:
        return None
    return True if here & there else None


async def is_same_job(clusters: Clusters, old: JobRecord, new: JobRecord) -> bool:
    """Whether the job of a new record is also on the cluster that the old record names.

    A jobId alone is no evidence: on a Flink cluster it is derived, so that the first version of a
    job has the same one wherever it runs. It is not submitted to two clusters in one millisecond.
    """
    one, other = old.spec.target, new.spec.target
    if not (one.is_job_service or other.is_job_service):
        here = (await clusters.of(one).jobs()).by_id.get(str(new.job_id))
        there = (await clusters.of(other).jobs()).by_id.get(str(new.job_id))
        return here is not None and there is not None and here.started == there.started
    if old.run_id in (None, old.spec.job_name):
        return False  # one version of HDInsight's API calls a run by the job's name
    names = ((each.run_id, each.job_id, each.started_at) for each in (old, new))
    return next(names) == next(names)
