"""A job's configuration in the service's names: asked for, shown, compared, and written.

The service shows things otherwise than they were written: numbers as words, paths without their
scheme, nothing as null, absent or its own default, and options of its own among ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target.dli import DliSettings
from flink_jobs_provider.wire import SPEC_NOTE
from flink_jobs_provider.wire.dli import (
    AT_CREATION,
    CHECKPOINT_MODES,
    JOB_FIELDS,
    WHILE_RUNNING,
    Kind,
    checkpoint_mode,
)

#: The option that names to a gateway where a job's savepoints go.
SAVEPOINTS_KEY = "state.savepoints.dir"
#: Options that are no part of the version: another value counts from the next start on.
_PASSING = frozenset({SPEC_NOTE, SAVEPOINTS_KEY})

#: What stands for a setting that is taken away. Version 2 of the resources carries the parallelism
#: itself, so that its own field has nothing to be set back to.
_UNDONE: Mapping[str, Any] = {
    name: field.default
    for name, field in JOB_FIELDS.items()
    if field.default is not None and name != "parallel_number"
}


def asked_by(
    spec: JobSpec, entrypoint: str, main_class: str | None, mark: str, *, takes_directory: bool
) -> dict[str, Any]:
    """Return what a spec asks for, with its jar at `entrypoint`, and a mark if there is one.

    The jar names the entry class where `main_class` is None. `takes_directory` is whether the
    service takes an option for where savepoints go.
    """
    settings = spec.dli or DliSettings()
    asked = settings.model_dump(mode="json", exclude_none=True)
    if spec.target.queue:
        asked["queue_name"] = spec.target.queue
    if "resource_config" in asked:
        asked["resource_config_version"] = "v2"
        asked["resource_config"]["parallel_number"] = spec.parallelism
    else:
        asked["parallel_number"] = spec.parallelism
    if main_class:
        asked["main_class"] = main_class
    asked["entrypoint"] = entrypoint
    asked["entrypoint_args"] = " ".join(spec.args)
    options = dict(spec.flink_configuration)
    if takes_directory and spec.savepoint_directory:
        options[SAVEPOINTS_KEY] = spec.savepoint_directory
    if mark:
        options[SPEC_NOTE] = mark
    asked["runtime_config"] = options
    return asked


def shown_in(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration in a job's details, without what is not set."""
    below = detail.get("job_config")
    nested: Mapping[str, Any] = below if isinstance(below, dict) else {}
    shown = {}
    for name in JOB_FIELDS:
        value = nested.get(name)
        value = spelt(name, detail.get(name) if value is None else value)
        if value is not None:
            shown[name] = value
    return shown


def spelt(name: str, value: Any) -> Any:
    """Return a value in the one spelling in which values are compared; none for nothing."""
    if value is None or value in ("", [], {}, ()):
        return None
    match JOB_FIELDS[name].kind:
        case Kind.FLAG:
            return str(value).strip().lower() == "true"
        case Kind.NUMBER:
            return _number(value)
        case Kind.CHECKPOINT_MODE:
            return checkpoint_mode(value)
        case Kind.PLACE:
            return _place(value)
        case Kind.PLACES:
            many = isinstance(value, list | tuple)
            return [_place(each) for each in value] if many else _place(value)
        case Kind.ARGUMENTS:
            return " ".join(str(value).split()) or None
        case Kind.OPTIONS:
            return options_in(value)
        case Kind.RESOURCES:
            return _resources(value)
        case Kind.WORD:
            return value.lower()
        case _:
            return value


