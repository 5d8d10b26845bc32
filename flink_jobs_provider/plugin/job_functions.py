"""The plugin's functions: what their inputs are, and how they are answered.

They are the commands `flink-jobs jobs list`, `describe`, `savepoints` and `check`, for programs:
they only read, and what they return is what those print.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.inspecting.health_reading import health_facts, observations
from flink_jobs_provider.inspecting.job_choice import NamedJobs, Owners, choose, named_jobs
from flink_jobs_provider.inspecting.job_rows import job_facts, job_rows
from flink_jobs_provider.inspecting.job_savepoints import list_savepoints
from flink_jobs_provider.inspecting.version_check import check_state, of_running, running
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.inputs import suggestion
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import TARGETS, FlinkTarget, Target
from flink_jobs_provider.model.validation import problems_of, reason_of
from flink_jobs_provider.plugin.function_answers import (
    CheckedState,
    FoundJob,
    FoundSavepoint,
    JobList,
    JobSavepoints,
    UnseenDirectory,
    typed,
)

#: The inputs of a new version that decide whether it can go on from a state.
_OF_VERSION = (
    "entry_class",
    "args",
    "parallelism",
    "flink_configuration",
    "state_check",
)
#: Stands in for the inputs of a whole job, where only some are validated.
_ANY_JOB = {"job_name": "any", "owner": "any", "jar": "any"}
_ANY_TARGET = {"url": "http://any"}
#: Why there is no target: nothing has one, of all that may.
NO_TARGET = (
    "is required: give it in the program, or set flink-jobs:target in the stack's configuration "
    "(of an explicit provider, target)"
)

Problems = list[tuple[str, str]]


class JobsQuery(BaseModel):
    """Which jobs are listed."""

    model_config = ConfigDict(frozen=True)

    target: FlinkTarget | None = Field(
        None, description="The Flink cluster; by default the provider's target."
    )
    ended: bool = Field(default=False, description="Whether jobs that have ended are listed, too.")


class JobQuery(BaseModel):
    """Which job is meant."""

    model_config = ConfigDict(frozen=True)

    target: FlinkTarget | None = Field(
        None, description=JobsQuery.model_fields["target"].description
    )
    job: str = Field(
        min_length=1,
        description="Its job_name, its jobId or the first digits of it, or the name that its "
        "program gives itself.",
    )


class SavepointsQuery(JobQuery):
    """Which job's savepoints are listed."""

    directory: str | None = Field(
        None,
        min_length=1,
        description="Where they are searched for: the job's savepoint_directory. By default the "
        "cluster's own, and where the submissions that the cluster lists had theirs.",
    )


_VERSION_FIELDS: dict[str, Any] = {
    name: (JobSpec.model_fields[name].annotation, JobSpec.model_fields[name])
    for name in _OF_VERSION
}
StateQuery = create_model(
    "StateQuery",
    __base__=JobQuery,
    __doc__="Which job is compared with which new version.",
    jar=(str, Field(min_length=1, description="Path or URI of the new version's jar.")),
    **_VERSION_FIELDS,
)


@dataclass(frozen=True)
class Call:
    """A call of a function, with valid inputs.

    Attributes:
        plane: The cluster.
        target: How it is reached.
        jobs: Its jobs.
        inputs: Those that are given, by name.
    """

    plane: FlinkRest
    target: FlinkTarget
    jobs: NamedJobs
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class JobFunction:
    """One function.

    Attributes:
        query: Its inputs.
        answer: What it returns.
        description: What for.
        ask: Asks the cluster.
    """

    query: type[BaseModel]
    answer: type
    description: str
    ask: Callable[[Call], Awaitable[Any]]


async def _jobs(call: Call) -> JobList:
    shown = [job for job in call.jobs.snapshot.jobs if job.active or call.inputs.get("ended")]
    return JobList(await job_rows(call.plane, call.jobs, shown))


async def _job(call: Call) -> FoundJob:
    wanted = call.inputs["job"]
    found, _ = choose(call.jobs, wanted)
    facts, seen = await asyncio.gather(
        job_facts(call.plane, call.jobs.with_name(found, wanted), found),
        observations(call.plane.client, found.job_id, 0),
    )
    health = health_facts(seen)
    return typed(FoundJob, facts.plain() | health)


