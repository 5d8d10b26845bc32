"""Flink's id of what was started shows late, or never: no other start, and none that never was."""

from __future__ import annotations

import json

import httpx
import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import StateUnavailable
from tests.contract.hdinsight.stack import Stack, spec
from tests.contract.hdinsight.test_lifecycle import running
from tests.contract.hdinsight.test_waiting import lists

_NEVER = float("inf")


def show_late(stack: Stack, seconds: float) -> None:
    """Have the list show the id of a new start some seconds after the action has ended."""
    arm = stack.arm
    shown = arm.rows[0].properties.get("jobId") if arm.rows else None

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not lists(request) or not arm.rows or stack.time.now() >= arm.rows[0].due + seconds:
            return None
        body = json.loads(arm._answer(request).content)
        for row in body["value"]:
            row["properties"] |= {"jobId": shown}
            if shown is None:
                del row["properties"]["jobId"]
        return httpx.Response(200, json=body)

    arm.unlike = unlike


@pytest.mark.parametrize("settle", ["0s", "20s"])
@pytest.mark.parametrize("begun", ["create", "update"])
def test_an_id_that_shows_late_is_no_restart(begun: str, settle: str) -> None:
    """Shows that what came up is not cancelled for it, and that the id is recorded."""
    stack = Stack() if begun == "create" else running()
    show_late(stack, 10)
    record = stack.up(spec("New", settle_time=settle))
    assert stack.arm.actions()[-1] == ("NEW" if begun == "create" else "UPDATE")
    assert record.job_id == stack.arm.job()["jobId"]


def test_a_job_whose_id_is_never_shown_does_not_look_new() -> None:
    """Shows that a refresh finds it lost, and that it does not start again from nothing."""
    stack = Stack()
    show_late(stack, _NEVER)
    wanted = spec(settle_time="20s")
    record = stack.up(wanted)
    assert record.job_id == record.run_id
    assert not stack.plan(wanted).needed
    path = stack.up(spec(savepoint_trigger="1", settle_time="20s")).last_savepoint
    stack.arm.rows.clear()
    assert stack.refresh().status is JobStatus.LOST
    record = stack.up(spec(savepoint_trigger="1", settle_time="20s"))
    assert stack.arm.launches[-1].restored_from == record.restored_from == path
    stack = Stack()
    show_late(stack, _NEVER)
    stack.up(wanted)
    stack.arm.rows.clear()
    with pytest.raises(
        StateUnavailable, match="no savepoint or retained checkpoint of it is known"
    ):
        stack.bring_about(wanted)


def test_an_id_that_shows_after_all_is_no_other_start() -> None:
    stack = Stack()
    show_late(stack, _NEVER)
    stack.up(spec())
    stack.arm.unlike = lambda _request: None
    record = stack.refresh()
    assert (record.job_id, record.generation) == (stack.arm.job()["jobId"], 1)
    assert not stack.plan(spec()).needed


def test_a_stopped_job_whose_id_was_never_shown_does_not_look_new() -> None:
    """Shows the stop of a job that a dead run has created, before its row is lost."""
    stack = Stack()
    show_late(stack, _NEVER)
    stack.up(spec())
    stack.record = None
    path = stack.up(spec(desired_state="stopped")).last_savepoint
    assert path is not None
    stack.arm.rows.clear()
    assert stack.up(spec()).restored_from == stack.arm.launches[-1].restored_from == path
