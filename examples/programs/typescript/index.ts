// A counting job, run by the native plugin.
import * as pulumi from "@pulumi/pulumi";
import * as flink from "@pulumi/flink-jobs";

const config = new pulumi.Config();

const counting = new flink.Job("counting", {
    target: { kind: "flink", url: config.require("url") },
    job_name: "counting-typescript",
    jar: "../../counting/counting-job.jar",
    args: ["--output", config.require("output"), "--keys", "8", "--rate", "50"],
    parallelism: config.requireNumber("parallelism"),
    on_delete: flink.OnDelete.Savepoint,
    flink_configuration: {
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    },
});

export const job_id = counting.job_id;
export const status = counting.status;
export const last_savepoint = counting.last_savepoint;
export const dashboard_url = counting.dashboard_url;
