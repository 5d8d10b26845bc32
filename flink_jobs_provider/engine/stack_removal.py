"""Remove a stack that holds nothing any more."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from flink_jobs_provider.engine import locks, urns
from flink_jobs_provider.engine.backend import StackFiles
from flink_jobs_provider.engine.checkpoint import deployment_of
from flink_jobs_provider.engine.errors import ConfirmationError, StackError
from flink_jobs_provider.engine.request import Request, stack_name


@dataclass(frozen=True)
class Removed:
    """What was removed.

    `left_behind` names the resources that the state held; of them nothing was looked at.
    """

    stack: str
    backup: Path
    left_behind: tuple[str, ...]


def remove_stack(
    request: Request, console: Console, *, force: bool, preserve_configuration: bool
) -> Removed:
    """Remove a stack's state, its configuration file and its selection.

    Raises StackError where the state holds resources, or operations of which nobody knows how far
    they came, unless `force` is given; and ConfirmationError unless it is confirmed.
    """
    place = request.place()
    files = place.files(stack_name(request, place))
    files.read_checkpoint()
    with locks.held(files.locks, lambda text: console.print(f"warning: {text}", style="yellow")):
        left = _resources(files)
        if left and not force:
            raise StackError(
                f"stack {files.stack} still holds {len(left)} resources: {', '.join(left)}",
                "Delete them first: flink-jobs destroy. With --force only the record of them is "
                "removed: their jobs are left as they are, and no stack manages them any more.",
            )
        if not request.yes:
            _confirm(request, files.stack)
        backup = files.remove()
        if not preserve_configuration:
            place.project.stack_configuration_file(files.stack).unlink(missing_ok=True)
        place.workspace.unselect(files.full_name)
    return Removed(files.stack, backup, left)


def _resources(files: StackFiles) -> tuple[str, ...]:
    deployment = deployment_of(files.read_checkpoint(), files.checkpoint)
    resources: list[dict[str, Any]] = list(deployment.get("resources") or ())
    pending = deployment.get("pending_operations") or ()
    resources += [operation["resource"] for operation in pending]
    return tuple(dict.fromkeys(urns.name_of(resource["urn"]) for resource in resources))


def _confirm(request: Request, stack: str) -> None:
    if not request.asks:
        raise ConfirmationError(
            "nobody is there to confirm", "Pass --yes to go ahead without being asked."
        )
    answer = input(f"Remove stack {stack}, its state and its configuration? Type its name: ")
    if answer.strip() != stack:
        raise ConfirmationError("not confirmed; nothing was changed")
