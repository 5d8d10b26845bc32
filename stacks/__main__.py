"""The Flink jobs of a stack: one for each job file in the stack's directory."""

import pulumi

from flink_jobs_provider import FlinkJob, FlinkSessionCluster
from flink_jobs_provider.job_files import read_job_files
from flink_jobs_provider.model.errors import InvalidSpec

config = pulumi.Config("flink-jobs")
cluster = FlinkSessionCluster(config.require("clusterUrl"))

try:
    files = read_job_files(config.get("jobs") or pulumi.get_stack())
except InvalidSpec as error:
    raise pulumi.RunError(str(error)) from None

# A resource is named after its file, so that a new job_name in it is seen as a change of one job.
jobs = {name: FlinkJob(name, **{"target": cluster, **inputs}) for name, inputs in files.items()}

pulumi.export(
    "jobs",
    {
        name: {
            "status": job.status,
            "job_id": job.job_id,
            "parallelism": job.running_parallelism,
            "last_savepoint": job.last_savepoint,
            "dashboard_url": job.dashboard_url,
        }
        for name, job in jobs.items()
    },
)
