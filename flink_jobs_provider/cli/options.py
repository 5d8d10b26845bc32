"""Options that several commands share: a command takes a group of them as its first parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

import typer

JsonOption = Annotated[bool, typer.Option("--json", "-j", help="Print JSON.")]


def grouped(command: Callable[..., None], *, without: tuple[str, ...] = ()) -> Callable[..., None]:
    """Return a command that takes the options of its first parameter, a dataclass, one by one.

    Options in `without` are not offered: they have their defaults.
    """
    hints = get_type_hints(command, include_extras=True)
    first, *own = inspect.signature(command).parameters.values()
    group = hints.pop(first.name)
    hints = get_type_hints(group, include_extras=True) | hints
    offered = {field.name: field.default for field in fields(group) if field.name not in without}

    def run(**given: Any) -> None:
        options = group(**{name: given.pop(name) for name in offered})
        command(options, **given)

    taken = {parameter.name: parameter.default for parameter in own} | offered
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name]
            )
            for name, default in taken.items()
        ]
    )
    run.__annotations__ = {name: hints[name] for name in taken}
    return run
