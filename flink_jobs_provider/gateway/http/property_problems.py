"""Checking a body by its JSON Schema: every problem at once, each on the path of its property."""

from __future__ import annotations

import contextlib
import heapq
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.refusals import Refusal

#: How many problems of one request are reported.
MOST_PROBLEMS = 50


class Problem(NamedTuple):
    """One property that is invalid: its path, and a sentence on what would be valid."""

    target: str
    message: str


class RefusedProperties(Refusal):
    """A request with invalid properties, all of them at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = problems[:MOST_PROBLEMS]
        message = " ".join(problem.message for problem in self.problems)
        target = problems[0].target
        if len(problems) > 1:
            message, target = f"{len(problems)} properties are invalid. {message}", ""
        super().__init__("InvalidParameter", message, target=target)


@contextlib.contextmanager
def collecting(problems: list[Problem]) -> Iterator[None]:
    """Collect the refusal of one property among the problems, and go on."""
    try:
        yield
    except RefusedProperties as refused:
        problems += refused.problems
    except Refusal as refusal:
        if status_of(refusal) != HTTPStatus.BAD_REQUEST:
            raise
        problems.append(Problem(refusal.target, refusal.message))


_TYPES = {
    "string": "a text",
    "object": "an object",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """Match as JSON Schema defines it: Python's `$` takes a line break before the end, too."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError("does not match")


def _within(rule: str, limit: str) -> Any:
    """Return a rule that is left out where a list or an object exceeds its limit.

    The limit is an error of its own then. What is beyond it is not validated: that costs time for
    each entry, and for entries of several kinds `uniqueItems` compares each with all others.
    """
    check: Any = Draft202012Validator.VALIDATORS[rule]

    def checked(
        validator: Any, value: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        if not (isinstance(instance, dict | list) and len(instance) > schema.get(limit, math.inf)):
            yield from check(validator, value, instance, schema) or ()

    return checked


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "pattern": _pattern,
        "propertyNames": _within("propertyNames", "maxProperties"),
        "additionalProperties": _within("additionalProperties", "maxProperties"),
        "items": _within("items", "maxItems"),
        "uniqueItems": _within("uniqueItems", "maxItems"),
    },
)


class Checker:
    """Checks bodies of one kind.

    Args:
        schema: Their JSON Schema.
        of_what: What they describe, as messages call it.
        in_words: What would be valid of a property, by its path, where the schema has a pattern.
        shown: Paths of the properties whose invalid values are shown: none that may be secret.
        prefix: What the paths of `in_words` and `shown` leave out.
    """

    def __init__(
        self,
        schema: dict[str, Any],
        of_what: str,
        in_words: Mapping[str, str],
        shown: Collection[str],
        prefix: str = "",
    ) -> None:
        self._validator = _Validator(schema)
        self._of_what = of_what
        self._in_words = in_words
        self._shown = shown
        self._prefix = prefix

    def problems(self, body: Any) -> list[Problem]:
        """Return the problems of a body."""
        errors = self._validator.iter_errors(body)
        found: dict[Problem, None] = {}
        for error in errors:
            found |= dict.fromkeys(self._problems(error))
            if len(found) >= MOST_PROBLEMS:
                break
        return list(found)[:MOST_PROBLEMS]

    def _problems(self, error: ValidationError) -> Iterator[Problem]:
        """Yield the problems that an error of the schema means; it may mean several properties."""
        path = [str(part) for part in error.absolute_path]
        where = ".".join(path) or "body"
        rule, value = str(error.validator), cast(Any, error.instance)
        wanted = cast(Any, error.validator_value)
        schema = cast(Any, error.schema)
        if rule == "required":
            # The validator yields an error for each name, and names it in its message alone.
            for name in (name for name in wanted if name not in value):
                missing = ".".join([*path, name])
                yield Problem(missing, f"{missing} is required.")
        elif rule == "additionalProperties" and wanted is False:
            for name in heapq.nsmallest(MOST_PROBLEMS, set(value) - set(schema["properties"])):
                unknown = ".".join([*path, name[:100]])
                yield Problem(unknown, f"{unknown} is not a property of {self._of_what}.")
        elif "propertyNames" in error.absolute_schema_path:
            text = f"{where} must not hold empty names, or names of such a length."
            yield Problem(where, text)
        else:
            name = where.removeprefix(self._prefix)
            valid = self._in_words.get(name) or _valid(rule, wanted)
            yield Problem(where, f"{where} {valid}{self._got(name, value)}.")

    def _got(self, name: str, value: Any) -> str:
        if name not in self._shown or isinstance(value, dict | list):
            return ""
        text = repr(value) if isinstance(value, str) else str(value).lower()
        return f" (got {text[:80]})"


def _valid(rule: str, wanted: Any) -> str:
    if rule == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"must be {' or '.join(_TYPES[kind] for kind in kinds if kind != 'null')}"
    if rule == "enum":
        return f"must be one of {', '.join(str(value) for value in wanted if value is not None)}"
    words = {
        "const": f'must be "{wanted}"',
        "minLength": "must not be empty",
        "maxLength": f"must not be longer than {wanted} characters",
        "minimum": f"must be {wanted} or more",
        "maximum": f"must be {wanted} or less",
        "minItems": "must not be empty",
        "maxItems": f"must not hold more than {wanted} entries",
        "uniqueItems": "must not hold an entry twice",
        "maxProperties": f"must not hold more than {wanted} options",
    }
    return words.get(rule, "is not as it must be")
