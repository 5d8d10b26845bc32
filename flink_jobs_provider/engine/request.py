"""What was asked for on the command line. Light: nothing of Pulumi is loaded for it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.engine.errors import StackError
from flink_jobs_provider.engine.stacks import Place


def default_parallel() -> int:
    """Give how many operations run at once unless told otherwise."""
    return max(16, 4 * (os.cpu_count() or 1))


@dataclass(frozen=True)
class Request:
    """Hold what was asked for on the command line."""

    directory: Path
    stack: str | None = None
    yes: bool = False
    skip_preview: bool = False
    refresh: bool = False
    expect_no_changes: bool = False
    parallel: int = 0
    diff: bool = False
    json: bool = False
    interactive: bool = True
    verbose: bool = False
    environment: Mapping[str, str] | None = None

    def place(self) -> Place:
        """Find the project and its backend."""
        environment = os.environ if self.environment is None else self.environment
        return Place.find(self.directory, environment, interactive=self.asks)

    @property
    def asks(self) -> bool:
        """Tell whether there is somebody to ask."""
        return self.interactive and sys.stdin.isatty() and sys.stdout.isatty()


def stack_name(request: Request, place: Place) -> str:
    """Find the stack that is meant: named, else selected, else the project's only one.

    Raises StackError when that is not clear.
    """
    environment = place.environment
    if name := request.stack or environment.get("PULUMI_STACK"):
        return name
    stacks = place.backend.stacks_of(place.project.name)
    selected = place.workspace.selected().rpartition("/")[2]
    if selected in stacks:
        return selected
    if len(stacks) == 1:
        return stacks[0]
    if not stacks:
        raise StackError(
            f"project {place.project.name!r} has no stack yet",
            "Make one: flink-jobs stack init <name>",
        )
    raise StackError(
        f"project {place.project.name!r} has several stacks: {', '.join(stacks)}",
        "Name one with --stack, or select it: flink-jobs stack select <name>",
    )
