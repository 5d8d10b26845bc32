"""The service's words for what a job does."""

from __future__ import annotations

from functools import lru_cache

from flink_jobs_provider.gateway.service import ActionRow
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
