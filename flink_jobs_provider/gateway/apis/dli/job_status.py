"""Which action a call asks for, by what the job does."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flink_jobs_provider.gateway.apis.dli.call_words import output_in_call_words
from flink_jobs_provider.gateway.job_service import ActionRow, JobRow
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.wire.dli import DliStatus
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

_ENDS = {Action.STOP, Action.CANCEL, Action.DELETE}
_SETTLED = {
    "DRAFT": DliStatus.INIT,
    "": DliStatus.SUBMITTING,
    LAUNCH_FAILED: DliStatus.SUBMIT_FAIL,
    JobStatus.STARTING: DliStatus.SUBMITTING,
    JobStatus.RUNNING: DliStatus.RUNNING,
    JobStatus.RESTARTING: DliStatus.RUNNING,
    JobStatus.STOPPED: DliStatus.CANCEL_SUCCESS,
    JobStatus.CANCELED: DliStatus.CANCEL_SUCCESS,
    JobStatus.FINISHED: DliStatus.FINISH,
    JobStatus.FAILED: DliStatus.RUNNING_EXCEPTION,
    JobStatus.LOST: DliStatus.RUNNING_EXCEPTION,
}
_RUNS = {JobStatus.STARTING, JobStatus.RUNNING, JobStatus.RESTARTING}


def runs(status: str) -> bool:
    """Whether the cluster works on a job of that status, in the gateway's words."""
    return status in _RUNS


def dli_status(status: str, last: ActionRow) -> DliStatus:
    """Return what a job does.

    Args:
        status: Its status, in the gateway's words.
        last: Its last action.
    """
    return _status(status, last.action, last.result)


@lru_cache
def standings_of(wanted: DliStatus) -> frozenset[tuple[str, str, str]]:
    """Return with which statuses, last actions and results of these a job has that status."""
    return frozenset(
        (str(status), action.value, result.value)
        for status in (*_SETTLED, *JobStatus)
        for action in Action
        for result in ActionResult
        if _status(status, action, result) is wanted
    )


def _status(status: str, action: Action, result: ActionResult) -> DliStatus:
    if result is ActionResult.IN_PROGRESS:
        if action in _ENDS:
            return DliStatus.CANCELING
        if action is Action.SAVEPOINT:
            return DliStatus.SAVEPOINTING
        if action in STARTS:
            return DliStatus.SUBMITTING
    if result is ActionResult.FAILED:
        # Whoever waits for the end of a stop or a start must not wait for ever.
        if action in _ENDS and runs(status):
            return DliStatus.CANCEL_FAIL
        if action in STARTS and not runs(status):
            return DliStatus.SUBMIT_FAIL
    return _SETTLED.get(status, DliStatus.SUBMITTING)


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
