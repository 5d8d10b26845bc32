"""What a jar job's checkpoint, restart and runtime settings are as options of Flink."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from flink_jobs_provider.gateway.apis.job_inputs import (
    IGNORE_UNCLAIMED,
    MOST_OPTIONS,
    as_texts,
    masked_options,
    masked_text,
    place_on_flink,
    take_unclaimed,
)
from flink_jobs_provider.gateway.http.property_problems import Problem, collecting
from flink_jobs_provider.gateway.http.requests import strict
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import Mounts
from flink_jobs_provider.model.duration import flink_milliseconds
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.savepoint import canonical_path
from flink_jobs_provider.wire import NOTE_PREFIX
from flink_jobs_provider.wire.dli import CHECKPOINT_MODES, JOB_FIELDS, checkpoint_mode

_WORDS = {"off": "none", "disable": "none"}


def same_word(one: str, other: str) -> bool:
    """Whether two texts are the same word, or the same whole number."""
    return _word(one) == _word(other)


def same_duration(one: str, other: str) -> bool:
    """Whether two texts are as long a time; without a unit it is one of milliseconds."""
    lengths = [flink_milliseconds(text) for text in (one, other)]
    return one == other if None in lengths else lengths[0] == lengths[1]


def same_place(one: str, other: str) -> bool:
    """Whether two texts name one directory."""
    return canonical_path(one) == canonical_path(other)


def _word(text: str) -> str:
    word = re.sub(r"[-_\s]", "", text).lower()
    return _WORDS.get(word, word.lstrip("0") if word.isdigit() else word)


#: The fields that become options.
FIELDS = {
    *("checkpoint_enabled", "checkpoint_mode", "checkpoint_interval", "checkpoint_path"),
    *("restart_when_exception", "resume_checkpoint", "resume_max_num", "runtime_config"),
}

_INTERVAL: int = JOB_FIELDS["checkpoint_interval"].default
_WITHOUT_END = 2**31 - 1
_MODE = "execution.checkpointing.mode"
# What Flink calls by two names has both, the present one first: an older Flink knows the other
# alone, and of a newer one the cluster may have the first, which counts then.
_STRATEGY = ("restart-strategy.type", "restart-strategy")
_CHECKPOINT_DIRECTORY = ("execution.checkpointing.dir", "state.checkpoints.dir")
_DIRECTORIES = ("execution.checkpointing.savepoint-dir", "state.savepoints.dir")


class Options(NamedTuple):
    """Inputs of a job that its settings make."""

    flink_configuration: dict[str, str]
    allow_non_restored_state: bool
    savepoint_directory: str | None


@dataclass(frozen=True)
class _Setting:
    """What a field is to Flink.

    Attributes:
        names: What Flink calls it: all of them are set.
        same: Whether two texts mean the same value of it.
        default: Whether it was not given: what runtime_config has counts then.
        counts: Whether it is set at all; what contradicts it is invalid in any case.
    """

    field: str
    names: tuple[str, ...]
    value: str
    same: Callable[[str, str], bool] = same_word
    default: bool = False
    counts: bool = True


def obs_uri(path: str) -> str:
    """Return a place as a URI: a bare `bucket/directory` is one of OBS."""
    path = path.strip()
    return path if path.startswith("/") or ":" in path.partition("/")[0] else f"obs://{path}"


def options_of(config: Mapping[str, Any], mounts: Mounts, problems: list[Problem]) -> Options:
    """Return what a job's settings are to Flink; what is invalid is added to the problems."""
    options = runtime_options(config.get("runtime_config"), problems)
    unclaimed = take_unclaimed(options, "runtime_config.", problems)
    directory = None
    for key in (key for key in _DIRECTORIES if key in options):
        path = f"runtime_config.{key}"
        with collecting(problems):
            place = place_on_flink(options.pop(key), mounts, path)
            if directory not in (None, place):
                problems.append(_contradiction(path, _DIRECTORIES[0]))
            directory = place
    made: dict[str, str] = {}
    for setting in (*_checkpoints(config, mounts, problems), *_restarts(config, problems)):
        named = [name for name in setting.names if name in options]
        if not (setting.default and named):
            if setting.counts:
                made |= dict.fromkeys(setting.names, setting.value)
            problems += [
                _contradiction(f"runtime_config.{name}", setting.field)
                for name in named
                if not setting.same(options[name], setting.value)
            ]
    return Options({**made, **options}, unclaimed, directory)


def mode_unless_given(config: Mapping[str, Any]) -> str:
    """Return the checkpoint mode that counts where `checkpoint_mode` has none, by its name."""
    named = runtime_options(config.get("runtime_config"), []).get(_MODE, "")
    modes = CHECKPOINT_MODES.values()
    default: str = JOB_FIELDS["checkpoint_mode"].default
    return next((mode for mode in modes if same_word(mode, named)), default)


def _contradiction(path: str, other: str) -> Problem:
    return Problem(path, f"{path} contradicts {other}: leave one of them out.")


