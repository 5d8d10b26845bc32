"""Rules for the options in `flink_configuration`, for what a program or a job file gives.

Records and gateways have none of these rules: what was deployed with such an option is read,
refreshed and deleted as ever, and a gateway answers as the services do, which take any option.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.model.flink_options import (
    FlinkOption,
    Scope,
    expected,
    flink_option,
    nearest_option,
    parses,
    versions,
)
from flink_jobs_provider.model.input_values import scalar_text
from flink_jobs_provider.model.target.dli_limits import is_cloud

_INPUT = "flink_configuration"
#: How many unknown keys are compared with the known ones, and how long they may be: it costs some
#: ten milliseconds a key.
_MOST_COMPARED = 20
_LONGEST_COMPARED = 120
_LONGEST_SHOWN = 60
_OF_THE_CLUSTER = (
    "is an option of the cluster and has no effect on a job submitted to a session cluster: take "
    "it out here, and set it in the cluster's own configuration"
)
_IN_DOUBT = (
    "is an option of the cluster's processes, which may have no effect on a job submitted to a "
    "session cluster: its place is the cluster's own configuration"
)
_STAYS = "It is passed on, since the job has it already"


@dataclass(frozen=True)
class Findings:
    """The findings on a job's options.

    Attributes:
        problems: What is refused: (property path, what would be valid).
        warnings: What is passed on nevertheless, each a line.
    """

    problems: list[tuple[str, str]]
    warnings: list[str]


def findings_of(inputs: Mapping[str, Any], former: object = None) -> Findings:
    """Return the findings on the options of a job.

    Args:
        inputs: The job's inputs by name, as far as they are known; of any type, valid or not.
        former: The options that are recorded of the job. What is refused of others is a warning
            where the job has been deployed with it: removing it costs a restart, which the user
            may choose the time of.
    """
    configuration = inputs.get(_INPUT)
    problems: list[tuple[str, str]] = []
    warnings: list[str] = []
    if not isinstance(configuration, dict):
        return Findings(problems, warnings)
    had = former if isinstance(former, dict) else {}
    unknown: list[str] = []
    for key, value in configuration.items():
        if not isinstance(key, str):
            continue
        text = scalar_text(value)
        option = flink_option(key)
        if option is None and key == key.strip() != "":
            unknown.append(key)
        for path, why in _refusals(key, text, option, inputs.get("target")):
            if key in had and had[key] == text:
                warnings.append(f"{path} {why}. {_STAYS}.")
            else:
                problems.append((path, why))
        if option and (remark := _remark(option, inputs.get("target"))):
            warnings.append(f"{_path(key)} {remark}.")
    return Findings(problems, [*warnings, *_near_misses(unknown)])


def _refusals(
    key: str, value: object, option: FlinkOption | None, target: object
) -> Iterator[tuple[str, str]]:
    if not key.strip():
        yield _INPUT, "must not have an empty key: name the option of Flink that the value is for"
    elif key != key.strip():
        yield _INPUT, f"must name options without blanks around them (got {key!r})"
    if option is None:
        return
    if option.scope is Scope.CLUSTER and _kind(target) == "flink":
        yield _path(key), _OF_THE_CLUSTER
    elif isinstance(value, str) and not parses(option.types, value):
        yield _path(key), f"must be {expected(option.types)} (got {_shown(value)})"


def _remark(option: FlinkOption, target: object) -> str | None:
    """Return the remark on an option of the cluster that is not refused."""
    if option.scope is Scope.JOB or not _is_session(target):
        return None
    if option.scope is Scope.CLUSTER:
        return None if _kind(target) == "flink" else _OF_THE_CLUSTER
    return _IN_DOUBT


def _near_misses(unknown: list[str]) -> Iterator[str]:
    for key in unknown[:_MOST_COMPARED]:
        if len(key) <= _LONGEST_COMPARED and (near := nearest_option(key)):
            yield (
                f"{_path(key)} is not an option of Flink {versions()}, and is passed on as it is; "
                f"did you mean {near.key}{_history(near)}?"
            )


def _history(option: FlinkOption) -> str:
    if option.present != option.key:
        return f" (now called {option.present})"
    everywhere = versions() == f"{option.since} to {option.until}"
    return "" if everywhere else f" (of Flink {option.since} to {option.until})"


def _kind(target: object) -> str | None:
    """Return the kind of a target; None where it is not known."""
    if not isinstance(target, dict):
        return None
    kind = target.get("kind", "flink")
    return kind if isinstance(kind, str) else None


def _is_session(target: object) -> bool:
    """Whether jobs share a cluster: each run in a cloud's Data Lake Insight has one of its own."""
    kind = _kind(target)
    return kind in ("flink", "hdinsight") or (
        kind == "dli" and isinstance(target, dict) and not is_cloud(target)
    )


def _path(key: str) -> str:
    return f"{_INPUT}.{key}"


def _shown(value: str) -> str:
    """Return a value as it is, so that it is masked where it is a secret; its length, if long."""
    if len(value) <= _LONGEST_SHOWN and repr(value)[1:-1] == value:
        return f"'{value}'"
    return f"a text of {len(value)} characters"
