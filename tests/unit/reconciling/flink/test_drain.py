"""Stops that drain: timers and windows fire before the savepoint."""

from __future__ import annotations

from flink_jobs_provider.control_planes.protocol import Purpose, SavepointRequest
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version


def drained(stack: Stack) -> dict[str, bool]:
    """Return by purpose and submission which stops drained the job, in their order."""
    requests: list[SavepointRequest] = stack.flink.savepoint_requests
    return {f"{each.purpose}-{each.job_id}": each.drain for each in requests if each.stops}


def test_a_stop_drains_and_its_start_says_so() -> None:
    stack = running("savepoint")
    job = stack.flink.the_job()
    stack.up(version("Old", "savepoint", drain=True, desired_state="stopped"))
    assert drained(stack) == {f"stop-{job.job_id}": True}
    assert (
        "orders: stopping with a savepoint, after all timers and windows have fired" in stack.said
    )
    again = version("Old", "savepoint", drain=True)
    assert ", stopped with drain: timers and windows have fired before their time" in (
        stack.plan(again).line()
    )
    stack.up(again)
    assert stack.flink.the_job().restored_from == job.savepoint


def test_an_update_does_not_drain() -> None:
    """Shows that the windows of a job that goes on are left to it."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    stack.up(version("New", "savepoint", drain=True))
    assert drained(stack) == {f"stop-{job.job_id}": False}


def test_a_stop_without_it_says_nothing_of_it() -> None:
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", desired_state="stopped"))
    assert set(drained(stack).values()) == {False}
    assert "drain" not in stack.plan(version("Old", "savepoint")).line()


def test_a_deletion_with_a_savepoint_drains() -> None:
    stack = running("savepoint")
    job = stack.flink.the_job()
    stack.up(version("Old", "savepoint", drain=True, on_delete="savepoint"))
    stack.destroy()
    assert drained(stack) == {f"{Purpose.DELETE}-{job.job_id}": True}


def test_of_two_copies_the_newer_one_drains_alone() -> None:
    """Shows that no window fires twice."""
    stack = running("savepoint")
    older = stack.flink.the_job()
    submission = stack.flink.submissions[-1]
    newer = f"{older.job_id[:18]}{2:06x}{older.job_id[24:]}"
    stack.flink.submit_by_hand(type(submission)(newer, submission.spec, submission.jar, None))
    stack.flink.pass_time(5)
    stack.up(version("Old", "savepoint", drain=True, desired_state="stopped"))
    assert drained(stack) == {f"stop-{older.job_id}": False, f"stop-{newer}": True}
