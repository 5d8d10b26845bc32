"""The validation of a job that is only partly known: every problem, each on its property.

Some rules hold for inputs alone, not for the model: records of older versions may break them, and
must still be read.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from flink_jobs_provider.model.duration import LONGEST_TIMEOUT, seconds
from flink_jobs_provider.model.inputs import (
    only_on,
    options_with_an_input,
    properties_at,
    refused_options,
    suggestion,
)
from flink_jobs_provider.model.rehearsal import SAME_OUTPUT
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import TARGETS, dli_limits, hdinsight

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
    "model_attributes_type": "must be an object",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_SAYS_ALL = {"missing", "string_too_short", "too_short"}
#: Properties that no program gives.
_COMPUTED = {"jar_digest"}
_MAY_BE_SECRET = {"target", "args", "flink_configuration", "rehearsal", "secrets"}
_KINDS = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "map",
    type(None): "null",
}

_Problems = list[tuple[str, str]]

#: Texts that may have blanks around them. Without its blanks an owner would be another one.
_FREE = {"args", "flink_configuration", "owner", "savepoint_trigger", "restart_trigger"}
_FREE_OF_REHEARSAL = {"args", "flink_configuration"}
_FREE_OF_DLI = {"desc", "tags", "flink_log_config"}
_URLS = ("url", "endpoint")
_LONGEST_SHOWN = 120
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


@functools.cache
def _schema() -> dict[str, Any]:
    return JobSpec.model_json_schema()


def problems_of(
    inputs: dict[str, Any],
    is_unknown: Callable[[Any], bool] = lambda _value: False,
    *,
    recorded: bool = False,
    names: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Return the problems of a job's inputs: (property path, what would be valid).

    Args:
        inputs: The inputs by name.
        is_unknown: Whether a value is not known yet (previews); such values pass.
        recorded: Whether some were recorded before, by this version or an older one, which is
            read by the model's rules alone.
        names: What callers call an input, by its name in a program; else that name.
    """
    known, unknown = _split(inputs, (), is_unknown)
    if ("target", "kind") in unknown:
        unknown.append(("target",))  # what it must have depends on what it is
    problems = [] if recorded else [*_unwritable(known), *_blanks_in(known)]
    problems += _refused_options(known, "flink_configuration", names)
    if isinstance(rehearsal := known.get("rehearsal"), dict):
        found = _refused_options(rehearsal, "flink_configuration", names)
        problems += [(f"rehearsal.{path}", why) for path, why in found]
    ruled = {path for path, _ in problems}
    try:
        JobSpec.model_validate(known)
    except ValidationError as error:
        problems += [
            (property_path(location), reason_of(detail))
            for detail in error.errors(include_url=False)
            if (location := _location(detail))
            and property_path(location) not in ruled
            and not any(location[: len(path)] == path for path in unknown)
        ]
    named = {path for path, _ in problems}
    limits = [
        *([] if recorded else _keys_without_certificate(known, unknown)),
        *([] if recorded else _relative_restore_point(known)),
        *([] if recorded else _long_timeouts(known)),
        *([] if recorded else _unsendable_headers(known)),
        *([] if recorded else _kept_alongside(known)),
        *([] if recorded else _idle_rehearsal(known, unknown)),
        *hdinsight.limits_of(known, set(unknown)),
        *dli_limits.limits_of(known, set(unknown)),
        *_not_on_target(known, unknown),
    ]
    return problems + [limit for limit in limits if limit[0] not in named]


def _refused_options(
    inputs: dict[str, Any], name: str, names: Mapping[str, str] | None
) -> _Problems:
    configuration = inputs.get(name)
    if not isinstance(configuration, dict):
        return []
    refused = refused_options(configuration, options_with_an_input(JobSpec), names)
    return [(name, why) for why in refused]


def _idle_rehearsal(
    inputs: dict[str, Any], unknown: list[tuple[int | str, ...]]
) -> Iterator[tuple[str, str]]:
    """Return the problem of a rehearsal that would write where the job itself does."""
    redirecting = ("args", "flink_configuration", "rehearsal")
    if not inputs.get("rehearsal") and inputs.get("rehearsal") != {}:
        return
    if any(path[0] in redirecting for path in unknown):
        return
    with suppress(ValidationError):  # what is invalid has a problem of its own
        rehearsal = _type_of("rehearsal").validate_python(inputs["rehearsal"])
        args = _type_of("args").validate_python(inputs.get("args") or [])
        configuration = _type_of("flink_configuration").validate_python(
            inputs.get("flink_configuration") or {}
        )
        if not rehearsal.changes(args, configuration):
            yield "rehearsal", SAME_OUTPUT


def _not_on_target(
    inputs: dict[str, Any], unknown: list[tuple[int | str, ...]]
) -> Iterator[tuple[str, str]]:
    """Return the inputs that do not exist on the kind of target, and have another value."""
    target = inputs.get("target")
    if not isinstance(target, dict) or ("target", "kind") in unknown:
        return
    kind = target.get("kind") or "flink"
    for name, rule in only_on(JobSpec).items():
        if kind in rule.kinds or inputs.get(name) is None:
            continue
        default = JobSpec.model_fields[name].default
        if default is None:
            labels = " or ".join(TARGETS[each].label for each in rule.kinds)
            yield name, f"must not be given: the target is not one of {labels}"
        elif isinstance(kind, str) and kind in TARGETS and _is_not(name, inputs[name], default):
            label = TARGETS[kind].label
            yield name, f"must be {json.dumps(default)}: the API of {label} has no field for it"