def differences(
    asked: Mapping[str, Any], shown: Mapping[str, Any], former: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what is to be written for a job to be as it is asked for.

    Only what is asked for is compared, and with what is shown. What is not shown may be not set,
    or may never be shown: it is written where it was not asked for before. What was asked for
    before, and no longer is, is set to the service's default if it is still there. Where it
    is unknown what was asked for before, all is written that may not be there, and all taken away
    that was not asked for now.

    `shown` is spelt for comparison. `former` is what was asked for last, as far as that is
    recorded; None where it is unknown.
    """
    found: dict[str, Any] = {}
    unknown, former = former is None, former or {}
    for name, value in asked.items():
        if name in AT_CREATION or name == "runtime_config":
            continue
        mine, theirs = spelt(name, value), shown.get(name)
        if theirs is None:
            before = former.get(name, None if unknown else value)
            differs = mine is not None and spelt(name, before) != mine
        else:
            differs = not _same(mine, theirs)
        if differs:
            found[name] = value
    if unknown:
        former = {
            name: shown[name]
            for name in _UNDONE
            if name in shown and not JOB_FIELDS[name].filled_in
        }
    for name, value in former.items():
        if name in asked or name not in _UNDONE or name not in shown:
            continue
        if shown[name] == spelt(name, value) != spelt(name, _UNDONE[name]):
            found[name] = _UNDONE[name]
    if options := _option_differences(asked, shown, former):
        found["runtime_config"] = options
    return found


def not_taken(
    written: Mapping[str, Any], shown: Mapping[str, Any], former: Mapping[str, Any]
) -> list[str]:
    """Return what was written and is shown otherwise; what is not shown says nothing."""
    found = [
        name
        for name, value in written.items()
        if name in shown and name not in AT_CREATION and name != "runtime_config"
        if not _same(spelt(name, value), shown[name])
    ]
    if "runtime_config" in written and _option_differences(written, shown, former):
        found.append("runtime_config")
    return found


def _same(mine: Any, theirs: Any) -> bool:
    """Whether a value is as it is shown; of a map, as far as that is."""
    if isinstance(mine, dict):
        return all(theirs.get(key, each) == each for key, each in mine.items())
    return bool(mine == theirs)


def not_by_gateways(asked: Mapping[str, Any]) -> list[str]:
    """Return what is asked for that needs the service itself."""
    own_image = asked.get("feature") not in (None, "", "basic")
    needs = [name for name in asked if JOB_FIELDS[name].own_machinery and asked[name]]
    return [*needs, *["feature"] * own_image]


def cannot_be_undone(asked: Mapping[str, Any], former: Mapping[str, Any]) -> list[str]:
    """Return the settings that were taken away, and that the service has no default for."""
    kept = {"queue_name", "main_class", "parallel_number", "resource_config", *AT_CREATION}
    gone = set(former) - set(asked) - set(_UNDONE) - kept
    return sorted(f"dli.{name}" for name in gone)


def input_names(names: Iterable[str]) -> list[str]:
    """Return how the inputs are called that the service's fields are made of."""
    called = {
        "entrypoint": "jar",
        "main_class": "entry_class",
        "entrypoint_args": "args",
        "parallel_number": "parallelism",
        "runtime_config": "flink_configuration",
        "queue_name": "target.queue",
        "resource_config_version": "dli.resource_config",
    }
    return sorted({called.get(name, f"dli.{name}") for name in names})


def written(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as the service takes it: options as pairs, as it shows them itself."""
    body = dict(asked)
    if "runtime_config" in body:
        options = body["runtime_config"].items()
        body["runtime_config"] = json.dumps([{"key": key, "value": each} for key, each in options])
    if "checkpoint_mode" in body:
        numbers = {word: number for number, word in CHECKPOINT_MODES.items()}
        body["checkpoint_mode"] = numbers.get(body["checkpoint_mode"], body["checkpoint_mode"])
    if "tags" in body:
        body["tags"] = [{"key": key, "value": value} for key, value in body["tags"].items()]
    return body


def as_shown(spec: JobSpec, shown: Mapping[str, Any]) -> JobSpec:
    """Return a spec with the settings that somebody has changed while the job ran: they are drift.

    Only those that were asked for, and that are shown as something else.
    """
    settings = spec.dli
    if settings is None:
        return spec
    changed = {
        name: shown[name]
        for name in WHILE_RUNNING
        if shown.get(name) is not None
        and (mine := spelt(name, getattr(settings, name))) is not None
        and mine != shown[name]
    }
    return spec.model_copy(update={"dli": settings.model_copy(update=changed)}) if changed else spec


def options_in(value: Any) -> dict[str, str] | None:
    """Return Flink's options from a text: a JSON object, or a list of pairs of key and value."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, list):
        pairs = [each for each in value if isinstance(each, dict) and each.get("key")]
        value = {str(each["key"]): each.get("value") for each in pairs}
    if not isinstance(value, dict):
        return None
    return {str(key): _text(each) for key, each in value.items() if each is not None}


def _option_differences(
    asked: Mapping[str, Any], shown: Mapping[str, Any], former: Mapping[str, Any]
) -> dict[str, str]:
    """Return all options that are asked for, if one of them is shown otherwise, or is to go."""
    options: dict[str, str] = asked.get("runtime_config") or {}
    mine, before = (_of_version(each.get("runtime_config")) for each in (asked, former))
    theirs = shown.get("runtime_config")
    if theirs is None:
        return options if before and before != mine else {}
    changed = any(theirs.get(key) != value for key, value in mine.items())
    gone = any(theirs.get(key) == value for key, value in before.items() if key not in mine)
    return options if changed or gone else {}


def _of_version(options: Mapping[str, str] | None) -> dict[str, str]:
    return {key: value for key, value in (options or {}).items() if key not in _PASSING}


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _place(value: Any) -> str:
    return str(value).strip().removeprefix("obs://").rstrip("/")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _resources(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    found: dict[str, Any] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            cpu = float(each["cpu"]) if each.get("cpu") is not None else None
            memory = re.sub(r"\s|B$", "", str(each.get("memory") or "").upper()) or None
            found[name] = (cpu, memory)
        elif each is not None:
            found[name] = _number(each)
    return found or None
