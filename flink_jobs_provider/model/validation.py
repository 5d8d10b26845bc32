"""Validating a job that is only partly known: every problem at once, each on its property."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from flink_jobs_provider.model import dli_limits, hdinsight_limits, input_rules
from flink_jobs_provider.model.change import only_on
from flink_jobs_provider.model.spec import JobSpec, refused_options
from flink_jobs_provider.model.spelling import properties_at, suggestion
from flink_jobs_provider.model.target import TARGETS

_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "is not a property of a Flink job",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list of texts",
    "dict_type": "must be a map of texts",
    "model_type": "must be an object",
    "string_too_short": "must not be empty",
}
_SAYS_ALL = {"missing", "string_too_short"}
#: Properties that no program gives.
_COMPUTED = {"jar_digest"}
_MAY_BE_SECRET = {"target", "args", "flink_configuration"}
_KINDS = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "map",
    type(None): "null",
}


@functools.cache
def _schema() -> dict[str, Any]:
    return JobSpec.model_json_schema()


def problems_of(
    inputs: dict[str, Any],
    is_unknown: Callable[[Any], bool] = lambda _value: False,
    *,
    recorded: bool = False,
) -> list[tuple[str, str]]:
    """Return what is wrong with a job's inputs: (property path, what would be right).

    Args:
        inputs: The inputs by name.
        is_unknown: Tells values that are not known yet (previews); they pass.
        recorded: Whether some were recorded before, by this version or an older one, which is
            read by the model's rules alone.
    """
    known, unknown = _split(inputs, (), is_unknown)
    if ("target", "kind") in unknown:
        unknown.append(("target",))  # what it must have depends on what it is
    problems = [] if recorded else input_rules.blanks_in(known)
    configuration = known.get("flink_configuration")
    if isinstance(configuration, dict):
        problems += [("flink_configuration", why) for why in refused_options(configuration)]
    ruled = {path for path, _ in problems}
    try:
        JobSpec.model_validate(known)
    except ValidationError as error:
        problems += [
            (_path(location), _reason(detail))
            for detail in error.errors(include_url=False)
            if (location := _location(detail))
            and _path(location) not in ruled
            and not any(location[: len(path)] == path for path in unknown)
        ]
    named = {path for path, _ in problems}
    limits = [
        *([] if recorded else input_rules.limits_of(known, set(unknown))),
        *hdinsight_limits.limits_of(known, set(unknown)),
        *dli_limits.limits_of(known, set(unknown)),
        *_not_on_target(known, unknown),
    ]
    return problems + [limit for limit in limits if limit[0] not in named]


def _not_on_target(
    inputs: dict[str, Any], unknown: list[tuple[int | str, ...]]
) -> list[tuple[str, str]]:
    """Return the inputs that do not exist on the kind of target, and have another value."""
    target = inputs.get("target")
    if not isinstance(target, dict) or ("target", "kind") in unknown:
        return []
    kind = target.get("kind") or "flink"
    problems = []
    for name, rule in only_on(JobSpec).items():
        if kind in rule.kinds or inputs.get(name) is None:
            continue
        default = JobSpec.model_fields[name].default
        if default is None:
            labels = " or ".join(TARGETS[each].label for each in rule.kinds)
            problems.append((name, f"must not be given: the target is not one of {labels}"))
        elif isinstance(kind, str) and kind in TARGETS and _is_not(name, inputs[name], default):
            label = TARGETS[kind].label
            why = f"must be {json.dumps(default)}: the API of {label} has no field for it"
            problems.append((name, why))
    return problems


def _is_not(name: str, given: Any, default: Any) -> bool:
    """Whether a value of an input is valid and another one than its default."""
    try:
        return bool(_type_of(name).validate_python(given) != default)
    except ValidationError:
        return False


@functools.cache
def _type_of(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(JobSpec.model_fields[name].annotation)


def contains_unknown(value: Any, is_unknown: Callable[[Any], bool]) -> bool:
    """Whether a value, or anything in it, is not known yet."""
    if isinstance(value, dict):
        return any(contains_unknown(item, is_unknown) for item in value.values())
    if isinstance(value, list | tuple):
        return any(contains_unknown(item, is_unknown) for item in value)
    return is_unknown(value)


def _split(
    value: Any, path: tuple[int | str, ...], is_unknown: Callable[[Any], bool]
) -> tuple[Any, list[tuple[int | str, ...]]]:
    """Take out what is unknown; return the rest, and the paths where it was."""
    if isinstance(value, dict):
        known, unknown = {}, []
        for key, item in value.items():
            if is_unknown(item):
                unknown.append((*path, key))
                continue
            known[key], below = _split(item, (*path, key), is_unknown)
            unknown += below
        return known, unknown
    if isinstance(value, list) and contains_unknown(value, is_unknown):
        return ["unknown" if is_unknown(item) else item for item in value], []
    return value, []


def _location(detail: ErrorDetails) -> tuple[int | str, ...]:
    """Return the path of a problem as the inputs have it: pydantic puts the target's kind in."""
    target, *rest = detail["loc"] or ("",)
    if target != "target":
        return detail["loc"]
    return (target, "kind") if detail["type"] == "union_tag_invalid" else (target, *rest[1:])


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if part == "[key]":
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _reason(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        context = detail["ctx"]
        return f"must be {context['expected_tags'].replace(', ', ' or ')} (got {context['tag']!r})"
    if kind == "extra_forbidden":
        *above, name = detail["loc"]
        of_target = bool(above) and above[0] == "target"
        what = "is not a property of this kind of target" if of_target else _PLAIN[kind]
        return f"{what}; {suggestion(str(name), properties_at(_schema(), above) - _COMPUTED)}"
    if kind in _PLAIN:
        return _PLAIN[kind] + ("" if kind in _SAYS_ALL else _got(detail))
    message = detail["msg"].replace("Input should be", "must be").replace("String should", "must")
    return message + _got(detail)


def _got(detail: ErrorDetails) -> str:
    """Show the wrong value, but for those that may be secret: only what kind of value it is."""
    value = detail["input"]
    if detail["loc"][0] in _MAY_BE_SECRET:
        return f" (got a {_KINDS.get(type(value), 'value')} instead)"
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # Pulumi sends every number as a float
    return f" (got {value!r})"
