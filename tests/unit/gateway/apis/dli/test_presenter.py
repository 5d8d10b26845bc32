"""Every status that a job can have, in the service's words, whatever its last action is."""

from __future__ import annotations

import pytest

from flink_jobs_provider.gateway.apis.dli.presenter import dli_status, runs, standings_of
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.wire.dli import DliStatus

EVERY = ["DRAFT", "", "JOB_LAUNCH_FAILED", *JobStatus]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("DRAFT", "job_init"),
        ("", "job_submitting"),
        ("JOB_LAUNCH_FAILED", "job_submit_fail"),
        ("STARTING", "job_submitting"),
        ("RUNNING", "job_running"),
        ("RESTARTING", "job_running"),
        ("STOPPED", "job_cancel_success"),
        ("CANCELED", "job_cancel_success"),
        ("FINISHED", "job_finish"),
        ("FAILED", "job_running_exception"),
        ("LOST", "job_running_exception"),
    ],
)
def test_what_a_job_does_when_nothing_is_in_progress(status: str, word: str) -> None:
    assert dli_status(status, Action.LIST_SAVEPOINT, ActionResult.SUCCESS) == word


@pytest.mark.parametrize("status", EVERY)
@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("NEW", "job_submitting"),
        ("START", "job_submitting"),
        ("UPDATE", "job_submitting"),
        ("STATELESS_UPDATE", "job_submitting"),
        ("LAST_STATE_UPDATE", "job_submitting"),
        ("RE_LAUNCH", "job_submitting"),
        ("STOP", "job_canceling"),
        ("CANCEL", "job_canceling"),
        ("DELETE", "job_canceling"),
        ("SAVEPOINT", "job_savepointing"),
    ],
)
def test_what_is_in_progress_comes_first(status: str, action: str, word: str) -> None:
    assert dli_status(status, Action(action), ActionResult.IN_PROGRESS) == word


@pytest.mark.parametrize("status", EVERY)
def test_who_waits_for_a_start_or_a_stop_that_failed_is_told(status: str) -> None:
    stop = dli_status(status, Action.STOP, ActionResult.FAILED)
    start = dli_status(status, Action.RE_LAUNCH, ActionResult.FAILED)
    assert (stop == "job_cancel_fail") == runs(status)
    assert (start == "job_submit_fail") == (not runs(status))


def test_each_standing_is_of_one_status() -> None:
    """Shows that a filter by status finds each job under the status that it is shown with."""
    for status in EVERY:
        for action in Action:
            for result in ActionResult:
                shown = dli_status(status, action, result)
                standing = (str(status), action.value, result.value)
                assert [one for one in DliStatus if standing in standings_of(one)] == [shown]
