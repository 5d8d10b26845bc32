"""`flink-jobs config`: what a stack is configured with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flink_jobs_provider.cli.engines import (
    DirectoryOption,
    Engine,
    EngineOption,
    StackOption,
    chosen,
    engine_errors,
    exit_with_pulumi,
    flags,
    run_console,
    stack_flag,
)
from flink_jobs_provider.cli.printing import JsonOption, say, say_json

app = typer.Typer(no_args_is_help=True, help="Set and show a stack's configuration.")

KeyArgument = Annotated[str, typer.Argument(help="The key.")]


@app.command("set")
def set_value(
    key: Annotated[str, typer.Argument(help="The key; with --path a path into an object.")],
    value: Annotated[
        str | None, typer.Argument(help="The value; read from standard input, if not given.")
    ] = None,
    stack: StackOption = None,
    secret: Annotated[bool, typer.Option("--secret", help="Store it encrypted.")] = False,
    path: Annotated[bool, typer.Option("--path", help="The key is a path into an object.")] = False,
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Set a configuration value."""
    with engine_errors():
        if chosen(engine, quiet=True) is Engine.PULUMI:
            given = flags(secret=secret, path=path)
            values = [] if value is None else ["--", value]
            exit_with_pulumi(["config", "set", *stack_flag(stack), *given, key, *values], cwd)
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        text = sys.stdin.read().rstrip("\n") if value is None else value
        stack_commands.set_value(Request(cwd, stack), key, text, secret=secret, path=path)


@app.command("get")
def get_value(
    key: KeyArgument,
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    as_json: JsonOption = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Show one configuration value, decrypted."""
    with engine_errors():
        if chosen(engine, quiet=True) is Engine.PULUMI:
            given = flags(json=as_json)
            exit_with_pulumi(["config", "get", *stack_flag(stack), *given, key], cwd)
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        found = stack_commands.value(Request(cwd, stack), key)
        if as_json:
            say_json(stack_commands.as_plain(found, show_secret=True))
        else:
            say(found.text)


@app.command("rm")
def remove_value(
    key: KeyArgument,
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Remove a configuration value."""
    with engine_errors():
        if chosen(engine, quiet=True) is Engine.PULUMI:
            exit_with_pulumi(["config", "rm", *stack_flag(stack), key], cwd)
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        stack_commands.remove_value(Request(cwd, stack), key)


@app.command("ls")
def list_values(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show secrets decrypted.")
    ] = False,
    as_json: JsonOption = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """List the configuration values."""
    with engine_errors():
        if chosen(engine, quiet=True) is Engine.PULUMI:
            given = flags(show_secrets=show_secrets, json=as_json)
            exit_with_pulumi(["config", *stack_flag(stack), *given], cwd)
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        stack_commands.list_values(
            Request(cwd, stack), run_console(), show_secrets=show_secrets, json_=as_json
        )
