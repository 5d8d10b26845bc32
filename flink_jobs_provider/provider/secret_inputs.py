"""Which inputs of a resource are secret: the dynamic provider is not told by the engine.

The engine takes the marks off before it calls a provider that was written in Python, so `FlinkJob`
passes the paths of its secret inputs as an input (`SECRETS_KEY`). `check` reads it, so that no
message of this process shows such a value, and leaves it out of what it returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi import Output

#: The input that names the paths of the others that are secret.
SECRETS_KEY = "__secrets"


async def secret_paths(props: dict[str, Any]) -> list[list[str | int]]:
    """Return the paths of the inputs that are secret."""
    found = []
    for path, output in _outputs(props, []):
        if await output.is_secret():
            found.append(path)
    return found


def has_outputs(props: dict[str, Any]) -> bool:
    """Whether any input is an output, which may be secret."""
    return any(True for _ in _outputs(props, []))


def secret_values(inputs: dict[str, Any]) -> list[str]:
    """Return the values of the secret inputs, as far as they are known."""
    paths = inputs.get(SECRETS_KEY)
    values: list[str] = []
    for path in paths if isinstance(paths, list) else []:
        value: Any = inputs
        for part in path if isinstance(path, list) else [path]:
            value = _below(value, part)
        values += _texts(value)
    return values


def _outputs(value: Any, path: list[str | int]) -> Iterator[tuple[list[str | int], Output[Any]]]:
    if isinstance(value, Output):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _outputs(item, [*path, key])
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _outputs(item, [*path, index])


def _below(value: Any, part: Any) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int | float):
        return value[int(part)] if int(part) < len(value) else None
    return None


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)] if isinstance(value, str | int | float) else []
