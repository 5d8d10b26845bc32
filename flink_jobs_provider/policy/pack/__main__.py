"""The policy pack `flink-jobs`, as `pulumi preview --policy-pack` starts it."""

from flink_jobs_provider.policy.pack_process import main

main()
