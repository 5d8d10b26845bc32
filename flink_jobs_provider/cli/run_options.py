"""The options that up, preview, refresh and destroy share, each spelled once."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints

import typer

from flink_jobs_provider.cli.engines import (
    DirectoryOption,
    Engine,
    EngineOption,
    StackOption,
    YesOption,
    stack_flag,
)

if TYPE_CHECKING:
    from flink_jobs_provider.engine.request import Request


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What one run was asked for; a command that does not offer an option has its default."""

    stack: StackOption = None
    cwd: DirectoryOption = Path()
    yes: YesOption = False
    refresh: Annotated[
        bool, typer.Option("--refresh", "-r", help="First look at what is really there.")
    ] = False
    expect_no_changes: Annotated[
        bool,
        typer.Option("--expect-no-changes", help="End with exit code 7 if there are changes."),
    ] = False
    parallel: Annotated[
        int,
        typer.Option("--parallel", "-p", min=0, help="Operations at once; 0: as many as is usual."),
    ] = 0
    diff: Annotated[bool, typer.Option("--diff", help="Show each property that changes.")] = False
    json: Annotated[bool, typer.Option("--json", "-j", help="Write the steps in JSON.")] = False
    skip_preview: Annotated[
        bool, typer.Option("--skip-preview", "-f", help="Go ahead without a preview.")
    ] = False
    non_interactive: Annotated[bool, typer.Option("--non-interactive", help="Never ask.")] = False
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
        from flink_jobs_provider.engine.request import Request

        if self.target:
            raise StackError(
                "the embedded engine does not support --target",
                "Run with the Pulumi CLI (--engine pulumi), or without --target.",
            )
        return Request(
            directory=self.cwd,
            stack=self.stack,
            yes=self.yes,
            skip_preview=self.skip_preview,
            refresh=self.refresh,
            expect_no_changes=self.expect_no_changes,
            parallel=self.parallel,
            diff=self.diff,
            json=self.json,
            interactive=not self.non_interactive,
            verbose=self.verbose,
        )

    def for_pulumi(self) -> list[str]:
        """Return the options as the Pulumi CLI has them."""
        given = {
            "--yes": self.yes,
            "--skip-preview": self.skip_preview,
            "--refresh": self.refresh,
            "--expect-no-changes": self.expect_no_changes,
            "--diff": self.diff,
            "--json": self.json,
            "--non-interactive": self.non_interactive,
        }
        words = [*stack_flag(self.stack), *(flag for flag, wanted in given.items() if wanted)]
        if self.parallel:
            words += ["--parallel", str(self.parallel)]
        for urn in self.target or ():
            words += ["--target", urn]
        return words


def with_run_options(
    command: Callable[[RunOptions], None], *, without: tuple[str, ...] = ()
) -> Callable[..., None]:
    """Return a command that takes the options of a run, but for those that have no use in it."""
    hints = get_type_hints(RunOptions, include_extras=True)
    offered = [field for field in fields(RunOptions) if field.name not in without]

    def run(**given: object) -> None:
        command(RunOptions(**given))  # type: ignore[arg-type]

    parameters = []
    for field in offered:
        assert field.default is not MISSING  # noqa: S101 - each has one
        parameters.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=hints[field.name],
            )
        )
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {field.name: hints[field.name] for field in offered}
    return run
