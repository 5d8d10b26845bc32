"""What the plugin's functions answer: as the server makes it, and as a program in Python has it."""

from __future__ import annotations

import types
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from flink_jobs_provider.inspecting.job_rows import JobFacts, JobRow

T = TypeVar("T")


@dataclass(frozen=True)
class JobList:
    """The jobs of a cluster.

    Attributes:
        jobs: In the order of their names, the newest submission first.
    """

    jobs: list[JobRow]


@dataclass(frozen=True, kw_only=True)
class FoundJob(JobFacts):
    """One job of a cluster, with its health.

    Attributes:
        health: Its load and its checkpoints as observed now; null where there is no such job now.
        needs_attention: What needs attention, most urgent first: `concern`, `reason`, `remedy`,
            `since`.
    """

    health: dict[str, Any] | None
    needs_attention: list[dict[str, Any]]


@dataclass(frozen=True)
class FoundSavepoint:
    """One savepoint of a job.

    Attributes:
        path: Where it is, for `restore_from`.
        taken_at: When it was taken: UTC, ISO 8601; empty where that is not known.
    """

    path: str
    taken_at: str


@dataclass(frozen=True)
class UnseenDirectory:
    """A directory whose savepoints are not seen from here.

    Attributes:
        path: Where it is.
        reason: Why it cannot be read.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class JobSavepoints:
    """The savepoints of a job that were found.

    Attributes:
        job_name: The name that its savepoints go under.
        directories: Where they were searched for.
        savepoints: The newest first.
        unseen: Of the directories, those that cannot be read from here: there may be savepoints.
    """

    job_name: str
    directories: list[str]
    savepoints: list[FoundSavepoint]
    unseen: list[UnseenDirectory]


@dataclass(frozen=True)
class OperatorState:
    """The state of one operator of the running job, against the new version.

    Attributes:
        id: The operator's id.
        name: Its name, where the cluster shows it.
        size_bytes: The size of its state, where that is known.
        max_parallelism: Its max parallelism, where that is known.
        verdict: How it is restored: `fits`, `drops`, `cannot restore` or `cannot tell`.
    """

    id: str
    name: str | None
    size_bytes: int | None
    max_parallelism: int | None
    verdict: str


@dataclass(frozen=True)
class CheckedState:
    """Whether a new version can go on from the state of a running job.

    Attributes:
        job_name: The running job's name.
        job_id: Its jobId.
        verdict: Of all operators: `fits`, `drops`, `cannot restore` or `cannot tell`.
        summary: The same in a sentence, as a plan line has it.
        refused: Why an update would be refused; null where it would not.
        main_runs: How often the `main` of the versions was run for their plans.
        state: By operator.
    """

    job_name: str
    job_id: str
    verdict: str
    summary: str
    refused: str | None
    main_runs: int
    state: list[OperatorState]


@cache
def hints_of(of: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass."""
    hints = get_type_hints(of)
    return {each.name: hints[each.name] for each in fields(of)}


def typed(of: type[T], value: Any) -> T:
    """Return a value of plain JSON types as what it is; whole numbers may have come as floats."""
    found: T = _typed(of, value)
    return found


def _typed(of: Any, value: Any) -> Any:
    if get_origin(of) in (Union, types.UnionType):
        [of] = [each for each in get_args(of) if each is not type(None)]
    if value is None:
        return None
    if is_dataclass(of) and isinstance(of, type):
        return of(**{name: _typed(hint, value.get(name)) for name, hint in hints_of(of).items()})
    if get_origin(of) is list:
        return [_typed(get_args(of)[0], each) for each in value]
    return int(value) if of is int else value
