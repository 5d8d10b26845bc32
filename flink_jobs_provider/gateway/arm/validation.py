"""Checking the body of runJob: every problem at once, each on the path of its property."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from flink_jobs_provider.gateway.arm.body import IN_WORDS, PARALLELISM, body_schema
from flink_jobs_provider.gateway.arm.errors import Problem, RefusedProperties
from flink_jobs_provider.gateway.arm.versions import ApiVersion
from flink_jobs_provider.model.action import Action

_TYPES = {
    "string": "a text",
    "object": "an object",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
#: Values that are shown in messages: none of the others, which may hold a secret.
_SHOWN = {
    *("jobType", "jobName", "runId", "action", "jarName", "entryClass"),
    f"flinkConfiguration.{PARALLELISM}",
}
_MOST_PROBLEMS = 50


def validated(body: Any, version: ApiVersion) -> dict[str, Any]:
    """Return the `properties` of a body, without those that are null.

    Raises:
        RefusedProperties: Something is wrong with it.
    """
    action = _action(body, version)
    errors = _validator(action, version).iter_errors(body)
    found = dict.fromkeys(problem for error in errors for problem in _problems(error))
    if found:
        raise RefusedProperties(list(found)[:_MOST_PROBLEMS])
    properties: dict[str, Any] = body["properties"]
    return {name: value for name, value in properties.items() if value is not None}


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """Match as JSON Schema says: a `$` of Python's takes a line break before the end as well."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError("does not match")


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _pattern}
)


@lru_cache
def _validator(action: Action | None, version: ApiVersion) -> Any:
    return _Validator(body_schema(action, version))


def _action(body: Any, version: ApiVersion) -> Action | None:
    properties = body.get("properties") if isinstance(body, dict) else None
    named = properties.get("action") if isinstance(properties, dict) else None
    return next((action for action in version.actions if action == named), None)


def _problems(error: ValidationError) -> Iterator[Problem]:
    """Say what an error of the schema means; one error may mean several properties."""
    path = [str(part) for part in error.absolute_path]
    where = ".".join(path) or "body"
    rule, value = str(error.validator), cast(Any, error.instance)
    wanted = cast(Any, error.validator_value)
    schema = cast(Any, error.schema)
    if rule == "required":
        # The validator yields an error for each name, and tells which in its message alone.
        for name in (name for name in wanted if name not in value):
            missing = ".".join([*path, name])
            yield Problem(missing, f"{missing} is required.")
    elif rule == "additionalProperties" and wanted is False:
        for name in sorted(set(value) - set(schema["properties"])):
            unknown = ".".join([*path, name[:100]])
            yield Problem(unknown, f"{unknown} is not a property of a job.")
    elif "propertyNames" in error.absolute_schema_path:
        yield Problem(where, f"{where} must not hold empty names, or names of such a length.")
    else:
        name = ".".join(path[1:])
        right = IN_WORDS.get(name) or _right(rule, wanted)
        yield Problem(where, f"{where} {right}{_got(name, value)}.")


def _right(rule: str, wanted: Any) -> str:
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"must be {' or '.join(_TYPES[kind] for kind in kinds if kind != 'null')}"
    if rule == "const":
        return f'must be "{wanted}"'
    if rule == "enum":
        return f"must be one of {', '.join(wanted)}"
    if rule == "minLength":
        return "must not be empty"
    if rule == "maxLength":
        return f"must not be longer than {wanted} characters"
    if rule == "maxProperties":
        return f"must not hold more than {wanted} options"
    return "is not as it must be"


def _got(name: str, value: Any) -> str:
    if name not in _SHOWN or isinstance(value, dict | list):
        return ""
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return f" (got {text[:80]})"
