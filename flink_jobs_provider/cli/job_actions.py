"""The actions of `flink-jobs jobs`: they do what a stack's own do, by the one reconciler."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.cli.printing import say
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.inspecting.job_choice import COMMAND_LINE, NamedJobs, choose
from flink_jobs_provider.inspecting.job_savepoints import list_savepoints
from flink_jobs_provider.job_files import read_job_file
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import (
    DeadlineExceeded,
    InvalidFiles,
    JobError,
    PermanentError,
    StateUnavailable,
)
from flink_jobs_provider.model.flink_options import findings_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget, Target
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.reconciling.flink.preflight import NoSavepointDirectory, SubmissionTerms
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.reconciling.job_errors import RestoreUnclear

_TARGETS: TypeAdapter[Target] = TypeAdapter(Target)


def start_inputs(file: Path, target: FlinkTarget, **given: str | None) -> dict[str, Any]:
    """Return the inputs of the job in a file; those `given` go before those of the file.

    The file's target must be that cluster, if it names any: a job that is to run elsewhere may well
    do so already.

    Raises:
        InvalidFiles: The file is invalid; every problem at once.
        PermanentError: The job is one for another place.
    """
    inputs = {"owner": COMMAND_LINE, **read_job_file(file)}
    inputs |= {name: value for name, value in given.items() if value}
    _check_place(file, inputs, target)
    inputs["target"] = target.model_dump(exclude_none=True)
    of_flink = findings_of(inputs)
    for warning in of_flink.warnings:
        say(f"{file}: warning: {warning}", error=True)
    _refuse(file, [*problems_of(inputs), *of_flink.problems])
    return inputs


def _check_place(file: Path, inputs: dict[str, Any], target: FlinkTarget) -> None:
    """Raise where a job is one for another place than this cluster."""
    here = f"and this command starts jobs on Flink itself at {target.url}"
    of_dli = " and dli" if "dli" in inputs else ""
    if "target" not in inputs:
        if of_dli:
            raise PermanentError(
                f"{file}: dli is for a target of Data Lake Insight, {here}",
                now="Nothing was started",
                remedy="Use `flink-jobs up`, or take dli out of the file",
            )
        return
    try:
        own = _TARGETS.validate_python(inputs["target"])
    except ValidationError:
        _refuse(file, [each for each in problems_of(inputs) if each[0].startswith("target")])
        raise
    if not own.is_job_service and own.place == target.place:
        return
    reach = "Use" if own.is_job_service else "Give its address (--url), use"
    at = "," if own.is_job_service else " at"
    raise PermanentError(
        f"{file}: target is {own.label}{at} {own.address}, {here}",
        now="Nothing was started",
        remedy=f"{reach} `flink-jobs up`, or take target{of_dli} out of the file",
    )


def _refuse(file: Path, problems: list[tuple[str, str]]) -> None:
    if problems:
        raise InvalidFiles([(str(file), f"{path}: {why}") for path, why in problems])


async def start_from(
    reconciler: Reconciler, spec: JobSpec, jar: Jar, given: str | None
) -> JobRecord:
    """Start a job; a savepoint `given` by the command counts each time, one of the file once.

    Raises:
        JobError: What happened, what runs now, and what to do.
    """
    before = None
    if given:
        unnamed = spec.model_copy(update={"restore_from": None})
        before = JobRecord(spec=unnamed, status=JobStatus.LOST)
    try:
        return await reconciler.bring_about(before, spec, jar)
    except RestoreUnclear as error:
        raise StateUnavailable(
            error.happened,
            now=error.now,
            remedy="To go on from the state it has, take restore_from out of the file; to go back "
            f"to that one, give it with --from {spec.restore_from}",
        ) from None


#: What helps here where a savepoint cannot be taken: no job file is at hand.
_REMEDIES: dict[type[JobError], str] = {
    NoSavepointDirectory: "Give --directory",
    StateUnavailable: "`flink-jobs jobs exceptions` shows what keeps its tasks from running; "
    "`flink-jobs jobs cancel` ends it without a savepoint",
    DeadlineExceeded: "Run again to wait for it",
}


async def take(
    plane: FlinkRest,
    target: FlinkTarget,
    jobs: NamedJobs,
    wanted: str,
    directory: str | None,
    *,
    stop: bool,
) -> dict[str, str | None]:
    """Take a savepoint of a job, and stop it with that if asked to.

    Returns:
        The job's name and id, the savepoint's path and, after a stop, the state it ended in.

    Raises:
        JobError: There is no such job, or it failed.
    """
    found, name = choose(jobs, wanted)
    if not found.active:
        raise PermanentError(f"{name} is {found.state}: nothing to take a savepoint of")
    purpose, occasion = Purpose.SAVEPOINT, os.urandom(8).hex()
    if stop:
        purpose, occasion = Purpose.STOP, ""
    terms = SubmissionTerms(name, directory or None)
    try:
        path = await _reconciler(plane, target).take_savepoint(terms, found, purpose, occasion)
    except tuple(_REMEDIES) as error:
        kind = next(each for each in _REMEDIES if isinstance(error, each))
        raise kind(error.happened, now=error.now, remedy=_REMEDIES[kind]) from None
    facts: dict[str, str | None] = {"job_name": name, "job_id": found.job_id, "savepoint": path}
    if not stop:
        return facts
    row = (await plane.jobs()).by_id.get(found.job_id)
    return {**facts, "status": row.state if row else None}


async def cancel(plane: FlinkRest, target: FlinkTarget, job: ObservedJob, name: str) -> str | None:
    """Cancel a job; return the state it ended in, or None where its cluster no longer lists it.

    Raises:
        JobError: It has not ended.
    """
    row = await _reconciler(plane, target).cancel_submission(SubmissionTerms(name), job)
    return row.state if row else None


def _reconciler(plane: FlinkRest, target: FlinkTarget) -> Reconciler:
    return Reconciler(plane, local_paths=target.loopback, say=lambda line: say(line, error=True))


async def left_by(plane: ControlPlane, jobs: NamedJobs, wanted: str, *, local_paths: bool) -> str:
    """Return, as a sentence, what savepoint is seen of a job that its cluster does not list."""
    try:
        listing = await list_savepoints(plane, jobs, wanted, None, local_paths=local_paths)
    except PermanentError as error:
        return f"Its savepoints are not seen from here: {error.reason}"
    if not listing.points and listing.unseen:
        reasons = [f"{place}: {reason}" for place, reason in listing.unseen.items()]
        return f"Its savepoints are not seen from here: {'; '.join(reasons)}"
    if not listing.points:
        return f"No savepoint of it is seen from here, below {', '.join(listing.places)}"
    newest = listing.points[0]
    return f"Its newest savepoint that is seen from here is {newest.with_age(time.time())}"
