"""`flink-jobs schema`: the JSON Schema of a job file."""

from __future__ import annotations

import json

import typer

from flink_jobs_provider.model.spec import job_file_schema


def schema() -> None:
    """Print the JSON Schema of a job file."""
    typer.echo(json.dumps(job_file_schema(), indent=2))
