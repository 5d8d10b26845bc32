"""Whether two resources have one job, whose cluster they call by two addresses."""

from __future__ import annotations

from flink_jobs_provider.control_planes.clusters import Clusters
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.target import FlinkTarget


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
