"""Savepoints and ends of jobs, for `flink-jobs jobs`: as a stack's own, by the one reconciler."""

from __future__ import annotations

import os

from flink_jobs_provider.cli.job_choice import NamedJobs, choose
from flink_jobs_provider.cli.printing import say
from flink_jobs_provider.control_planes.flink import FlinkRest
from flink_jobs_provider.control_planes.protocol import Purpose
from flink_jobs_provider.model.errors import DeadlineExceeded, PermanentError, StateUnavailable
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.flink import Reconciler
from flink_jobs_provider.reconciling.flink.preflight import NoSavepointDirectory, SubmissionTerms


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
    except NoSavepointDirectory as error:
        raise PermanentError(error.happened, now=error.now, remedy="Give --directory") from None
    except StateUnavailable as error:
        raise StateUnavailable(
            error.happened,
            now=error.now,
            remedy="`flink-jobs jobs exceptions` shows what keeps its tasks from running; "
            "`flink-jobs jobs cancel` ends it without a savepoint",
        ) from None
    except DeadlineExceeded as error:
        raise DeadlineExceeded(
            error.happened, now=error.now, remedy="Run again to wait for it"
        ) from None
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
    return Reconciler(plane, target.loopback, lambda line: say(line, error=True))
