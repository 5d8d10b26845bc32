// A counting job, run by the native plugin.
package main

import (
	flink "example.com/pulumi-flink-jobs/sdk/go/flinkjobs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		settings := config.New(ctx, "")
		args := []string{"--output", settings.Require("output"), "--keys", "8", "--rate", "50"}

		counting, err := flink.NewJob(ctx, "counting", &flink.JobArgs{
			Target: flink.FlinkSessionClusterArgs{
				Kind: pulumi.String("flink"),
				Url:  pulumi.String(settings.Require("url")),
			},
			Job_name:    pulumi.String("counting-go"),
			Jar:         pulumi.String("../../counting/counting-job.jar"),
			Args:        pulumi.ToStringArray(args),
			Parallelism: pulumi.Int(settings.RequireInt("parallelism")),
			On_delete:   flink.OnDeleteSavepoint,
			Flink_configuration: pulumi.StringMap{
				"execution.checkpointing.externalized-checkpoint-retention": pulumi.String("RETAIN_ON_CANCELLATION"),
			},
		})
		if err != nil {
			return err
		}

		ctx.Export("job_id", counting.Job_id)
		ctx.Export("status", counting.Status)
		ctx.Export("last_savepoint", counting.Last_savepoint)
		ctx.Export("dashboard_url", counting.Dashboard_url)
		return nil
	})
}
