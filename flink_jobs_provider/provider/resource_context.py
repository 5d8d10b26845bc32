"""The context of a resource, which `FlinkJob` passes to the provider as further inputs.

An engine passes a dynamic provider neither the URN nor the name of a resource, nor its options, nor
whether a run is a preview. It also removes the marks of secret values before it calls a provider
that was written in Python. The adapter removes these inputs from what it passes on, so that they
are never part of the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi import Output

#: The identity of a resource within its stack; see `declarations`.
RESOURCE_KEY = "__resource"
#: Set in a preview, in which new jobs are tried on their cluster.
PREVIEW_KEY = "__preview"
#: Names the options that were set without effect, and the resource's name where it is not valid.
OPTIONS_KEY = "__options"
#: Names the paths of the other inputs that are secret.
SECRETS_KEY = "__secrets"
#: What the properties of a resource hold besides its inputs and outputs.
CONTEXT_KEYS = frozenset({"__provider", RESOURCE_KEY, PREVIEW_KEY, OPTIONS_KEY, SECRETS_KEY})

_REASONS = {
    "custom_timeouts": "has no effect on a FlinkJob, since Pulumi does not pass it to a dynamic "
    "provider: set the input timeouts instead (submit, running, savepoint, cancel)",
    "replace_on_changes": "has no effect on a FlinkJob, since Pulumi needs more of a provider for "
    "it than a dynamic one can answer: remove it. A change upgrades the job with its state; one "
    "of target or job_name replaces it",
}
_NAME = "resource_name"
_BLANKS = "must be given without blanks around it"


def without_context(props: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs and outputs of a resource."""
    return {name: value for name, value in props.items() if name not in CONTEXT_KEYS}


def invalid_name(name: str) -> list[str]:
    """Return the problem that a resource's name is invalid, if it is, as `OPTIONS_KEY` has it."""
    return [_NAME] if name != name.strip() else []


def without_effect(options: Any) -> list[str]:
    """Return the names of the options that are set, and would have no effect."""
    return [name for name in _REASONS if getattr(options, name, None)]


def problems_of_options(inputs: dict[str, Any], recorded: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the problems of a resource itself: the name of each option, and why.

    Args:
        inputs: Its inputs.
        recorded: Those that are recorded of it. One that is there keeps its name: another one
            would make it another resource.
    """
    reasons = _REASONS if recorded else {**_REASONS, _NAME: _BLANKS}
    return [(name, reasons[name]) for name in inputs.get(OPTIONS_KEY) or () if name in reasons]


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
