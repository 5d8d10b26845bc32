"""What providers answer."""

from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.engine.values import PropertyMap, masked
from flink_jobs_provider.model.redaction import mask_foreign


@dataclass(frozen=True)
class CheckFailure:
    """One reason why inputs were refused."""

    property: str
    reason: str


def refused(failure: CheckFailure, inputs: PropertyMap) -> str:
    """Return the message for an invalid property: its masked value, and the reason."""
    if not failure.property:
        return failure.reason
    value: Any = inputs.get(failure.property)
    whole = isinstance(value, dict | list)  # the reason names the part that is wrong
    shown = f" value {mask_foreign(repr(masked(value)))}" if value is not None and not whole else ""
    return f"property {failure.property}{shown} has a problem: {failure.reason}"


@dataclass(frozen=True)
class ReadAnswer:
    """A resource as it was read; without an id it no longer exists.

    `problems` are why it is not as it should be.
    """

    id: str
    outputs: PropertyMap
    inputs: PropertyMap | None
    problems: tuple[str, ...] = ()
