"""Every command that prints something has `--json`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from flink_jobs_provider.cli.app import app

#: These print nothing, JSON alone, or the log of a server.
WITHOUT = {
    "config set",
    "config rm",
    "schema",
    "gateway schema",
    "gateway serve",
    "policy schema",
}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_that_prints_has_json() -> None:
    without = {
        path
        for path, command in commands(get_command(app))
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == WITHOUT
