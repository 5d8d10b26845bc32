"""Runs on stacks: through the Pulumi CLI where there is one, else the embedded engine.

The options that up, preview, refresh and destroy share are spelled once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flink_jobs_provider.cli import stack
from flink_jobs_provider.cli.engines import (
    DirectoryOption,
    Engine,
    EngineOption,
    StackOption,
    StackOptions,
    YesOption,
    embedded,
    flags,
    run_console,
    stack_flag,
)
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import say_json

if TYPE_CHECKING:
    from flink_jobs_provider.engine.stacks import Request


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What one run was asked for; a command that does not offer an option has its default."""

    stack: StackOption = None
    cwd: DirectoryOption = Path()
    yes: YesOption = False
    refresh: Annotated[
        bool, typer.Option("--refresh", "-r", help="First refresh the state from the clusters.")
    ] = False
    expect_no_changes: Annotated[
        bool,
        typer.Option("--expect-no-changes", help="End with exit code 7 if there are changes."),
    ] = False
    parallel: Annotated[
        int,
        typer.Option("--parallel", "-p", min=0, help="Operations at once; 0 for the default."),
    ] = 0
    diff: Annotated[bool, typer.Option("--diff", help="Show each property that changes.")] = False
    json: Annotated[bool, typer.Option("--json", "-j", help="Write the steps in JSON.")] = False
    skip_preview: Annotated[
        bool, typer.Option("--skip-preview", "-f", help="Go ahead without a preview.")
    ] = False
    non_interactive: Annotated[bool, typer.Option("--non-interactive", help="Never prompt.")] = (
        False
    )
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Preview without the clusters: new jobs are not checked there."
        ),
    ] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show providers' errors with their traceback.")
    ] = False
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="Only these URNs (Pulumi CLI only)."),
    ] = None
    engine: EngineOption = Engine.AUTO

    def pass_on(self) -> None:
        """Set in the environment what the provider reads there: no engine passes options on."""
        if self.offline:
            os.environ["FLINK_JOBS_OFFLINE"] = "1"

    def request(self) -> Request:
        """Return the request to the embedded engine.

        Raises:
            StackError: It does not support what was asked for.
        """
        from flink_jobs_provider.engine.errors import StackError
        from flink_jobs_provider.engine.stacks import Request

        if self.target:
            raise StackError(
                "the embedded engine does not support --target",
                "Run with the Pulumi CLI (--engine pulumi), or without --target.",
            )
        alike = {field.name for field in fields(Request)} & {field.name for field in fields(self)}
        return Request(
            directory=self.cwd,
            interactive=not self.non_interactive,
            **{name: getattr(self, name) for name in alike},
        )

    def for_pulumi(self) -> list[str]:
        """Return the options as the Pulumi CLI has them."""
        both = ("yes", "skip_preview", "refresh", "expect_no_changes", "diff", "json")
        given = flags(**{name: getattr(self, name) for name in (*both, "non_interactive")})
        words = [*stack_flag(self.stack), *given]
        if self.parallel:
            words += ["--parallel", str(self.parallel)]
        for urn in self.target or ():
            words += ["--target", urn]
        return words


def register(app: typer.Typer) -> None:
    """Add the commands on stacks to the command line."""
    app.command()(grouped(up))
    app.command()(grouped(preview, without=("yes", "skip_preview")))
    app.command()(grouped(refresh, without=("refresh", "offline")))
    app.command()(grouped(destroy, without=("expect_no_changes", "offline")))
    app.command()(grouped(cancel))
    app.command()(grouped(outputs))
    app.add_typer(stack.app, name="stack")
    app.add_typer(stack.config_app, name="config")


def up(options: RunOptions) -> None:
    """Bring the jobs to what the program says."""
    _change("up", options)


def preview(options: RunOptions) -> None:
    """Show what `up` would do, and why."""
    options.pass_on()
    words = ["preview", *options.for_pulumi()]
    with embedded(options.engine, words, options.cwd, quiet=options.json):
        request = options.request()
        from flink_jobs_provider.engine import commands

        commands.preview(request, run_console())


def refresh(options: RunOptions) -> None:
    """Update the state to what runs on the clusters."""
    _change("refresh", options)


def destroy(options: RunOptions) -> None:
    """Delete everything the stack holds."""
    _change("destroy", options)


def _change(command: str, options: RunOptions) -> None:
    options.pass_on()
    words = [command, *options.for_pulumi()]
    with embedded(options.engine, words, options.cwd, quiet=options.json):
        request = options.request()
        from flink_jobs_provider.engine import commands
        from flink_jobs_provider.engine.run import Kind

        kinds = {"up": Kind.UPDATE, "refresh": Kind.REFRESH, "destroy": Kind.DESTROY}
        commands.change(request, kinds[command], run_console())


def cancel(options: StackOptions) -> None:
    """Remove the lock of a run that was killed."""
    words = ["cancel", "--yes", *([options.stack] if options.stack else [])]
    document = {"stack": options.stack}
    with options.embedded(words, quiet=options.as_json, document=document):
        from flink_jobs_provider.engine.commands import cancel as remove_locks

        removed = remove_locks(options.request())
        if options.as_json:
            say_json({"stack": removed.stack, "removed_locks": removed.locks})
            return
        out = run_console()
        for lock in removed.locks:
            out.print(f"removed the lock of {lock}", markup=False)
        if not removed.locks:
            out.print(f"stack {removed.stack} is not locked", markup=False)


def outputs(
    options: StackOptions,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show secrets decrypted.")
    ] = False,
) -> None:
    """Show the stack's outputs."""
    given = flags(json=options.as_json, show_secrets=show_secrets)
    with options.embedded(["stack", "output", *stack_flag(options.stack), *given]):
        from flink_jobs_provider.engine import stack_commands

        stack_commands.show_outputs(
            options.request(), run_console(), json_=options.as_json, show_secrets=show_secrets
        )
