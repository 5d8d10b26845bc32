"""`flink-jobs stack`: makes, lists, selects and removes stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flink_jobs_provider.cli.engines import (
    DirectoryOption,
    Engine,
    EngineOption,
    StackArgument,
    YesOption,
    chosen,
    engine_errors,
    exit_with_pulumi,
    flags,
    run_console,
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
    with engine_errors():
        done = {"stack": name}
        if chosen(engine, quiet=as_json) is Engine.PULUMI:
            words = ["stack", "init", name, "--no-select"]
            exit_with_pulumi(words, cwd, done if as_json else None)
        from flink_jobs_provider.engine.stacks import Request

        path = Request(cwd).place().initialise(name)
        line = f"made stack {name}; its configuration is {path}"
        say_either(as_json, {**done, "configuration": str(path)}, line)


@app.command("ls")
def list_stacks(
    cwd: DirectoryOption = Path(), as_json: JsonOption = False, engine: EngineOption = Engine.AUTO
) -> None:
    """List the project's stacks; the selected one is marked."""
    with engine_errors():
        if chosen(engine, quiet=True) is Engine.PULUMI:
            exit_with_pulumi(["stack", "ls", *flags(json=as_json)], cwd)
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
    with engine_errors():
        done = {"stack": name}
        if chosen(engine, quiet=True) is Engine.PULUMI:
            exit_with_pulumi(["stack", "select", name], cwd, done if as_json else None)
        from flink_jobs_provider.engine.stacks import Request

        place = Request(cwd).place()
        files = place.files(name)
        files.read_checkpoint()
        place.workspace.select(files.full_name)
        say_either(as_json, done, f"selected stack {files.stack}")


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
    with engine_errors():
        if chosen(engine, quiet=as_json) is Engine.PULUMI:
            given = flags(yes=yes, force=force, preserve_config=preserve_config)
            exit_with_pulumi(
                ["stack", "rm", name, *given], cwd, {"stack": name} if as_json else None
            )
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
        say_either(as_json, document, line)
