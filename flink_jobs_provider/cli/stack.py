"""Commands on stacks: through the Pulumi CLI where there is one, else the embedded engine."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

from flink_jobs_provider.engine import configuring
from flink_jobs_provider.engine.errors import EngineError, StackError
from flink_jobs_provider.engine.request import Request


class Engine(StrEnum):
    """Name what runs a Pulumi program."""

    AUTO = "auto"
    PULUMI = "pulumi"
    EMBEDDED = "embedded"


EngineOption = Annotated[
    Engine,
    typer.Option(
        help="What runs the program: the Pulumi CLI if it is on the PATH (auto), or one of them.",
        envvar="FLINK_JOBS_ENGINE",
    ),
]
StackOption = Annotated[
    str | None, typer.Option("--stack", "-s", help="The stack; the only one, if not given.")
]
DirectoryOption = Annotated[
    Path, typer.Option("--cwd", "-C", help="The project's directory.", show_default="here")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Go ahead without being asked.")]
RefreshOption = Annotated[
    bool, typer.Option("--refresh", "-r", help="First look at what is really there.")
]
ExpectOption = Annotated[
    bool, typer.Option("--expect-no-changes", help="End with exit code 7 if there are changes.")
]
ParallelOption = Annotated[
    int, typer.Option("--parallel", "-p", min=0, help="Operations at once; 0: as many as is usual.")
]
DiffOption = Annotated[bool, typer.Option("--diff", help="Show each property that changes.")]
NonInteractiveOption = Annotated[bool, typer.Option("--non-interactive", help="Never ask.")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show providers' errors with their traceback.")
]
SkipPreviewOption = Annotated[
    bool, typer.Option("--skip-preview", "-f", help="Go ahead without a preview.")
]
TargetOption = Annotated[
    list[str] | None, typer.Option("--target", "-t", help="Only these URNs (Pulumi CLI only).")
]


def register(app: typer.Typer) -> None:
    """Add the commands on stacks to the command line."""
    app.command()(up)
    app.command()(preview)
    app.command()(refresh)
    app.command()(destroy)
    app.command()(cancel)
    app.command()(outputs)
    stack = typer.Typer(no_args_is_help=True, help="Make and list stacks.")
    stack.command("init")(stack_init)
    stack.command("ls")(stack_list)
    app.add_typer(stack, name="stack")
    config = typer.Typer(no_args_is_help=True, help="Set and show a stack's configuration.")
    config.command("set")(config_set)
    config.command("get")(config_get)
    config.command("rm")(config_remove)
    config.command("ls")(config_list)
    app.add_typer(config, name="config")


def up(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    yes: YesOption = False,
    refresh: RefreshOption = False,
    expect_no_changes: ExpectOption = False,
    parallel: ParallelOption = 0,
    diff: DiffOption = False,
    skip_preview: SkipPreviewOption = False,
    non_interactive: NonInteractiveOption = False,
    verbose: VerboseOption = False,
    target: TargetOption = None,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Bring the jobs to what the program says."""
    request = Request(
        cwd,
        stack,
        yes,
        skip_preview,
        refresh,
        expect_no_changes,
        parallel,
        diff,
        interactive=not non_interactive,
        verbose=verbose,
    )
    _change("up", request, engine, target)


