"""`flink-jobs stack` and `flink-jobs config`: a project's stacks, and their configuration."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from flink_jobs_provider.cli.engines import (
    StackArgument,
    StackOptions,
    YesOption,
    flags,
    run_console,
    stack_flag,
)
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import say, say_either, say_json

app = typer.Typer(no_args_is_help=True, help="Make, list, select and remove stacks.")


@app.command()
@partial(grouped, without=("stack",))
def init(
    options: StackOptions,
    name: Annotated[str, typer.Argument(help="The stack's name.")],
) -> None:
    """Make an empty stack."""
    done = {"stack": name}
    words = ["stack", "init", name, "--no-select"]
    with options.embedded(words, quiet=options.as_json, document=done):
        path = options.request().place().initialise(name)
        line = f"made stack {name}; its configuration is {path}"
        say_either({**done, "configuration": str(path)}, line, as_json=options.as_json)


@app.command("ls")
@partial(grouped, without=("stack",))
def list_stacks(options: StackOptions) -> None:
    """List the project's stacks; the selected one is marked."""
    with options.embedded(["stack", "ls", *flags(json=options.as_json)]):
        place = options.request().place()
        selected = place.workspace.selected()
        rows = [
            {"name": name, "current": place.files(name).full_name == selected}
            for name in place.backend.stacks_of(place.project.name)
        ]
        if options.as_json:
            say_json(rows)
            return
        for row in rows:
            say(f"{row['name']}*" if row["current"] else str(row["name"]))


@app.command()
@partial(grouped, without=("stack",))
def select(options: StackOptions, name: StackArgument) -> None:
    """Select the stack that commands are for which name none, also for the Pulumi CLI."""
    done = {"stack": name}
    with options.embedded(["stack", "select", name], document=done):
        place = options.request().place()
        files = place.files(name)
        files.read_checkpoint()
        place.workspace.select(files.full_name)
        say_either(done, f"selected stack {files.stack}", as_json=options.as_json)


@app.command("rm")
@partial(grouped, without=("stack",))
def remove(
    options: StackOptions,
    name: StackArgument,
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Also if it still holds resources; they stay.")
    ] = False,
    preserve_config: Annotated[
        bool, typer.Option("--preserve-config", help="Keep Pulumi.<stack>.yaml.")
    ] = False,
) -> None:
    """Remove a stack that holds no resources any more, with its configuration."""
    words = ["stack", "rm", name]
    words += flags(yes=yes, force=force, preserve_config=preserve_config)
    with options.embedded(words, quiet=options.as_json, document={"stack": name}):
        from flink_jobs_provider.engine.stack_commands import remove_stack
        from flink_jobs_provider.engine.stacks import Request

        request = Request(options.cwd, name, yes)
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
        say_either(document, line, as_json=options.as_json)


config_app = typer.Typer(no_args_is_help=True, help="Set and show a stack's configuration.")

KeyArgument = Annotated[str, typer.Argument(help="The key.")]


@config_app.command("set")
@partial(grouped, without=("as_json",))
def set_value(
    options: StackOptions,
    key: Annotated[str, typer.Argument(help="The key; with --path a path into an object.")],
    value: Annotated[
        str | None, typer.Argument(help="The value; read from standard input, if not given.")
    ] = None,
    secret: Annotated[bool, typer.Option("--secret", help="Store it encrypted.")] = False,
    path: Annotated[bool, typer.Option("--path", help="The key is a path into an object.")] = False,
) -> None:
    """Set a configuration value."""
    words = ["config", "set", *stack_flag(options.stack), *flags(secret=secret, path=path), key]
    words += [] if value is None else ["--", value]
    with options.embedded(words):
        from flink_jobs_provider.engine import stack_commands

        text = sys.stdin.read().rstrip("\n") if value is None else value
        stack_commands.set_value(options.request(), key, text, secret=secret, path=path)


@config_app.command("get")
@grouped
def get_value(options: StackOptions, key: KeyArgument) -> None:
    """Show one configuration value, decrypted."""
    with options.embedded(
        ["config", "get", *stack_flag(options.stack), *flags(json=options.as_json), key]
    ):
        from flink_jobs_provider.engine import stack_commands

        found = stack_commands.value(options.request(), key)
        if options.as_json:
            say_json(stack_commands.as_plain(found, show_secret=True))
        else:
            say(found.text)


@config_app.command("rm")
@partial(grouped, without=("as_json",))
def remove_value(options: StackOptions, key: KeyArgument) -> None:
    """Remove a configuration value."""
    with options.embedded(["config", "rm", *stack_flag(options.stack), key]):
        from flink_jobs_provider.engine import stack_commands

        stack_commands.remove_value(options.request(), key)


@config_app.command("ls")
@grouped
def list_values(
    options: StackOptions,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show secrets decrypted.")
    ] = False,
) -> None:
    """List the configuration values."""
    words = [
        "config",
        *stack_flag(options.stack),
        *flags(show_secrets=show_secrets, json=options.as_json),
    ]
    with options.embedded(words):
        from flink_jobs_provider.engine import stack_commands

        stack_commands.list_values(
            options.request(), run_console(), show_secrets=show_secrets, json_=options.as_json
        )