def _is_not(name: str, given: Any, default: Any) -> bool:
    """Whether a value of an input is valid and another one than its default."""
    try:
        return bool(_type_of(name).validate_python(given) != default)
    except ValidationError:
        return False


@functools.cache
def _type_of(name: str) -> TypeAdapter[Any]:
    annotation: Any = JobSpec.model_fields[name].annotation
    return TypeAdapter(annotation)


def _kept_alongside(inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the problem of a gate that would leave two versions running."""
    gate = inputs.get("health")
    keeps = isinstance(gate, dict) and gate.get("on_failure") == "keep"
    if keeps and inputs.get("upgrade_mode") == "blue-green":
        yield (
            "health.on_failure",
            'must not be "keep" with upgrade_mode "blue-green": both versions would run on',
        )


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
    """Return what is known of a value, and the paths of what is not."""
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


def property_path(location: Iterable[int | str]) -> str:
    """Return where an error of pydantic is, as a program writes it: `target.headers[0]`."""
    text = ""
    for part in location:
        if part == "[key]":
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def problems_in(error: ValidationError) -> list[tuple[str, str]]:
    """Return the problems of a model in a program's words: (property path, what would be valid)."""
    details = error.errors(include_url=False)
    return [(property_path(_location(detail)), reason_of(detail)) for detail in details]


def reason_of(detail: ErrorDetails) -> str:
    """Return what would be valid, in words, of one problem of a model."""
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
    """Return the invalid value in words; of one that may be secret, the kind of value alone."""
    value = detail["input"]
    if detail["loc"][0] in _MAY_BE_SECRET:
        return f" (got a {_KINDS.get(type(value), 'value')} instead)"
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # Pulumi sends every number as a float
    return f" (got {shown(value)})"


def shown(value: object) -> str:
    """Return a value as a message shows it, cut off where it is long.

    YAML's aliases make a value of megabytes of a few lines.
    """
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _blanks_in(inputs: dict[str, Any]) -> _Problems:
    """Return the problems of texts with blanks where none may be: (path, what would be valid)."""
    bounded = {name: value for name, value in inputs.items() if name not in _FREE}
    for name, free in (("dli", _FREE_OF_DLI), ("rehearsal", _FREE_OF_REHEARSAL)):
        if isinstance(given := bounded.get(name), dict):
            bounded[name] = {each: value for each, value in given.items() if each not in free}
    blanks = dict(blanks_around(bounded))  # a header's name and value are one property
    return [*blanks.items(), *_blanks_in_urls(inputs)]


def blanks_around(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Return the texts that begin or end with a blank or line break, names of maps included.

    The value is not shown: it may have been meant to be a secret.
    """
    for where, text in _texts_in(value, path):
        if text != text.strip():
            yield where, "must be given without blanks around it"


def _unwritable(inputs: dict[str, Any]) -> _Problems:
    """Return the problems of texts that no file name and no request can hold, names included."""
    found = {
        where: "must not hold a NUL character, or half of a surrogate pair"
        for where, text in _texts_in(inputs, "")
        if _UNWRITABLE.search(text)
    }
    return [(path.encode(errors="backslashreplace").decode(), why) for path, why in found.items()]


def _texts_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Return all texts of a value with their paths; the name in a map has that of its value."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            yield from _texts_in(key, below)
            yield from _texts_in(item, below)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts_in(item, f"{path}[{number}]")


def _blanks_in_urls(inputs: dict[str, Any]) -> _Problems:
    target = inputs.get("target")
    given = target if isinstance(target, dict) else {}
    return [
        (f"target.{name}", "must hold no blanks")
        for name in _URLS
        if isinstance(url := given.get(name), str) and len(url.strip().split()) > 1
    ]


def _unsendable_headers(inputs: dict[str, Any]) -> _Problems:
    target = inputs.get("target")
    headers = target.get("headers") if isinstance(target, dict) else None
    return [
        (f"target.headers.{name}", "must be ASCII without line breaks")
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if isinstance(value, str) and re.search(r"[^ -~\t]", value.strip())
    ]


def _keys_without_certificate(
    inputs: dict[str, Any], unknown: Collection[tuple[int | str, ...]]
) -> _Problems:
    """Refuse a client's key without its certificate: it would have no effect."""
    target = inputs.get("target")
    tls = target.get("tls") if isinstance(target, dict) else None
    given = isinstance(tls, dict) and tls.get("certificate_file") is not None
    if not isinstance(tls, dict) or given or ("target", "tls", "certificate_file") in unknown:
        return []
    return [
        (f"target.tls.{name}", "must be given with certificate_file, the certificate of that key")
        for name in ("key_file", "key_password")
        if tls.get(name) is not None
    ]


def _relative_restore_point(inputs: dict[str, Any]) -> _Problems:
    """Refuse a relative path; the job service of HDInsight also knows savepoints by name."""
    path, target = inputs.get("restore_from"), inputs.get("target")
    if not isinstance(path, str) or not path or path != path.strip():
        return []
    if path.startswith(("/", "file:/")) or "://" in path:
        return []
    named = isinstance(target, dict) and target.get("kind") == "hdinsight" and "/" not in path
    why = f"must be a URI or an absolute path, since the cluster resolves it (got {path!r})"
    return [] if named else [("restore_from", why)]


def _long_timeouts(inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    timeouts = inputs.get("timeouts")
    for step, duration in timeouts.items() if isinstance(timeouts, dict) else ():
        with suppress(ValueError, TypeError):  # then the model reports the problem
            if seconds(duration) > seconds(LONGEST_TIMEOUT):
                why = f'must be at most "{LONGEST_TIMEOUT}" (got {duration!r})'
                yield f"timeouts.{step}", why
