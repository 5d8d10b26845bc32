"""A counting job, run by the native plugin."""

import pulumi

from flink_jobs_provider import FlinkSessionCluster
from flink_jobs_provider.plugin import Job

config = pulumi.Config()

counting = Job(
    "counting",
    target=FlinkSessionCluster(config.require("url")),
    job_name="counting-python",
    jar="../../counting/counting-job.jar",
    args=["--output", config.require("output"), "--keys", "8", "--rate", "50"],
    parallelism=config.require_int("parallelism"),
    on_delete="savepoint",
    flink_configuration={
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"
    },
)

for output in ("job_id", "status", "last_savepoint", "dashboard_url"):
    pulumi.export(output, getattr(counting, output))
