"""Start a job from its file on one Flink cluster, without Pulumi and without a record of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.cli.job_choice import COMMAND_LINE
from flink_jobs_provider.cli.printing import say
from flink_jobs_provider.job_files import read_job_file
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import InvalidFiles, PermanentError, StateUnavailable
from flink_jobs_provider.model.option_rules import findings_of
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget, Target
from flink_jobs_provider.model.validation import problems_of
from flink_jobs_provider.reconciling.flink import Reconciler
from flink_jobs_provider.reconciling.restore_history import RestoreUnclear

_TARGETS: TypeAdapter[Target] = TypeAdapter(Target)


def start_inputs(file: Path, target: FlinkTarget, **given: str | None) -> dict[str, Any]:
    """Return the inputs of the job in a file, on a cluster.

    Args:
        file: The job file. Its target must be that cluster, if it names any: a job that is to run
            elsewhere may well do so already.
        target: The cluster.
        given: Inputs that go before those of the file, where they are given.

    Raises:
        InvalidFiles: The file is wrong; every problem at once.
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
    if isinstance(own, FlinkTarget) and own.place == target.place:
        return
    reach = "Give its address (--url), use" if isinstance(own, FlinkTarget) else "Use"
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
    """Start a job; a savepoint that the command names counts each time, one of the file once.

    Args:
        reconciler: Of the cluster.
        spec: The job, with the savepoint to start from, if any.
        jar: Its jar.
        given: The savepoint that the command names.

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
