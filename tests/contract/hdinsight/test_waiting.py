"""Waiting: for rows that lag behind, words that nobody knows, and actions of somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ActionInProgress,
    ClusterUnreachable,
    DeadlineExceeded,
    PermanentError,
)
from tests.contract.hdinsight.fake_arm import (
    CLUSTER,
    ENDPOINT,
    OPERATIONS,
    FakeArm,
    Killed,
)
from tests.contract.hdinsight.stack import Stack, spec
from tests.contract.hdinsight.test_lifecycle import running

TIMES: dict[str, Any] = {
    "timeouts": {"submit": "1m", "running": "1m", "savepoint": "1m", "cancel": "1m"}
}


def lists(request: httpx.Request) -> bool:
    """Whether a request asks for the list of jobs."""
    return request.url.path == f"{CLUSTER}/jobs"


def later(arm: FakeArm, seconds: float, change: Callable[[], object]) -> None:
    """Change something as time passes, at the first request after that."""
    due, former = arm.time.now() + seconds, arm.unlike
    left = [change]

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if left and arm.time.now() >= due:
            left.pop()()
        return former(request)

    arm.unlike = unlike


def test_a_row_that_is_missing_just_after_new_is_not_gone() -> None:
    stack = Stack(appears=40.0)
    assert stack.up(spec()).status is JobStatus.RUNNING
    assert stack.arm.actions() == ["NEW"]


def test_a_row_that_a_dead_run_has_ordered_and_that_appears_late() -> None:
    """Shows that the list is looked at twice before NEW: it may lag behind."""
    stack = Stack(appears=10.0)
    stack.arm.kill = (3, "before")
    with pytest.raises(Killed):
        stack.up(spec())
    assert stack.arm.actions() == ["NEW"]
    stack.arm.kill = None
    stack.up(spec())
    assert stack.arm.actions() == ["NEW"]
    assert len(stack.arm.rows) == 1


def test_two_rows_that_appear_at_once_are_named() -> None:
    stack = Stack()
    later(stack.arm, 16, lambda: stack.arm.put(runId="job-of-somebody", status="RUNNING"))
    with pytest.raises(PermanentError, match="2 jobs of this name came up at once") as caught:
        stack.up(spec())
    assert "job-of-somebody" in str(caught.value)


def test_a_row_that_never_appears() -> None:
    stack = Stack(appears=9999.0)
    with pytest.raises(DeadlineExceeded) as caught:
        stack.up(spec(**TIMES))
    assert "NEW has not ended in 120 s: it is not listed." in str(caught.value)
    remedy = "Run again to wait for it, or raise timeouts.submit or timeouts.running."
    assert caught.value.remedy == remedy


def test_a_row_without_result_or_status_is_waited_for() -> None:
    """Shows that RUNNING alone is not done: action, result and status count together."""
    stack = Stack()

    def bare(arm: FakeArm) -> None:
        job = arm.job()
        kept = {name: job[name] for name in ("status", "actionResult")}
        job |= {"status": "RUNNING", "actionResult": None}
        later(arm, 20, lambda: job.update(status="WARMING_UP", actionResult="SUCCESS"))
        later(arm, 40, lambda: job.update(kept))

    later(stack.arm, 16, lambda: bare(stack.arm))
    began = stack.time.now()
    assert stack.up(spec()).status is JobStatus.RUNNING
    assert stack.time.now() - began > 40


def test_a_word_that_nobody_knows_is_told_at_the_deadline() -> None:
    stack = Stack()
    later(stack.arm, 16, lambda: stack.arm.job().update(status="PONDERING"))
    with pytest.raises(DeadlineExceeded) as caught:
        stack.up(spec(**TIMES))
    assert "it shows NEW, SUCCESS, and PONDERING as its status." in str(caught.value)
    assert stack.arm.actions() == ["NEW"]


def test_a_list_that_lags_behind_does_not_end_the_second_savepoint() -> None:
    """Shows that the same action before ours, with its result, is not taken for ours."""
    stack = running()
    stack.up(spec(savepoint_trigger="1"))
    old = httpx.Response(200, json={"value": [stack.arm._shown(stack.arm.rows[0])]})
    stale = old.content
    until = stack.time.now() + 15

    def lag(request: httpx.Request) -> httpx.Response | None:
        if lists(request) and stack.time.now() < until:
            return httpx.Response(200, content=stale)
        return None

    stack.arm.unlike = lag
    record = stack.up(spec(savepoint_trigger="2"))
    assert record.last_savepoint == stack.arm.savepoints[1]
    assert len(record.savepoints) == 2


def test_the_same_failure_twice_is_told_twice() -> None:
    """Shows that a row that looks as before is taken as it is in the end."""
    stack = running()
    for number in ("1", "2"):
        job = stack.arm.job()
        failed = {"action": "SAVEPOINT", "actionResult": "FAILED", "jobOutput": "no space"}
        order = len(stack.arm.orders)

        def unlike(request: httpx.Request, row: dict[str, Any] = job) -> httpx.Response | None:
            if request.url.path.endswith("runJob"):
                row.update(failed)  # noqa: B023 - the same for both
                return httpx.Response(202, json=None)
            return None

        stack.arm.unlike = unlike
        with pytest.raises(ActionFailed, match="SAVEPOINT failed: no space") as caught:
            stack.up(spec(savepoint_trigger=number))
        assert f"Job {job['jobId']} is RUNNING." in str(caught.value)
        assert len(stack.arm.orders) == order


def operation_fails(stack: Stack, message: str) -> None:
    """Have orders accepted, and their operations fail, without a trace in the list."""
    address = f"{ENDPOINT}{OPERATIONS}/9*9?s=signature"

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("runJob"):
            return httpx.Response(202, json=None, headers={"Location": address})
        if request.url.path.startswith(OPERATIONS):
            return httpx.Response(200, json={"status": "Failed", "error": {"message": message}})
        return None

    stack.arm.unlike = unlike


@pytest.mark.parametrize("before", ["NEW", "SAVEPOINT"])
def test_an_operation_that_fails_without_a_trace_in_the_list(before: str) -> None:
    """Shows that it is told at once, and that the same action before ours does not hide it."""
    stack = running()
    if before == "SAVEPOINT":
        stack.up(spec(savepoint_trigger="1"))
    operation_fails(stack, "no leave to write")
    began = stack.time.now()
    with pytest.raises(ActionFailed, match="SAVEPOINT failed: no leave to write") as caught:
        stack.up(spec(savepoint_trigger="2"))
    assert stack.time.now() - began < 60
    assert "is RUNNING." in str(caught.value)


def test_a_new_job_whose_operation_fails_without_a_trace() -> None:
    stack = Stack()
    operation_fails(stack, "no such cluster")
    with pytest.raises(
        ActionFailed, match=r"NEW failed: no such cluster\. The job service does not"
    ):
        stack.up(spec())


def test_a_success_that_shows_nothing_new_is_none() -> None:
    """Shows that a second savepoint without a path of its own is not taken for done."""
    stack = running()
    stack.up(spec(savepoint_trigger="1"))
    swallowed = httpx.Response(202, json=None)
    stack.arm.unlike = lambda r: swallowed if r.url.path.endswith("runJob") else None
    with pytest.raises(DeadlineExceeded, match="SAVEPOINT has not ended in 60 s"):
        stack.up(spec(savepoint_trigger="2", **TIMES))


def test_a_stop_that_failed_by_its_status() -> None:
    """Shows the documented example: STOP-FAILED beside SUCCESS."""
    stack = running()
    later(stack.arm, 1, lambda: stack.arm.job().update(status="STOP-FAILED"))
    with pytest.raises(ActionFailed, match="STOP failed"):
        stack.up(spec(desired_state="stopped"))


def test_an_action_in_progress_is_waited_for_and_judged_anew() -> None:
    stack = running()
    job = stack.arm.job()
    job |= {"action": "SAVEPOINT", "actionResult": "IN_PROGRESS"}
    later(stack.arm, 50, lambda: job.update(actionResult="SUCCESS"))
    began = stack.time.now()
    stack.up(spec("New"))
    assert stack.time.now() - began > 50
    assert stack.arm.actions() == ["NEW", "UPDATE"]
    assert "orders: waiting for SAVEPOINT, which is in progress on it" in stack.said


def test_an_action_in_progress_without_an_end() -> None:
    stack = running()
    stack.arm.job().update(action="UPDATE", actionResult="IN_PROGRESS")
    with pytest.raises(ActionInProgress, match="UPDATE on it has not ended in 240 s"):
        stack.up(spec("New", **TIMES))
    assert stack.arm.actions() == ["NEW"]


def test_somebody_who_is_faster_is_waited_for() -> None:
    """Shows a refusal with 409: nothing is overlapped, and the same order follows afterwards."""
    stack = running()
    job = stack.arm.job()
    taken: list[httpx.Request] = []

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("runJob") and not taken:
            taken.append(request)
            job.update(action="SAVEPOINT", actionResult="IN_PROGRESS")
            later(stack.arm, 10, lambda: job.update(actionResult="SUCCESS"))
            return httpx.Response(409, json={"error": {"code": "ActionInProgress", "message": "n"}})
        return None

    stack.arm.unlike = unlike
    stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "UPDATE"]


def test_a_service_that_is_busy_is_asked_again_when_it_says() -> None:
    stack = running()
    refused: list[float] = []

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("runJob") and len(refused) < 2:
            refused.append(stack.time.now())
            return httpx.Response(429, headers={"Retry-After": "25"}, json={})
        return None

    stack.arm.unlike = unlike
    stack.up(spec("New"))
    assert refused[1] - refused[0] == pytest.approx(25)
    assert stack.arm.actions() == ["NEW", "UPDATE"]


@pytest.mark.parametrize("asked", [{}, {"Retry-After": "0"}, {"Retry-After": "1"}])
def test_a_service_that_is_busy_for_minutes_is_waited_for(asked: dict[str, str]) -> None:
    """Shows it where it names no time, or too short a one: the pauses grow."""
    stack = running()
    until = stack.time.now() + 240

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("runJob") and stack.time.now() < until:
            return httpx.Response(429, headers=asked, json={})
        return None

    stack.arm.unlike = unlike
    stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "UPDATE"]


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("answer", ["timeout", "500"])
def test_an_answer_that_is_lost(carried_out: bool, answer: str) -> None:
    """Shows that the list tells whether the order arrived; it is not sent a second time."""
    stack = running()

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("runJob"):
            return None
        if carried_out:
            stack.arm._answer(request)
        if answer == "timeout":
            raise httpx.ReadTimeout("slow", request=request)
        return httpx.Response(500, json={})

    stack.arm.unlike = unlike
    if carried_out:
        stack.up(spec("New"))
    else:
        with pytest.raises(ClusterUnreachable, match="does not show that it arrived"):
            stack.up(spec("New"))
    assert stack.arm.actions() == (["NEW", "UPDATE"] if carried_out else ["NEW"])
    assert sum(request.method == "POST" for request in stack.arm.requests) == 2


def test_a_service_that_is_away_for_a_while() -> None:
    stack = running()
    began = stack.time.now()

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" and 2 < stack.time.now() - began < 60:
            raise httpx.ConnectError("refused", request=request)
        return None

    stack.arm.takes = 5
    stack.arm.unlike = unlike
    stack.up(spec("New"))
    assert stack.arm.actions() == ["NEW", "UPDATE"]


def test_no_signature_gets_into_a_line() -> None:
    stack = Stack(broken={"New"})
    stack.up(spec())
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New"))
    assert "signature" not in " ".join([*stack.said, str(caught.value), str(stack.record)])
