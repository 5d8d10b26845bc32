"""`flink-jobs schema`: the JSON Schema of a job file."""

from __future__ import annotations

from flink_jobs_provider.cli.printing import say_json


def schema() -> None:
    """Print the JSON Schema of a job file."""
    from flink_jobs_provider.job_files import job_file_schema

    say_json(job_file_schema())
