"""The commands on a stack outside of runs: configuration, outputs, what is taken out of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from flink_jobs_provider.engine.backend import StackFiles, hold_lock, write_durably
from flink_jobs_provider.engine.checkpoint import deployment_of, document_of
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
            question = f"Remove stack {files.stack}, its state and its configuration?"
            _confirm(request, question, files.stack)
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


@dataclass(frozen=True)
class Forgotten:
    """A resource that was taken out of a stack's state, and that state as it was before."""

    stack: str
    urn: str
    backup: Path


def forget_resource(request: Request, console: Console, resource: str, *, force: bool) -> Forgotten:
    """Take a resource out of a stack's state; nothing but the state is changed.

    Secrets stay encrypted, so that no passphrase is needed.

    Args:
        request: The stack, and whether it is confirmed.
        console: Is told of what is odd about the lock.
        resource: Its URN, or its name where only one resource has that.
        force: Whether also one that is protected.

    Raises:
        StackError: There is no such resource, or several; it is protected; or others need it.
        ConfirmationError: It is not confirmed.
    """
    _, files = request.files()
    with hold_lock(files.locks, lambda text: console.print(f"warning: {text}", style="yellow")):
        document, deployment = document_of(files.read_checkpoint(), files.checkpoint)
        resources = deployment.get("resources") or []
        one = _the_one(resources, resource, files.stack)
        urn, name = one["urn"], name_of(one["urn"])
        if needing := [each["urn"] for each in resources if each is not one and _needs(each, urn)]:
            raise StackError(
                f"{name} is needed by other resources of stack {files.stack}: {', '.join(needing)}",
                "Take these out of the state first, or out of the program and run up.",
            )
        if one.get("protect") and not force:
            raise StackError(f"{name} is protected", "With --force it is taken out all the same.")
        if not request.yes:
            _confirm(request, f"Take {urn} out of the state of stack {files.stack}?", name)
        del resources[resources.index(one)]
        files.keep_backup()
        write_durably(files.checkpoint, json.dumps(document))
    return Forgotten(files.stack, urn, files.backup)


def _the_one(resources: list[dict[str, Any]], wanted: str, stack: str) -> dict[str, Any]:
    """Return the resource of a URN, or of a name."""
    found = [each for each in resources if wanted in (each["urn"], name_of(each["urn"]))]
    if len(found) == 1:
        return found[0]
    urns = ", ".join(each["urn"] for each in found)
    if not found:
        known = ", ".join(each["urn"] for each in resources) or "none"
        raise StackError(f"stack {stack} has no resource {wanted!r}", f"It has: {known}")
    if len({each["urn"] for each in found}) > 1:
        raise StackError(f"stack {stack} has several resources named {wanted}", f"Name one: {urns}")
    raise StackError(
        f"stack {stack} has {len(found)} records of {found[0]['urn']}, of which one is being "
        "replaced",
        "Run up, which ends the replacement, and take it out then.",
    )


def _needs(resource: dict[str, Any], urn: str) -> bool:
    """Whether a resource names another one: as parent, dependency or provider."""
    of_properties = (resource.get("propertyDependencies") or {}).values()
    named = {
        *(resource.get("parent"), resource.get("deletedWith")),
        *(resource.get("dependencies") or ()),
        *(each for urns in of_properties for each in urns or ()),
        *(resource.get("replaceWith") or ()),
    }
    return urn in named or (resource.get("provider") or "").startswith(f"{urn}::")


def _confirm(request: Request, question: str, word: str) -> None:
    if not request.asks:
        raise ConfirmationError(
            "nobody is there to confirm", "Pass --yes to go ahead without being asked."
        )
    if input(f"{question} Type its name: ").strip() != word:
        raise ConfirmationError("not confirmed; nothing was changed")
