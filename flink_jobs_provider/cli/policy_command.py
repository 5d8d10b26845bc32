"""The policy pack: where it is, and what its configuration may say."""

from __future__ import annotations

import typer

from flink_jobs_provider.cli.printing import say, say_json

app = typer.Typer(no_args_is_help=True, help="The policy pack for the Pulumi CLI.")


@app.command()
def path() -> None:
    """Print the directory that `pulumi preview --policy-pack` is given."""
    from flink_jobs_provider.policy import PACK_DIRECTORY

    say(str(PACK_DIRECTORY))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file that `--policy-pack-config` is given."""
    from flink_jobs_provider.policy.policy_configuration import configuration_schema

    say_json(configuration_schema())