def preview(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    refresh: RefreshOption = False,
    expect_no_changes: ExpectOption = False,
    parallel: ParallelOption = 0,
    diff: DiffOption = False,
    json: Annotated[bool, typer.Option("--json", "-j", help="Write the steps in JSON.")] = False,
    non_interactive: NonInteractiveOption = False,
    verbose: VerboseOption = False,
    target: TargetOption = None,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Show what `up` would do, and why."""
    request = Request(
        cwd,
        stack,
        False,
        False,
        refresh,
        expect_no_changes,
        parallel,
        diff,
        json,
        interactive=not non_interactive,
        verbose=verbose,
    )
    with _errors():
        if _chosen(engine, quiet=json) is Engine.PULUMI:
            _pulumi("preview", request, target, yes=False)
        _refuse_targets(target)
        _commands().preview(request, _console())


def refresh(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    yes: YesOption = False,
    expect_no_changes: ExpectOption = False,
    parallel: ParallelOption = 0,
    diff: DiffOption = False,
    skip_preview: SkipPreviewOption = False,
    non_interactive: NonInteractiveOption = False,
    verbose: VerboseOption = False,
    target: TargetOption = None,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Take over into the state what is really there."""
    request = Request(
        cwd,
        stack,
        yes,
        skip_preview,
        False,
        expect_no_changes,
        parallel,
        diff,
        interactive=not non_interactive,
        verbose=verbose,
    )
    _change("refresh", request, engine, target)


def destroy(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    yes: YesOption = False,
    refresh: RefreshOption = False,
    parallel: ParallelOption = 0,
    diff: DiffOption = False,
    skip_preview: SkipPreviewOption = False,
    non_interactive: NonInteractiveOption = False,
    verbose: VerboseOption = False,
    target: TargetOption = None,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Delete everything the stack holds."""
    request = Request(
        cwd,
        stack,
        yes,
        skip_preview,
        refresh,
        False,
        parallel,
        diff,
        interactive=not non_interactive,
        verbose=verbose,
    )
    _change("destroy", request, engine, target)


def cancel(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Remove the lock that a run left behind."""
    with _errors():
        request = Request(cwd, stack)
        if _chosen(engine) is Engine.PULUMI:
            _exit_with(["cancel", "--yes", *([stack] if stack else [])], cwd)
        _commands().cancel(request, _console())


def outputs(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    json: Annotated[bool, typer.Option("--json", "-j", help="Write them in JSON.")] = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="In plain.")] = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Show the stack's outputs."""
    with _errors():
        if _chosen(engine, quiet=True) is Engine.PULUMI:
            flags = [*(["--json"] if json else []), *(["--show-secrets"] if show_secrets else [])]
            _exit_with(["stack", "output", *_stack_flag(stack), *flags], cwd)
        request = Request(cwd, stack)
        configuring.show_outputs(request, _console(), json_=json, show_secrets=show_secrets)


def stack_init(
    name: Annotated[str, typer.Argument(help="The stack's name.")],
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Make an empty stack."""
    with _errors():
        if _chosen(engine) is Engine.PULUMI:
            _exit_with(["stack", "init", name, "--no-select"], cwd)
        configuring.initialise(Request(cwd), name, _console())


def stack_list(cwd: DirectoryOption = Path(), engine: EngineOption = Engine.AUTO) -> None:
    """List the project's stacks."""
    with _errors():
        if _chosen(engine, quiet=True) is Engine.PULUMI:
            _exit_with(["stack", "ls"], cwd)
        configuring.list_stacks(Request(cwd), _console())


def config_set(
    key: Annotated[str, typer.Argument(help="The key; with --path a path into an object.")],
    value: Annotated[
        str | None, typer.Argument(help="The value; read from standard input, if not given.")
    ] = None,
    stack: StackOption = None,
    secret: Annotated[bool, typer.Option("--secret", help="Store it encrypted.")] = False,
    path: Annotated[bool, typer.Option("--path", help="Take the key for a path.")] = False,
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Set a configuration value."""
    with _errors():
        if _chosen(engine, quiet=True) is Engine.PULUMI:
            flags = [*(["--secret"] if secret else []), *(["--path"] if path else [])]
            values = [] if value is None else ["--", value]
            _exit_with(["config", "set", *_stack_flag(stack), *flags, key, *values], cwd)
        text = sys.stdin.read().rstrip("\n") if value is None else value
        configuring.set_value(Request(cwd, stack), key, text, secret=secret, path=path)


def config_get(
    key: Annotated[str, typer.Argument(help="The key.")],
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Show one configuration value, in plain."""
    with _errors():
        if _chosen(engine, quiet=True) is Engine.PULUMI:
            _exit_with(["config", "get", *_stack_flag(stack), key], cwd)
        print(configuring.value(Request(cwd, stack), key))


def config_remove(
    key: Annotated[str, typer.Argument(help="The key.")],
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    engine: EngineOption = Engine.AUTO,
) -> None:
    """Remove a configuration value."""
    with _errors():
        if _chosen(engine, quiet=True) is Engine.PULUMI:
            _exit_with(["config", "rm", *_stack_flag(stack), key], cwd)
        configuring.remove_value(Request(cwd, stack), key)


def config_list(
    stack: StackOption = None,
    cwd: DirectoryOption = Path(),
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="In plain.")] = False,
    engine: EngineOption = Engine.AUTO,
) -> None:
    """List the configuration values."""
    with _errors():
        if _chosen(engine, quiet=True) is Engine.PULUMI:
            flags = ["--show-secrets"] if show_secrets else []
            _exit_with(["config", *_stack_flag(stack), *flags], cwd)
        configuring.list_values(Request(cwd, stack), _console(), show_secrets=show_secrets)


def _change(
    command: str,
    request: Request,
    engine: Engine,
    target: list[str] | None,
) -> None:
    with _errors():
        if _chosen(engine) is Engine.PULUMI:
            _pulumi(command, request, target, yes=request.yes)
        _refuse_targets(target)
        commands = _commands()
        kinds = {
            "up": commands.Kind.UPDATE,
            "refresh": commands.Kind.REFRESH,
            "destroy": commands.Kind.DESTROY,
        }
        commands.change(request, kinds[command], _console())


def _commands() -> ModuleType:
    """Load the engine itself, with Pulumi's SDK: the other commands should not wait for it."""
    from flink_jobs_provider.engine import commands

    return commands


def _chosen(engine: Engine, *, quiet: bool = False) -> Engine:
    """Settle on an engine, and say which."""
    found = shutil.which("pulumi")
    if engine is Engine.AUTO:
        engine = Engine.PULUMI if found else Engine.EMBEDDED
    if engine is Engine.PULUMI and not found:
        raise StackError(
            "there is no `pulumi` on the PATH",
            "Install the Pulumi CLI, or run with --engine embedded.",
        )
    if not quiet:
        name = f"the Pulumi CLI ({found})" if engine is Engine.PULUMI else "the embedded engine"
        Console(stderr=True).print(f"Running with {name}", style="dim", highlight=False)
    return engine


def _pulumi(command: str, request: Request, target: list[str] | None, *, yes: bool) -> None:
    arguments = [command, *_stack_flag(request.stack)]
    flags = {
        "--yes": yes,
        "--skip-preview": request.skip_preview,
        "--refresh": request.refresh,
        "--expect-no-changes": request.expect_no_changes,
        "--diff": request.diff,
        "--json": request.json,
        "--non-interactive": not request.interactive,
    }
    arguments += [flag for flag, given in flags.items() if given]
    if request.parallel:
        arguments += ["--parallel", str(request.parallel)]
    for urn in target or ():
        arguments += ["--target", urn]
    _exit_with(arguments, request.directory)


def _exit_with(arguments: list[str], directory: Path) -> None:
    """Run the Pulumi CLI and end as it ends."""
    process = subprocess.Popen(["pulumi", "--cwd", str(directory), *arguments])
    while True:
        try:
            raise typer.Exit(process.wait())
        except KeyboardInterrupt:
            # The CLI got it too, and knows what to do about it.
            continue


def _stack_flag(stack: str | None) -> list[str]:
    return ["--stack", stack] if stack else []


def _refuse_targets(target: list[str] | None) -> None:
    if target:
        raise StackError(
            "the embedded engine does not support --target",
            "Run with the Pulumi CLI (--engine pulumi), or without --target.",
        )


def _console() -> Console:
    return Console(highlight=False)


@contextmanager
def _errors() -> Iterator[None]:
    """Show an error as a sentence and what to do, and end with its exit code."""
    try:
        yield
    except EngineError as error:
        console = Console(stderr=True, highlight=False)
        console.print(f"error: {error.message}", style="red", markup=False, soft_wrap=True)
        if error.hint:
            console.print(error.hint, markup=False, soft_wrap=True)
        raise typer.Exit(error.exit_code) from None
