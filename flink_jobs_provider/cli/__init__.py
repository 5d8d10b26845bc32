"""`flink-jobs`: stacks, jobs, local clusters and the job file's schema, from the command line."""

from flink_jobs_provider.cli.app import main

__all__ = ["main"]
