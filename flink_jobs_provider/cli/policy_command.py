"""The policy pack: where it is, and what its configuration may say."""

from __future__ import annotations

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import say_either, say_json

app = typer.Typer(no_args_is_help=True, help="The policy pack.")


@app.command()
def path(*, as_json: JsonOption = False) -> None:
    """Print the directory that `--policy-pack` takes."""
    from flink_jobs_provider.policy import PACK_DIRECTORY

    say_either({"path": str(PACK_DIRECTORY)}, str(PACK_DIRECTORY), as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file that `--policy-pack-config` is given."""
    from flink_jobs_provider.policy.policy_configuration import configuration_schema

    say_json(configuration_schema())
