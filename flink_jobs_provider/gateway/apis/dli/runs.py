"""Which action a call asks for, by what the job does."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.gateway.apis.dli.call_words import output_in_call_words
from flink_jobs_provider.gateway.apis.dli.statuses import dli_status, runs
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.service import JobRow
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus


def to_run(row: JobRow, resume: bool) -> tuple[Action, dict[str, Any]]:
    """Return the action that starts a job, and its changes.

    Args:
        row: The job.
        resume: Whether it goes on from its newest state, or from the savepoint that was imported.

    Raises:
        Refusal: It runs, or there is nothing to go on from.
    """
    _refuse_in_progress(row)
    if runs(row.status):
        raise _not_possible(row, "cannot be run: it runs already")
    if row.status == "DRAFT":
        return Action.NEW, {} if resume else {"restore_from": None}
    if not resume:
        return Action.STATELESS_UPDATE, {}
    if row.status == JobStatus.STOPPED:
        return Action.START, {}
    if row.status == JobStatus.FINISHED and row.next_restore is None:
        raise _not_possible(
            row,
            "came to its own end, and has no state to go on with: run it with resume_savepoint "
            "false, or import a savepoint first",
        )
    return Action.RE_LAUNCH, {}


def to_stop(row: JobRow, with_savepoint: bool) -> Action:
    """Return the action that stops a job.

    Raises:
        Refusal: It does not run.
    """
    _refuse_in_progress(row)
    # One that its cluster lost can be stopped without a savepoint: it is not started again then.
    lost = row.status == JobStatus.LOST and not with_savepoint
    if not (runs(row.status) or lost):
        raise _not_possible(row, "cannot be stopped: it does not run")
    return Action.STOP if with_savepoint else Action.CANCEL


def to_trigger(row: JobRow) -> Action:
    """Return the action that takes a savepoint.

    Raises:
        Refusal: The job does not run.
    """
    _refuse_in_progress(row)
    if not runs(row.status):
        raise _not_possible(row, "has no savepoint taken: it does not run")
    return Action.SAVEPOINT


def _refuse_in_progress(row: JobRow) -> None:
    if row.last.result is ActionResult.IN_PROGRESS:
        waits = f" ({output_in_call_words(row.last.output).rstrip('.')})" if row.last.output else ""
        raise _not_possible(
            row, f"is {dli_status(row.status, row.last)}{waits}: ask again when that has ended"
        )


def _not_possible(row: JobRow, why: str) -> Refusal:
    state = dli_status(row.status, row.last)
    message = f"Job {row.number} ({row.job_name}) {why}. It is {state}; nothing was begun."
    return Refusal("JobStatusConflict", message)
