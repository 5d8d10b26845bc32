"""The Flink jobs of a stack: one for each job file in the stack's directory."""

import json
import os
from typing import Any

import pulumi

from flink_jobs_provider import FlinkJob, FlinkSessionCluster
from flink_jobs_provider.job_files import read_job_files
from flink_jobs_provider.model.errors import InvalidSpec
from flink_jobs_provider.plugin import Job

config = pulumi.Config("flink-jobs")
# The Makefile moves cluster, gateway and the jobs' files to other places by these three variables,
# and chooses between the dynamic provider and the plugin by a fourth.
cluster = FlinkSessionCluster(os.environ.get("FLINK_JOBS_URL") or config.require("clusterUrl"))
gateway = os.environ.get("FLINK_JOBS_GATEWAY_URL")
PLACE = "/tmp/flink-jobs"  # noqa: S108 - where the job files have the example's output and jars
directory = os.environ.get("FLINK_JOBS_FILES") or PLACE
provider = os.environ.get("FLINK_JOBS_PROVIDER") or "dynamic"
if provider not in ("dynamic", "plugin"):
    raise pulumi.RunError(f"PROVIDER is dynamic or plugin, not {provider!r}")


def placed(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return a job's inputs with its target: the cluster, or what its file names."""
    inputs = json.loads(json.dumps(inputs).replace(f"{PLACE}/", f"{directory}/"))
    target = inputs.get("target", cluster)
    if gateway and isinstance(target, dict) and "endpoint" in target:
        target = {**target, "endpoint": gateway}
    return {**inputs, "target": target}


try:
    files = read_job_files(config.get("jobs") or pulumi.get_stack())
except InvalidSpec as error:
    raise pulumi.RunError(str(error)) from None

# Either takes over what the other has run.
Declared: type[FlinkJob | Job] = Job if provider == "plugin" else FlinkJob

# A resource is named after its file, so that a new job_name in it is seen as a change of one job.
jobs = {name: Declared(name, **placed(inputs)) for name, inputs in files.items()}

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
