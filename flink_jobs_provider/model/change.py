"""What an input of a job means beyond its type: what a change costs, and where it exists.

That is written next to the type in `JobSpec`, as metadata of the field. Plans, the JSON Schema,
the arguments of a Pulumi program and the reference pages are derived from that one place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Cost(IntEnum):
    """What a change costs the running job; the greatest of all changes decides."""

    RECORDED = 0  # written down, nothing is touched
    IN_PLACE = 1  # changed while the job runs
    SAVEPOINT = 2  # a savepoint is taken, the job goes on
    RUN_STATE = 3  # the job is stopped or started
    RESTART = 4  # the job is stopped, and its new version started
    REFUSED = 5  # there is no way to change it
    REPLACE = 6  # another job altogether


def from_to(name: str, old: Any, new: Any) -> str:
    """Return a change as "name old → new", for values that are short and never secret."""
    return f"{name} {short(old)} → {short(new)}"


def name_alone(name: str, _old: Any, _new: Any) -> str:
    """Return a change as "name changed", for values that may be long or secret."""
    return f"{name} changed"


def short(value: Any) -> str:
    """Return a value as text, cut in the middle where it is long."""
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:24]}…{text[-32:]}"


def _never(_old: Any, _new: Any) -> bool:
    return False


@dataclass(frozen=True)
class OnChange:
    """What a change of an input means.

    Attributes:
        cost: What it costs the running job.
        words: Returns the change in words, from the input's name, its old and its new value.
        only_recorded: Whether two values differ in nothing that costs anything.
        reference: The cost in words for the resource reference, where it depends on the values.
    """

    cost: Cost
    words: Callable[[str, Any, Any], str] = from_to
    only_recorded: Callable[[Any, Any], bool] = _never
    reference: str = ""

    def cost_of(self, old: Any, new: Any) -> Cost:
        """Return what the change from one value to another costs."""
        return Cost.RECORDED if self.only_recorded(old, new) else self.cost


@dataclass(frozen=True)
class OnlyOn:
    """The kinds of target that an input exists on; others refuse any value but its default."""

    kinds: tuple[str, ...]

    def __init__(self, *kinds: str) -> None:
        object.__setattr__(self, "kinds", kinds)


@dataclass(frozen=True)
class StandsFor:
    """The options of Flink that an input sets, so that `flink_configuration` must not."""

    options: tuple[str, ...]

    def __init__(self, *options: str) -> None:
        object.__setattr__(self, "options", options)


@functools.cache
def on_change(model: type[BaseModel]) -> dict[str, OnChange]:
    """Return what a change of each input of a job means, by name, in the order of the fields."""
    return _metadata(model, OnChange)


@functools.cache
def only_on(model: type[BaseModel]) -> dict[str, OnlyOn]:
    """Return the inputs that exist on some kinds of target alone, by name."""
    return _metadata(model, OnlyOn)


@functools.cache
def options_with_an_input(model: type[BaseModel]) -> dict[str, str]:
    """Return the inputs, by the options of Flink that each stands for."""
    found = _metadata(model, StandsFor)
    return {option: name for name, rule in found.items() for option in rule.options}


def name_for_programs(model: type[BaseModel]) -> str:
    """Return the name that a Pulumi program and the reference have for a model."""
    return model.model_config.get("title") or model.__name__


def _metadata(model: type[BaseModel], kind: type[T]) -> dict[str, T]:
    return {
        name: item
        for name, field in model.model_fields.items()
        for item in field.metadata
        if isinstance(item, kind)
    }