def runtime_options(given: str | None, problems: list[Problem]) -> dict[str, str]:
    """Return the Flink options of a `runtime_config`, without a client's notes.

    It is the text of a JSON object, or of a list of objects with `key` and `value`.
    """
    path = "runtime_config"
    content = _content(given)
    if content is None:
        text = f"{path} must be a JSON object of Flink options, as a text, each name once."
        problems.append(Problem(path, text))
        return {}
    if len(content) > MOST_OPTIONS:
        text = f"{path} must not hold more than {MOST_OPTIONS} options (got {len(content)})."
        problems.append(Problem(path, text))
        return {}
    options = {k: v for k, v in content.items() if not k.startswith(NOTE_PREFIX)}
    for key in [k for k, v in options.items() if not (k and isinstance(v, str | int | float))]:
        del options[key]
        named = f"{path}.{key[:100]}"
        problems.append(Problem(named, f"{named} must be a text, a number, true or false."))
    return as_texts(options)


def _content(given: str | None) -> dict[str, Any] | None:
    """Return what a `runtime_config` holds by name; None where it is of neither form.

    A name that it holds twice is an error, as in any body: one of the two would be dropped.
    """
    if not given:
        return {}
    try:
        content = strict(given)
    except (json.JSONDecodeError, Refusal):
        return None
    if isinstance(content, list) and all(isinstance(pair, dict) for pair in content):
        # As the service itself shows them, and clients send them back.
        pairs = content
        content = {str(pair.get("key") or ""): pair.get("value") for pair in pairs}
        if len(content) < len(pairs):
            return None
    return content if isinstance(content, dict) else None


def with_options(given: str | None, options: Mapping[str, Any]) -> str:
    """Return a `runtime_config` with other options, in the form that it had; empty for none."""
    listed = bool(given) and str(given).lstrip().startswith("[")
    pairs = [{"key": key, "value": value} for key, value in options.items()]
    return json.dumps(pairs if listed else dict(options)) if options else ""


def with_masked_values(given: str) -> str:
    """Return a `runtime_config` as it is shown to who may only read; in the form that it had."""
    content = _content(given)
    if content is None:
        return masked_text(given)
    masked = masked_options(content)
    return given if masked == content else with_options(given, masked)


def with_savepoints(given: str | None, directory: str | None, *, unclaimed: bool) -> str:
    """Return a `runtime_config` with where savepoints go, and whether unclaimed state is dropped.

    Args:
        given: The one so far, from which everything else is kept.
        directory: None for the one that the cluster has.
        unclaimed: Whether state that no operator claims is left.
    """
    replaced = {*_DIRECTORIES, *IGNORE_UNCLAIMED}
    content = {key: value for key, value in (_content(given) or {}).items() if key not in replaced}
    if directory is not None:
        content[_DIRECTORIES[-1]] = directory
    if unclaimed:
        content[IGNORE_UNCLAIMED[0]] = "true"
    return with_options(given, content)


def _checkpoints(
    config: Mapping[str, Any], mounts: Mounts, problems: list[Problem]
) -> Iterator[_Setting]:
    if path := config.get("checkpoint_path"):
        with collecting(problems):
            place = place_on_flink(obs_uri(path), mounts, "checkpoint_path")
            yield _Setting("checkpoint_path", _CHECKPOINT_DIRECTORY, place, same_place)
    if config.get("checkpoint_enabled"):
        # JSON Schema takes 10.0 for a whole number, and Flink does not.
        interval = config.get("checkpoint_interval")
        yield _Setting(
            "checkpoint_interval",
            ("execution.checkpointing.interval",),
            f"{int(interval or _INTERVAL)}s",
            same_duration,
            default=not interval,
        )
        # So that `run` finds the newest state of a job which was stopped without a savepoint.
        yield _Setting("checkpoint_enabled", (RETENTION,), RETAINED, default=True)
    mode = config.get("checkpoint_mode")
    yield _Setting(
        "checkpoint_mode",
        (_MODE,),
        checkpoint_mode(mode or 1).upper(),
        default=not mode,
        counts=bool(config.get("checkpoint_enabled")),
    )


def _restarts(config: Mapping[str, Any], problems: list[Problem]) -> Iterator[_Setting]:
    field = "restart_when_exception"
    restarts = config.get(field)
    if restarts is None:
        return
    if not restarts:
        yield _Setting(field, _STRATEGY, "none")
        return
    if config.get("resume_checkpoint") is False:
        text = (
            "resume_checkpoint must be true or left out with restart_when_exception: Flink always "
            "goes on from the newest checkpoint."
        )
        problems.append(Problem("resume_checkpoint", text))
    yield _Setting(field, _STRATEGY, "fixed-delay")
    attempts = config.get("resume_max_num")
    without_end = attempts is None or attempts < 0
    yield _Setting(
        "resume_max_num",
        ("restart-strategy.fixed-delay.attempts",),
        str(_WITHOUT_END if without_end else int(attempts or 0)),
        default=without_end,
    )
