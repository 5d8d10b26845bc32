"""Rules for inputs alone: what was recorded by an older version may break them, and is read still.

The model has no such rule: records are read by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

from flink_jobs_provider.model.duration import LONGEST_TIMEOUT, seconds

_Problems = list[tuple[str, str]]

#: Texts that belong to the user, blanks and all. Without its blanks an owner is another one, who
#: does not own the job.
_FREE = {"args", "flink_configuration", "owner", "savepoint_trigger", "restart_trigger"}
_FREE_OF_DLI = {"desc", "tags", "flink_log_config"}
_URLS = ("url", "endpoint")


def blanks_in(inputs: dict[str, Any]) -> _Problems:
    """Return the texts of a job's inputs with blanks where none may be: (path, what is right).

    Args:
        inputs: The inputs by name, as far as they are known; of any type, right or wrong.
    """
    bounded = {name: value for name, value in inputs.items() if name not in _FREE}
    dli = bounded.get("dli")
    if isinstance(dli, dict):
        bounded["dli"] = {name: value for name, value in dli.items() if name not in _FREE_OF_DLI}
    blanks = dict(blanks_around(bounded))  # a header's name and value are one property
    return [*blanks.items(), *_blanks_in_urls(inputs)]


def limits_of(inputs: dict[str, Any], unknown: Collection[tuple[int | str, ...]]) -> _Problems:
    """Return what else is wrong with inputs that the model takes.

    Args:
        inputs: The inputs by name, as far as they are known; of any type, right or wrong.
        unknown: Paths of what is not known yet.
    """
    return [
        *_keys_without_certificate(inputs, unknown),
        *_relative_restore_point(inputs),
        *_long_timeouts(inputs),
    ]


def blanks_around(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Return the texts that begin or end with a blank or line break, names of maps included.

    The value is not shown: it may have been meant to be a secret.
    """
    if isinstance(value, str) and value != value.strip():
        yield path, "must be given without blanks around it"
    elif isinstance(value, dict):
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            yield from blanks_around(key, below)
            yield from blanks_around(item, below)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from blanks_around(item, f"{path}[{number}]")


def _blanks_in_urls(inputs: dict[str, Any]) -> _Problems:
    target = inputs.get("target")
    given = target if isinstance(target, dict) else {}
    return [
        (f"target.{name}", "must hold no blanks")
        for name in _URLS
        if isinstance(url := given.get(name), str) and len(url.strip().split()) > 1
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


def _long_timeouts(inputs: dict[str, Any]) -> _Problems:
    timeouts = inputs.get("timeouts")
    problems: _Problems = []
    for step, duration in timeouts.items() if isinstance(timeouts, dict) else ():
        with suppress(ValueError, TypeError):  # then the model says what is wrong
            if seconds(duration) > seconds(LONGEST_TIMEOUT):
                why = f'must be at most "{LONGEST_TIMEOUT}" (got {duration!r})'
                problems.append((f"timeouts.{step}", why))
    return problems