async def _savepoints(call: Call) -> JobSavepoints:
    directory, local = call.inputs.get("directory"), call.target.loopback
    wanted = call.inputs["job"]
    try:
        found = await list_savepoints(call.plane, call.jobs, wanted, directory, local_paths=local)
    except PermanentError as error:
        error.complete(remedy="Give directory")
        raise
    points = [FoundSavepoint(point.path, point.taken_at) for point in found.points]
    unseen = [UnseenDirectory(*each) for each in found.unseen.items()]
    return JobSavepoints(found.name, list(found.places), points, unseen)


async def _check(call: Call) -> CheckedState:
    job, name = running(call.jobs, call.inputs["job"])
    version = {name: call.inputs[name] for name in ("jar", *_OF_VERSION) if name in call.inputs}
    inputs = of_running(call.jobs, job, call.target) | version
    checked = await check_state(call.plane, (job, name), None, inputs)
    return typed(CheckedState, checked.plain())


FUNCTIONS: Mapping[str, JobFunction] = {
    "getJobs": JobFunction(
        JobsQuery, JobList, "List the jobs of a Flink cluster that are active, or all.", _jobs
    ),
    "getJob": JobFunction(
        JobQuery,
        FoundJob,
        "Return one job of a Flink cluster: its status, its health, where its state is.",
        _job,
    ),
    "getSavepoints": JobFunction(
        SavepointsQuery,
        JobSavepoints,
        "List a job's savepoints, as far as their directories can be read from here.",
        _savepoints,
    ),
    "checkJob": JobFunction(
        StateQuery,
        CheckedState,
        "Compare a running job's state with a new version. The new version's `main` runs on the "
        "cluster for its plan; nothing is changed.",
        _check,
    ),
}


def with_target(inputs: Mapping[str, Any], default: Target | None) -> dict[str, Any]:
    """Return the inputs that are given, with the target of the provider where none is."""
    given = {name: value for name, value in inputs.items() if value is not None}
    if "target" not in given and default is not None:
        given["target"] = default.model_dump(mode="json", exclude_none=True)
    return given


def problems_of_call(name: str, inputs: Mapping[str, Any]) -> Problems:
    """Return the problems of a function's inputs: (property path, what would be valid)."""
    known = set(FUNCTIONS[name].query.model_fields)
    problems = [
        (each, f"is not an input of {name}; {suggestion(each, known)}")
        for each in inputs
        if each not in known
    ]
    target = inputs.get("target")
    kind = target.get("kind") if isinstance(target, dict) else None
    of_job = {each: value for each, value in inputs.items() if each in JobSpec.model_fields}
    if isinstance(kind, str) and kind in TARGETS and TARGETS[kind].is_job_service:
        why = f"must be flink: {name} reads Flink itself, and not {TARGETS[kind].label}"
        problems.append(("target.kind", why))
        of_job["target"] = _ANY_TARGET
    missing = {} if "target" in inputs else {"target": NO_TARGET}
    problems += [
        (path, missing.get(path, why))
        for path, why in problems_of(_ANY_JOB | of_job)
        if _root(path) in known & JobSpec.model_fields.keys()
    ]
    return problems + _problems_of_query(name, inputs, known - JobSpec.model_fields.keys())


def _problems_of_query(name: str, inputs: Mapping[str, Any], own: Collection[str]) -> Problems:
    """Return the problems of the inputs that no job has, and of those that are missing."""
    query = FUNCTIONS[name].query
    required = {each for each, field in query.model_fields.items() if field.is_required()}
    given = {each: inputs[each] for each in {*own, *required} & inputs.keys()}
    try:
        query.model_validate(given)
    except ValidationError as error:
        return [
            (str(detail["loc"][0]), reason_of(detail))
            for detail in error.errors(include_url=False)
            if detail["loc"][0] in own or detail["type"] == "missing"
        ]
    return []


def _root(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


async def answer(
    name: str, inputs: Mapping[str, Any], clusters: Clusters, owners: Collection[str]
) -> dict[str, Any]:
    """Return the answer of a function to valid inputs, as plain JSON types.

    Args:
        name: The function.
        inputs: Its inputs.
        clusters: The clusters of the run.
        owners: The owners of jobs that are known here: another is shown by its digits.

    Raises:
        JobError: There is no such job, or its cluster cannot be asked.
    """
    target = FlinkTarget.model_validate(inputs["target"])
    plane = clusters.of(target)
    call = Call(plane, target, await named_jobs(plane, Owners(owners)), inputs)
    return asdict(await FUNCTIONS[name].ask(call))
