"""`flink-jobs plugin`: the native Pulumi plugin, for machines that have no Python environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import fail, say_either

app = typer.Typer(
    help="The native Pulumi plugin.", no_args_is_help=True, pretty_exceptions_enable=False
)


@app.callback()
def _group() -> None:
    """The native Pulumi plugin."""


@app.command()
def archive(
    directory: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write the plugin and its packages as an archive for `pulumi plugin install --file`."""
    from flink_jobs_provider.plugin import archive as plugin_archive
    from flink_jobs_provider.plugin import package_schema

    file = directory / plugin_archive.file_name()
    version = package_schema.version()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        plugin_archive.write(file)
    except OSError as error:
        fail(f"the archive could not be written: {error}")
    command = f"pulumi plugin install resource flink-jobs v{version} --file {file}"
    document = {"file": str(file), "version": version, "install": command}
    say_either(document, f"{file}\nInstall it with: {command}", as_json=as_json)
