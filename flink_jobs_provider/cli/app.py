"""The command line `flink-jobs`, made of its commands."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from typing import Annotated

import typer

from flink_jobs_provider.cli import (
    adopt_command,
    gateway,
    history_command,
    jobs,
    local,
    open_command,
    plugin_command,
    policy_command,
    rollback_command,
    runs,
    savepoint_command,
    watch_command,
)
from flink_jobs_provider.cli.printing import say_json

app = typer.Typer(
    help="Apache Flink jobs as code.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
runs.register(app)
app.add_typer(local.app, name="local")
watch_command.register(jobs.app)
history_command.register(jobs.app)
adopt_command.register(app)
rollback_command.register(jobs.app)
open_command.register(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(savepoint_command.app, name="savepoint")
app.add_typer(gateway.app, name="gateway")
app.add_typer(policy_command.app, name="policy")
app.add_typer(plugin_command.app, name="plugin")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a job file."""
    from flink_jobs_provider.job_files import job_file_schema

    say_json(job_file_schema())


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"flink-jobs {version('flink-jobs-provider')}")
        raise typer.Exit


@app.callback()
def _before_any_command(
    context: typer.Context,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--cwd",
            "-C",
            help="Run as if started in this directory.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version, and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Apache Flink jobs as code."""
    if directory is not None:
        context.with_resource(contextlib.chdir(directory))


def main() -> None:
    """Run the command line."""
    try:
        app()
    finally:
        # The process ends: what is left is not searched for garbage.
        gc.freeze()
