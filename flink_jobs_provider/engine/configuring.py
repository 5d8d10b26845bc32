"""Set what stacks are configured with, and show what they give."""

import json
from collections.abc import Callable
from typing import Any

from rich.console import Console

from flink_jobs_provider.engine.errors import ConfigurationError, PassphraseError
from flink_jobs_provider.engine.passphrase import Crypter, find_passphrase
from flink_jobs_provider.engine.request import Request, stack_name
from flink_jobs_provider.engine.stack_configuration import (
    ConfigurationValue,
    StackConfiguration,
    full_name,
)
from flink_jobs_provider.engine.stacks import OpenStack, Place
from flink_jobs_provider.engine.values import SECRET_TEXT, Value, masked, plain


def set_value(request: Request, key: str, text: str, *, secret: bool, path: bool) -> None:
    """Set a configuration value of a stack that exists."""
    place, stack, configuration = _opened(request)
    crypter = _crypter(place, stack, configuration) if secret else None
    configuration.set(key, text, path=path, crypter=crypter, project=place.project.name)
    configuration.write()


def remove_value(request: Request, key: str) -> None:
    """Remove a configuration value."""
    place, _, configuration = _opened(request)
    configuration.remove(key, place.project.name)
    configuration.write()


def value(request: Request, key: str) -> ConfigurationValue:
    """Give one configuration value in plain.

    Raises ConfigurationError when it is not set.
    """
    place, stack, configuration = _opened(request)
    values = _values(place, stack, configuration)
    name = full_name(key, place.project.name)
    if name not in values:
        raise ConfigurationError(f"configuration key {key!r} is not set for stack {stack!r}")
    return values[name]


def as_plain(item: ConfigurationValue, *, show_secret: bool) -> dict[str, Any]:
    """Give a value in the shape of the CLI's `config --json`: a secret one without its text."""
    shown = {"value": item.text} if show_secret or not item.secret else {}
    return {**shown, "secret": item.secret}


def list_values(
    request: Request, console: Console, *, show_secrets: bool, json_: bool = False
) -> None:
    """List a stack's configuration, secrets masked unless asked for."""
    place, stack, configuration = _opened(request)
    values = _values(place, stack, configuration)
    if json_:
        document = {
            name: as_plain(item, show_secret=show_secrets) for name, item in sorted(values.items())
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    width = max(map(len, values), default=0)
    for name, item in sorted(values.items()):
        shown = SECRET_TEXT if item.secret and not show_secrets else item.text
        console.print(f"{name:<{width}}  {shown}", markup=False, soft_wrap=True)


def show_outputs(request: Request, console: Console, *, json_: bool, show_secrets: bool) -> None:
    """Show a stack's outputs as they were saved last."""
    place = request.place()
    stack = OpenStack.open(place, stack_name(request, place))
    show: Callable[[Value], Any] = plain if show_secrets else masked
    outputs = {name: show(item) for name, item in sorted(stack.outputs().items())}
    if json_:
        print(json.dumps(outputs, indent=2, ensure_ascii=False, sort_keys=True))
        return
    width = max(map(len, outputs), default=0)
    for name, item in outputs.items():
        text = (
            item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, sort_keys=True)
        )
        console.print(f"{name:<{width}}  {text}", markup=False, soft_wrap=True)


def _opened(request: Request) -> tuple[Place, str, StackConfiguration]:
    place = request.place()
    files = place.files(stack_name(request, place))
    files.read_checkpoint()
    return place, files.stack, place.configuration(files.stack)


def _crypter(place: Place, stack: str, configuration: StackConfiguration) -> Crypter:
    if salt := configuration.encryption_salt:
        return place.crypter(stack, salt)
    passphrase = find_passphrase(place.environment, interactive=place.interactive, stack=stack)
    crypter = Crypter.fresh(passphrase)
    configuration.encryption_salt = crypter.encryption_salt
    return crypter


def _values(
    place: Place, stack: str, configuration: StackConfiguration
) -> dict[str, ConfigurationValue]:
    salt = configuration.encryption_salt
    if configuration.has_secrets and not salt:
        raise PassphraseError(f"{configuration.path} has encrypted values but no `encryptionsalt`")
    crypter = place.crypter(stack, salt) if configuration.has_secrets and salt else None
    return configuration.values(place.project.name, crypter)
