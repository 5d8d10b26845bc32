"""Runs on stacks, the stacks themselves, and their configuration.

They go through the Pulumi CLI where there is one, else through the embedded engine. The options
that up, preview, refresh and destroy share are spelled once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flink_jobs_provider.cli.engines import (
    DirectoryOption,
    Engine,
    EngineOption,
    StackArgument,
    StackOption,
    StackOptions,
    YesOption,
    embedded,
    flags,
    run_console,
    stack_flag,
)
from flink_jobs_provider.cli.options import grouped
from flink_jobs_provider.cli.printing import say, say_either, say_json

if TYPE_CHECKING:
    from flink_jobs_provider.engine.stacks import Request

stack_app = typer.Typer(no_args_is_help=True, help="Make, list, select and remove stacks.")


@stack_app.command()
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


@stack_app.command("ls")
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


@stack_app.command()
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


@stack_app.command("rm")
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


state_app = typer.Typer(no_args_is_help=True, help="Change what a stack's state holds.")


@state_app.command("delete")
@grouped
def forget(
    options: StackOptions,
    resource: Annotated[str, typer.Argument(help="Its URN; its name with the embedded engine.")],
    yes: YesOption = False,
    force: Annotated[bool, typer.Option("--force", help="Also if it is protected.")] = False,
) -> None:
    """Take a resource out of a stack's state; its job is not touched, and no stack manages it."""
    words = ["state", "delete", resource, *stack_flag(options.stack), *flags(yes=yes, force=force)]
    of_cli = {"stack": options.stack, "urn": resource}
    with options.embedded(words, quiet=options.as_json, document=of_cli):
        from flink_jobs_provider.engine.stack_commands import forget_resource

        request = replace(options.request(), yes=yes)
        done = forget_resource(request, run_console(error=True), resource, force=force)
        line = f"took {done.urn} out of the state of stack {done.stack}; the one before is kept in "
        document = {"stack": done.stack, "urn": done.urn, "backup": str(done.backup)}
        say_either(document, f"{line}{done.backup}", as_json=options.as_json)


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
    policy_pack: Annotated[
        list[Path] | None,
        typer.Option("--policy-pack", help="Judge the run by the policy pack in this directory."),
    ] = None
    policy_pack_config: Annotated[
        list[Path] | None,
        typer.Option(
            "--policy-pack-config", help="The JSON file that configures the pack named before."
        ),
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
        for pack in self.policy_pack or ():
            words += ["--policy-pack", str(pack.absolute())]
        for file in self.policy_pack_config or ():
            words += ["--policy-pack-config", str(file.absolute())]
        return words


#: What only runs of a program have, in which something is declared that policies judge.
_OF_POLICIES = ("policy_pack", "policy_pack_config")


def register(app: typer.Typer) -> None:
    """Add the commands on stacks to the command line."""
    app.command()(grouped(up))
    app.command()(grouped(preview, without=("yes", "skip_preview")))
    app.command()(grouped(refresh, without=("refresh", "offline", *_OF_POLICIES)))
    app.command()(grouped(destroy, without=("expect_no_changes", "offline", *_OF_POLICIES)))
    app.command()(grouped(cancel))
    app.command()(grouped(outputs))
    app.add_typer(stack_app, name="stack")
    app.add_typer(config_app, name="config")
    app.add_typer(state_app, name="state")


def up(options: RunOptions) -> None:
    """Bring the jobs to what the program declares."""
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
