"""What runs a Pulumi program: the Pulumi CLI where there is one, else the embedded engine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from flink_jobs_provider.cli.options import JsonOption
from flink_jobs_provider.cli.printing import say_json

if TYPE_CHECKING:
    from rich.console import Console

    from flink_jobs_provider.engine.stacks import Request


class Engine(StrEnum):
    """What runs a Pulumi program."""

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
DirectoryOption = Annotated[
    Path, typer.Option("--cwd", "-C", help="The project's directory.", show_default="here")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def _stack_names(incomplete: str) -> list[str]:
    """Return the stacks of the project here, to complete a command with."""
    import os

    from flink_jobs_provider.engine.errors import EngineError
    from flink_jobs_provider.engine.stacks import Place

    try:
        place = Place.find(Path(), os.environ)
    except EngineError:
        return []
    names = place.backend.stacks_of(place.project.name)
    return [name for name in names if name.startswith(incomplete)]


StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        "-s",
        help="The stack; else PULUMI_STACK, the selected one, or the only one.",
        autocompletion=_stack_names,
    ),
]
StackArgument = Annotated[
    str, typer.Argument(help="The stack's name.", autocompletion=_stack_names)
]


def _chosen(engine: Engine, *, quiet: bool) -> Engine:
    """Return the engine to use, and print which one it is."""
    found = shutil.which("pulumi")
    if engine is Engine.AUTO:
        engine = Engine.PULUMI if found else Engine.EMBEDDED
    if engine is Engine.PULUMI and not found:
        from flink_jobs_provider.engine.errors import StackError

        raise StackError(
            "there is no `pulumi` on the PATH",
            "Install the Pulumi CLI, or run with --engine embedded.",
        )
    if not quiet:
        from rich.console import Console

        name = f"the Pulumi CLI ({found})" if engine is Engine.PULUMI else "the embedded engine"
        Console(stderr=True).print(f"Running with {name}", style="dim", highlight=False)
    return engine


def _exit_with_pulumi(
    arguments: Sequence[str], directory: Path, document: Mapping[str, Any] | None
) -> NoReturn:
    """Run the Pulumi CLI and end as it ends."""
    output = None if document is None else sys.stderr
    command = ["pulumi", "--cwd", str(directory), *arguments]
    process = subprocess.Popen(command, stdout=output)
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            # The CLI got it too, and knows what to do about it.
            continue
    if code == 0 and document is not None:
        say_json(document)
    raise typer.Exit(code)


def stack_flag(stack: str | None) -> list[str]:
    """Return the CLI's option for a stack."""
    return ["--stack", stack] if stack else []


def flags(**given: bool) -> list[str]:
    """Return the CLI's options that are given, by their names with underscores."""
    return [f"--{name.replace('_', '-')}" for name, wanted in given.items() if wanted]


@dataclass(frozen=True, kw_only=True)
class StackOptions:
    """The stack that a command is for, and what executes the command."""

    stack: StackOption = None
    cwd: DirectoryOption = Path()
    as_json: JsonOption = False
    engine: EngineOption = Engine.AUTO

    def embedded(
        self, words: Sequence[str], *, quiet: bool = True, document: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[None]:
        """Frame a command, as `embedded` does; the document is for those that want JSON."""
        wanted = document if self.as_json else None
        return embedded(self.engine, words, self.cwd, quiet=quiet, document=wanted)

    def request(self) -> Request:
        """Return the request to the embedded engine."""
        from flink_jobs_provider.engine.stacks import Request

        return Request(self.cwd, self.stack)


def run_console(*, error: bool = False) -> Console:
    """Return the console that a run is shown on."""
    from rich.console import Console

    return Console(highlight=False, stderr=error)


@contextmanager
def embedded(
    engine: Engine,
    words: Sequence[str],
    directory: Path,
    *,
    quiet: bool = True,
    document: Mapping[str, Any] | None = None,
) -> Iterator[None]:
    """Frame a command of the embedded engine; where the Pulumi CLI is chosen, run that instead.

    An error of the engine is shown as a sentence and what to do, and ends with its exit code.

    Args:
        engine: The engine that is asked for.
        words: The Pulumi CLI's arguments for the same.
        directory: The project's directory.
        quiet: Whether not to print which engine it is.
        document: What is printed as JSON once the CLI has ended well, for commands of which it
            prints none; what it prints then goes to standard error.
    """
    with engine_errors():
        if _chosen(engine, quiet=quiet) is Engine.PULUMI:
            _exit_with_pulumi(words, directory, document)
        yield


@contextmanager
def engine_errors() -> Iterator[None]:
    """Show an error of the engine as a sentence and what to do, and end with its exit code."""
    from flink_jobs_provider.engine.errors import EngineError

    try:
        yield
    except EngineError as error:
        console = run_console(error=True)
        console.print(f"error: {error.message}", style="red", markup=False, soft_wrap=True)
        if error.hint:
            console.print(error.hint, markup=False, soft_wrap=True)
        raise typer.Exit(error.exit_code) from None
