"""The Flink jobs of a stack: one for each job file in the stack's directory."""

import pulumi

from flink_jobs_provider import FlinkJob, FlinkSessionCluster
from flink_jobs_provider.job_files import read_job_files

config = pulumi.Config("flink-jobs")
cluster = FlinkSessionCluster(config.require("clusterUrl"))
directory = config.get("jobs") or pulumi.get_stack()

jobs = {
    name: FlinkJob(name, **{"target": cluster, **inputs})
    for name, inputs in read_job_files(directory).items()
}

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
