"""The commands of `flink-jobs`, put together."""

from __future__ import annotations

import typer

from flink_jobs_provider.cli import gateway, jobs, local, schema, stack

app = typer.Typer(
    help="Apache Flink jobs as code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
stack.register(app)
app.add_typer(local.app, name="local")
app.add_typer(jobs.app, name="jobs")
app.add_typer(gateway.app, name="gateway")
app.command("schema")(schema.schema)


def main() -> None:
    """Run the command line."""
    app()
