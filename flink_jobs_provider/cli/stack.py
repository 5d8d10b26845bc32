"""`flink-jobs stack` and `flink-jobs config`: a project's stacks, and their configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flink_jobs_provider.cli.engines import (
    DirectoryOption,
    Engine,
    EngineOption,
    StackArgument,
    StackOption,
    YesOption,
    embedded,
    flags,
    run_console,
    stack_flag,
)
from flink_jobs_provider.cli.printing import JsonOption, say, say_either, say_json

app = typer.Typer(no_args_is_help=True, help="Make, list, select and remove stacks.")


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The stack's name.")],
    cwd: DirectoryOption = Path(),
    as_json: JsonOption = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Make an empty stack."""
    done = {"stack": name}
    document = done if as_json else None
    words = ["stack", "init", name, "--no-select"]
    with embedded(engine, words, cwd, quiet=as_json, document=document):
        from flink_jobs_provider.engine.stacks import Request

        path = Request(cwd).place().initialise(name)
        line = f"made stack {name}; its configuration is {path}"
        say_either({**done, "configuration": str(path)}, line, as_json=as_json)


@app.command("ls")
def list_stacks(
    cwd: DirectoryOption = Path(), as_json: JsonOption = False, engine: EngineOption = Engine.AUTO
) -> None:
    """List the project's stacks; the selected one is marked."""
    with embedded(engine, ["stack", "ls", *flags(json=as_json)], cwd):
        from flink_jobs_provider.engine.stacks import Request

        place = Request(cwd).place()
        selected = place.workspace.selected()
        rows = [
            {"name": name, "current": place.files(name).full_name == selected}
            for name in place.backend.stacks_of(place.project.name)
        ]
        if as_json:
            say_json(rows)
            return
        for row in rows:
            say(f"{row['name']}*" if row["current"] else str(row["name"]))


@app.command()
def select(
    name: StackArgument,
    cwd: DirectoryOption = Path(),
    as_json: JsonOption = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Select the stack that commands are for which name none, also for the Pulumi CLI."""
    done = {"stack": name}
    with embedded(engine, ["stack", "select", name], cwd, document=done if as_json else None):
        from flink_jobs_provider.engine.stacks import Request

        place = Request(cwd).place()
        files = place.files(name)
        files.read_checkpoint()
        place.workspace.select(files.full_name)
        say_either(done, f"selected stack {files.stack}", as_json=as_json)


@app.command("rm")
def remove(
    name: StackArgument,
    cwd: DirectoryOption = Path(),
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Also if it still holds resources; they stay.")
    ] = False,
    preserve_config: Annotated[
        bool, typer.Option("--preserve-config", help="Keep Pulumi.<stack>.yaml.")
    ] = False,
    as_json: JsonOption = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Remove a stack that holds no resources any more, with its configuration."""
    words = ["stack", "rm", name]
    words += flags(yes=yes, force=force, preserve_config=preserve_config)
    removed = {"stack": name} if as_json else None
    with embedded(engine, words, cwd, quiet=as_json, document=removed):
        from flink_jobs_provider.engine.stack_commands import remove_stack
        from flink_jobs_provider.engine.stacks import Request

        request = Request(cwd, name, yes)
        done = remove_stack(
            request, run_console(error=True), force=force, preserve_configuration=preserve_config
        )
        document = {
            "stack": done.stack,
            "backup": str(done.backup),
            "left_behind": list(done.left_behind),
        }
        line = f"removed stack {done.stack}; its last state is kept in {done.backup}"
        if done.left_behind:
            line += f"; no stack manages these any more: {', '.join(done.left_behind)}"
        say_either(document, line, as_json=as_json)


config_app = typer.Typer(no_args_is_help=True, help="Set and show a stack's configuration.")

KeyArgument = Annotated[str, typer.Argument(help="The key.")]


@config_app.command("set")
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
    words = ["config", "set", *stack_flag(stack), *flags(secret=secret, path=path), key]
    words += [] if value is None else ["--", value]
    with embedded(engine, words, cwd):
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        text = sys.stdin.read().rstrip("\n") if value is None else value
        stack_commands.set_value(Request(cwd, stack), key, text, secret=secret, path=path)


@config_app.command("get")
def get_value(
    key: KeyArgument,
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    as_json: JsonOption = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Show one configuration value, decrypted."""
    with embedded(engine, ["config", "get", *stack_flag(stack), *flags(json=as_json), key], cwd):
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        found = stack_commands.value(Request(cwd, stack), key)
        if as_json:
            say_json(stack_commands.as_plain(found, show_secret=True))
        else:
            say(found.text)


@config_app.command("rm")
def remove_value(
    key: KeyArgument,
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Remove a configuration value."""
    with embedded(engine, ["config", "rm", *stack_flag(stack), key], cwd):
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        stack_commands.remove_value(Request(cwd, stack), key)


@config_app.command("ls")
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
    words = ["config", *stack_flag(stack), *flags(show_secrets=show_secrets, json=as_json)]
    with embedded(engine, words, cwd):
        from flink_jobs_provider.engine import stack_commands
        from flink_jobs_provider.engine.stacks import Request

        stack_commands.list_values(
            Request(cwd, stack), run_console(), show_secrets=show_secrets, json_=as_json
        )
