"""The commands on a stack outside of runs: its configuration, its outputs, its removal."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from flink_jobs_provider.engine.backend import StackFiles, hold_lock
from flink_jobs_provider.engine.checkpoint import deployment_of
from flink_jobs_provider.engine.errors import (
    ConfigurationError,
    ConfirmationError,
    StackError,
)
from flink_jobs_provider.engine.resource_state import name_of
from flink_jobs_provider.engine.stack_configuration import (
    ConfigurationValue,
    StackConfiguration,
    full_name,
)
from flink_jobs_provider.engine.stacks import Place, Request
from flink_jobs_provider.engine.values import SECRET_TEXT, Value, masked, plain


def set_value(request: Request, key: str, text: str, *, secret: bool, path: bool) -> None:
    """Set a configuration value of a stack that exists."""
    place, stack, configuration = _opened(request)
    crypter = place.crypter_for(stack, configuration) if secret else None
    configuration.set(key, text, path=path, crypter=crypter, project=place.project.name)
    configuration.write()


def remove_value(request: Request, key: str) -> None:
    """Remove a configuration value."""
    place, _, configuration = _opened(request)
    configuration.remove(key, place.project.name)
    configuration.write()


def value(request: Request, key: str) -> ConfigurationValue:
    """Return one configuration value, decrypted.

    Raises ConfigurationError when it is not set.
    """
    place, stack, configuration = _opened(request)
    values = _values(place, stack, configuration)
    name = full_name(key, place.project.name)
    if name not in values:
        raise ConfigurationError(f"configuration key {key!r} is not set for stack {stack!r}")
    return values[name]


def as_plain(item: ConfigurationValue, *, show_secret: bool) -> dict[str, Any]:
    """Return a value in the shape of the CLI's `config --json`: a secret without its text."""
    shown = {"value": item.text} if show_secret or not item.secret else {}
    return {**shown, "secret": item.secret}


def list_values(
    request: Request, console: Console, *, show_secrets: bool, json_: bool = False
) -> None:
    """List a stack's configuration, secrets masked unless asked for."""
    place, stack, configuration = _opened(request)
    values = sorted(_values(place, stack, configuration).items())
    if json_:
        document = {name: as_plain(item, show_secret=show_secrets) for name, item in values}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    _print_aligned(
        console,
        {
            name: SECRET_TEXT if item.secret and not show_secrets else item.text
            for name, item in values
        },
    )


def show_outputs(request: Request, console: Console, *, json_: bool, show_secrets: bool) -> None:
    """Show a stack's outputs as they were saved last."""
    stack = request.open()
    show: Callable[[Value], Any] = plain if show_secrets else masked
    outputs = {name: show(item) for name, item in sorted(stack.outputs().items())}
    if json_:
        print(json.dumps(outputs, indent=2, ensure_ascii=False, sort_keys=True))
        return
    texts = {
        name: item
        if isinstance(item, str)
        else json.dumps(item, ensure_ascii=False, sort_keys=True)
        for name, item in outputs.items()
    }
    _print_aligned(console, texts)


def _print_aligned(console: Console, texts: dict[str, str]) -> None:
    width = max(map(len, texts), default=0)
    for name, text in texts.items():
        console.print(f"{name:<{width}}  {text}", markup=False, soft_wrap=True)


def _opened(request: Request) -> tuple[Place, str, StackConfiguration]:
    place, files = request.files()
    return place, files.stack, place.configuration(files.stack)


def _values(
    place: Place, stack: str, configuration: StackConfiguration
) -> dict[str, ConfigurationValue]:
    configuration.refuse_lost_salt()
    crypter = place.crypter_for(stack, configuration) if configuration.has_secrets else None
    return configuration.values(place.project.name, crypter)


@dataclass(frozen=True)
class Removed:
    """What was removed.

    `left_behind` names the resources that the state held; none of them was observed.
    """

    stack: str
    backup: Path
    left_behind: tuple[str, ...]


def remove_stack(
    request: Request, console: Console, *, force: bool, preserve_configuration: bool
) -> Removed:
    """Remove a stack's state, its configuration file and its selection.

    Raises StackError where the state holds resources, or pending operations, whose
    outcome is unknown, unless `force` is given; and ConfirmationError unless it is confirmed.
    """
    place, files = request.files()
    with hold_lock(files.locks, lambda text: console.print(f"warning: {text}", style="yellow")):
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
    return tuple(dict.fromkeys(name_of(resource["urn"]) for resource in resources))


def _confirm(request: Request, stack: str) -> None:
    if not request.asks:
        raise ConfirmationError(
            "nobody is there to confirm", "Pass --yes to go ahead without being asked."
        )
    answer = input(f"Remove stack {stack}, its state and its configuration? Type its name: ")
    if answer.strip() != stack:
        raise ConfirmationError("not confirmed; nothing was changed")
