"""Properties as the provider protocol has them: plain for the service, with marks for the engine.

Secrets arrive wrapped, and what is computed of a secret input leaves wrapped. Unknowns stay
unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from google.protobuf import struct_pb2

from flink_jobs_provider.engine.values import (
    UNKNOWN,
    PropertyMap,
    Secret,
    Value,
    contains_secrets,
    from_struct,
    marked_like,
    plain,
    to_struct,
    walk,
)
from flink_jobs_provider.provider.dynamic_state import PICKLED_PROVIDER, PROVIDER_KEY

#: They hold the values of inputs that are secret, or were in a version before.
SECRET_OUTPUTS = frozenset({"version_inputs"})
#: What an SDK adds for itself begins so.
_OF_THE_SDK = "__"


def is_unknown(value: object) -> bool:
    """Whether a value is known only once the update has run."""
    return value is UNKNOWN


def properties_of(message: struct_pb2.Struct) -> PropertyMap:
    """Return the properties in a message."""
    return from_struct(message)


def plain_properties(marked: Mapping[str, Value]) -> dict[str, Any]:
    """Return the properties of a job without marks, and without what an SDK adds."""
    return {
        name: plain(value) for name, value in marked.items() if not name.startswith(_OF_THE_SDK)
    }


def secret_names(marked: Mapping[str, Value]) -> frozenset[str]:
    """Return the names of the properties that are secret, or hold what is."""
    return frozenset(name for name, value in marked.items() if contains_secrets(value))


def secret_texts(marked: Mapping[str, Value]) -> list[str]:
    """Return the values of all secrets, as far as they are known."""
    return [text for value in marked.values() for text in _secret_texts(value)]


def _secret_texts(value: Value) -> Iterator[str]:
    for item in walk(value):
        if isinstance(item, Secret):
            yield from (str(each) for each in walk(plain(item)) if _is_text(each))


def _is_text(value: Value) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def inputs_message(inputs: Mapping[str, Any], given: Mapping[str, Value]) -> struct_pb2.Struct:
    """Return checked inputs as a message, secret where those that were given are."""
    return to_struct({**_marked(inputs, given), PROVIDER_KEY: _provider(given)})


def outputs_message(
    outputs: Mapping[str, Any], *alike: Mapping[str, Value], unknown: Iterable[str] = ()
) -> struct_pb2.Struct:
    """Return outputs as a message, secret where properties of the same name are.

    They name the dynamic provider: a program that goes back to it finds it in the state.

    Args:
        outputs: The outputs that are known.
        alike: The properties that they are computed of.
        unknown: The names of the outputs that are not known yet.
    """
    marked = _marked(outputs, *alike)
    for name in SECRET_OUTPUTS & marked.keys():
        marked[name] = Secret(plain(marked[name]))
    found = next((each[PROVIDER_KEY] for each in alike if PROVIDER_KEY in each), PICKLED_PROVIDER)
    return to_struct({**marked, **dict.fromkeys(unknown, UNKNOWN), PROVIDER_KEY: found})


def _marked(properties: Mapping[str, Any], *alike: Mapping[str, Value]) -> PropertyMap:
    marked = cast(PropertyMap, dict(properties))
    for each in alike:
        marked = marked_like(marked, each)
    return marked


def _provider(given: Mapping[str, Value]) -> Value:
    return given.get(PROVIDER_KEY, PICKLED_PROVIDER)
