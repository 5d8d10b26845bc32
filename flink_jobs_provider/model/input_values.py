"""The types of a job's inputs: which values are valid, and how they are normalised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

MAX_PARALLELISM = 32768  # Flink's own bound (KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM)

#: Options of Flink that no job sets, and why.
_NEVER_SET = {
    "execution.savepoint-restore-mode": "savepoints are never claimed",
    "execution.state-recovery.claim-mode": "savepoints are never claimed",
    "$internal.pipeline.job-id": "the jobId is the job's identity",
}


def _job_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        raise ValueError(
            "must be 1 to 63 lower-case letters, digits and dashes, beginning and ending with a "
            f"letter or digit (got {value!r})"
        )
    return value


def _split_args(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _whole_number(value: object) -> object:
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

    Args:
        configuration: The keys of `flink_configuration`.
        with_an_input: The inputs, by the options that each stands for.
        names: What callers call an input, by its name in a program; else that name.
    """
    names = names or {}
    uses = {option: f"use {names.get(name, name)}" for option, name in with_an_input.items()}
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
WholeNumber = Annotated[int, BeforeValidator(_whole_number)]
FlinkConfiguration = dict[str, Annotated[str, BeforeValidator(scalar_text)]]
