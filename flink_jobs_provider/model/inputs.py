"""The inputs of a job: which values are valid, what a change costs, and where each exists.

That is written next to the type in `JobSpec`, as metadata of the field. Plans, the JSON Schema, the
arguments of a Pulumi program and the reference pages are derived from that one place.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

T = TypeVar("T")

#: A job's name, with which those of its jars and directories begin.
JOB_NAME_PATTERN = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
MAX_PARALLELISM = 32768  # Flink's own bound (KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM)

#: The inputs that another value of makes another version, in each digest since the first release.
IN_EVERY_DIGEST = {
    "jar_digest",
    "entry_class",
    "args",
    "parallelism",
    "flink_configuration",
    "restart_trigger",
    "restore_from",
}
#: Options of Flink that no job sets, and why.
_NEVER_SET = {
    "execution.savepoint-restore-mode": "savepoints are never claimed",
    "execution.state-recovery.claim-mode": "savepoints are never claimed",
    "$internal.pipeline.job-id": "the jobId is the job's identity",
}


def _job_name(value: str) -> str:
    if not re.fullmatch(JOB_NAME_PATTERN, value):
        raise ValueError(
            "must be 1 to 63 lower-case letters, digits and dashes, beginning and ending with a "
            f"letter or digit (got {value!r})"
        )
    return value


def _split_args(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def whole_number(value: object) -> object:
    """Refuse a truth value, which Python counts as a number."""
    if isinstance(value, bool):
        raise ValueError(f"must be a whole number (got {value})")
    return value


def scalar_text(value: object) -> object:
    """Write a number or boolean of YAML as Flink's configuration does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


def refused_options(
    configuration: Iterable[object],
    with_an_input: Mapping[str, str],
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the problems of options that set what an input sets already, one text for each.

    `with_an_input` has the inputs by the options that each stands for; `names` what callers call an
    input, by its name in a program, where that is another one.
    """
    called = names or {}
    uses = {option: f"use {called.get(name, name)}" for option, name in with_an_input.items()}
    reasons = uses | _NEVER_SET
    return [
        f"must not set {key}: {reason}"
        for key in configuration
        if isinstance(key, str) and (reason := reasons.get(key))
    ]


def _location(value: str) -> str:
    if not value.strip() or value != value.strip():
        raise ValueError(f"must be a path or URI without blanks around it (got {value!r})")
    return value


def _directory(value: str) -> str:
    value = _location(value)
    if not (value.startswith(("/", "file:/")) or "://" in value):
        raise ValueError(
            f"must be a URI or an absolute path, since the cluster resolves it (got {value!r})"
        )
    return value.rstrip("/") or "/"


JobName = Annotated[str, AfterValidator(_job_name)]
Location = Annotated[str, AfterValidator(_location)]
Directory = Annotated[str, AfterValidator(_directory)]
Arguments = Annotated[list[str], BeforeValidator(_split_args)]
WholeNumber = Annotated[int, BeforeValidator(whole_number)]
Parallelism = Annotated[int, Field(ge=1, le=MAX_PARALLELISM), BeforeValidator(whole_number)]
FlinkConfiguration = dict[str, Annotated[str, BeforeValidator(scalar_text)]]


def nearest(name: str, known: Iterable[str], cutoff: float = 0.7) -> str | None:
    """Return the known name that is nearest to a misspelt one, or None where none is near.

    The `cutoff` is how much of the two must be the same, from 0 to 1.
    """
    names = list(known)
    plain = {each.replace("_", "").replace("-", "").lower(): each for each in names}
    if same := plain.get(name.replace("_", "").replace("-", "").lower()):
        return same
    found = get_close_matches(name, names, n=1, cutoff=cutoff)
    return found[0] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a message on an unknown name: what was meant, or what there is."""
    names = sorted(known)
    if meant := nearest(name, names):
        return f"did you mean {meant}?"
    return f"known are {', '.join(names)}"


def properties_at(schema: dict[str, Any], path: Sequence[str | int]) -> set[str]:
    """Return the names of the properties that a JSON Schema knows at a path.

    The path has names and indices; the kind of an object among several may be one of them, as in
    the locations of pydantic's errors.
    """
    nodes = _alternatives(schema, schema)
    for part in path:
        kinds = [node for node in nodes if _kind(node) == part]
        below = [each for node in nodes if isinstance(each := _below(node, part), dict)]
        if below:
            nodes = [each for node in below for each in _alternatives(node, schema)]
        elif kinds:
            nodes = kinds
    return {name for node in nodes for name in node.get("properties", {})}


def _alternatives(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _alternatives(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    several = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
    return [node, *(each for part in several for each in _alternatives(part, schema))]


def _kind(node: dict[str, Any]) -> Any:
    return node.get("properties", {}).get("kind", {}).get("const")


def _below(node: dict[str, Any], part: str | int) -> Any:
    if isinstance(part, int):
        return node.get("items")
    return node.get("properties", {}).get(part) or node.get("additionalProperties")


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


def changed_options(name: str, old: dict[str, str], new: dict[str, str]) -> str:
    """Return a change as the names of the options that changed: values may be secret."""
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return f"{name} changed: {', '.join(keys)}"


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
