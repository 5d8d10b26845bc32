"""Commands on stacks: through the Pulumi CLI where there is one, else the embedded engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flink_jobs_provider.cli import configuration, stack_admin
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
from flink_jobs_provider.cli.printing import JsonOption, say_json
from flink_jobs_provider.cli.run_options import RunOptions, with_run_options


def register(app: typer.Typer) -> None:
    """Add the commands on stacks to the command line."""
    app.command()(with_run_options(up))
    app.command()(with_run_options(preview, without=("yes", "skip_preview")))
    app.command()(with_run_options(refresh, without=("refresh", "offline")))
    app.command()(with_run_options(destroy, without=("expect_no_changes", "offline")))
    app.command()(cancel)
    app.command()(outputs)
    app.add_typer(stack_admin.app, name="stack")
    app.add_typer(configuration.app, name="config")


def up(options: RunOptions) -> None:
    """Bring the jobs to what the program says."""
    _change("up", options)


def preview(options: RunOptions) -> None:
    """Show what `up` would do, and why."""
    options.pass_on()
    with engine_errors():
        if chosen(options.engine, quiet=options.json) is Engine.PULUMI:
            exit_with_pulumi(["preview", *options.for_pulumi()], options.cwd)
        request = options.request()
        from flink_jobs_provider.engine import commands

        commands.preview(request, run_console())


def refresh(options: RunOptions) -> None:
    """Take over into the state what is really there."""
    _change("refresh", options)


def destroy(options: RunOptions) -> None:
    """Delete everything the stack holds."""
    _change("destroy", options)


def _change(command: str, options: RunOptions) -> None:
    options.pass_on()
    with engine_errors():
        if chosen(options.engine, quiet=options.json) is Engine.PULUMI:
            exit_with_pulumi([command, *options.for_pulumi()], options.cwd)
        request = options.request()
        from flink_jobs_provider.engine import commands
        from flink_jobs_provider.engine.operations import Kind

        kinds = {"up": Kind.UPDATE, "refresh": Kind.REFRESH, "destroy": Kind.DESTROY}
        commands.change(request, kinds[command], run_console())


def cancel(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    as_json: JsonOption = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Remove the lock that a run left behind."""
    with engine_errors():
        if chosen(engine, quiet=as_json) is Engine.PULUMI:
            words = ["cancel", "--yes", *([stack] if stack else [])]
            exit_with_pulumi(words, cwd, {"stack": stack} if as_json else None)
        from flink_jobs_provider.engine.commands import cancel as remove_locks
        from flink_jobs_provider.engine.request import Request

        removed = remove_locks(Request(cwd, stack))
        if as_json:
            say_json({"stack": removed.stack, "removed_locks": removed.locks})
            return
        out = run_console()
        for lock in removed.locks:
            out.print(f"removed the lock of {lock}", markup=False)
        if not removed.locks:
            out.print(f"stack {removed.stack} is not locked", markup=False)


def outputs(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    as_json: JsonOption = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="In plain.")] = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Show the stack's outputs."""
    with engine_errors():
        if chosen(engine, quiet=True) is Engine.PULUMI:
            given = flags(json=as_json, show_secrets=show_secrets)
            exit_with_pulumi(["stack", "output", *stack_flag(stack), *given], cwd)
        from flink_jobs_provider.engine import configuring
        from flink_jobs_provider.engine.request import Request

        request = Request(cwd, stack)
        configuring.show_outputs(request, run_console(), json_=as_json, show_secrets=show_secrets)
