"""Rows that others made, changed or deleted meanwhile, that run twice, or that a list omits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterRefused,
    JobError,
    JobVanished,
    OwnedElsewhere,
    PermanentError,
)
from tests.contract.hdinsight.fake_arm import FakeArm
from tests.contract.hdinsight.stack import Stack, spec
from tests.contract.hdinsight.test_lifecycle import running, stopped
from tests.contract.hdinsight.test_waiting import lists

ASKED = {"savepoint_trigger": "1"}


def orders(request: httpx.Request, action: str = "") -> bool:
    """Whether a request orders an action, or one of that name."""
    if not request.url.path.endswith("/runJob"):
        return False
    return not action or json.loads(request.content)["properties"]["action"] == action


def once(arm: FakeArm, is_it: Callable[[httpx.Request], bool], change: Callable[[], Any]) -> None:
    """Change something at the first such request; a response is the answer to it."""
    left = [change]

    def unlike(request: httpx.Request) -> httpx.Response | None:
        answer = left.pop()() if left and is_it(request) else None
        return answer if isinstance(answer, httpx.Response) else None

    arm.unlike = unlike


def nothing() -> httpx.Response:
    """Return a list without jobs."""
    return httpx.Response(200, json={"value": []})


# Somebody else's job in the place of ours


def replaced(stack: Stack, **properties: Any) -> None:
    """Have somebody delete the job, and create one that looks the same."""
    row = stack.arm.rows.pop()
    former = ("runId", "jobId", "lastSavePoint", "jobOutput", "savePointName")
    kept = {name: value for name, value in row.properties.items() if name not in former}
    stack.arm.put(**kept | {"action": "NEW", "jobId": "f" * 32, **properties})


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_a_job_that_was_created_anew_without_our_state_is_not_ours(
    known: bool, refreshed: bool
) -> None:
    """Shows that it is not adopted, and that no savepoint is reported which it did not start from.

    The service shows no marks, so that the job looks as one that a dead run of ours has created.
    """
    stack, wanted = running(keeps_unknown_keys=False), spec(**(ASKED if known else {}))
    stack.up(wanted)
    replaced(stack)
    if refreshed:
        stack.refresh()
    before = stack.recorded
    with pytest.raises(OwnedElsewhere, match="not started by this stack"):
        stack.bring_about(wanted)
    assert stack.record is before


def test_a_job_that_was_created_anew_from_our_state_is_adopted() -> None:
    stack = running(keeps_unknown_keys=False)
    path = stack.up(spec(**ASKED)).last_savepoint
    replaced(stack, savePointName=path)
    record = stack.bring_about(spec(**ASKED))
    assert record.restored_from == path
    assert record.job_id == "f" * 32


# Copies


def copied(stack: Stack) -> str:
    """Have the job run twice, as an answer that was lost may have it; return the copy's id."""
    row = {**stack.arm.job(), "jobId": "e" * 32}
    del row["runId"]
    return str(stack.arm.put(**row)["runId"])


def test_a_job_that_runs_twice_is_reported_and_not_changed() -> None:
    stack = running()
    copy = copied(stack)
    record = stack.refresh()
    assert record.duplicates == ["e" * 32]
    plan = stack.plan(spec())
    assert plan.line() == (
        "orders: no restart, refused while more than one of them runs: 2 copies run at once"
    )
    for wanted in (spec(), spec("New"), spec(desired_state="stopped")):
        with pytest.raises(PermanentError, match="2 jobs of this name and stack run at once") as e:
            stack.up(wanted)
        assert copy in str(e.value)
    assert stack.arm.actions() == ["NEW"]
    stack.arm.rows.pop()
    assert stack.up(spec()).duplicates == []
    assert not stack.plan(spec()).needed


def test_a_job_that_runs_twice_is_deleted_twice() -> None:
    stack = running()
    copied(stack)
    stack.destroy()
    assert stack.arm.rows == []


@pytest.mark.parametrize("status", ["STOPPED", "JOB_LAUNCH_FAILED"])
def test_a_second_row_that_does_not_run_is_no_copy(status: str) -> None:
    stack = running()
    copied(stack)
    stack.arm.rows[-1].properties["status"] = status
    assert stack.refresh().duplicates == []
    stack.up(spec("New"))
    assert stack.arm.launches[-1].entry_class == "New"


# Between the list and the order


def test_a_job_that_was_deleted_meanwhile_is_not_reported_as_it_was() -> None:
    stack = running()
    path = stack.up(spec(**ASKED)).last_savepoint
    once(stack.arm, orders, stack.arm.rows.clear)
    with pytest.raises(ActionFailed, match="UPDATE was refused") as caught:
        stack.up(spec("New", **ASKED))
    assert caught.value.now == (
        "The job service lists no job of this name; the last savepoint of it that is known is "
        f"{path}."
    )


def gone_when_ordered(stack: Stack, action: str) -> None:
    """Have the job go when an action on it was accepted."""

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not orders(request, action):
            return None
        answer = stack.arm._answer(request)
        stack.arm.rows.pop().ends = None
        return answer

    stack.arm.unlike = unlike


def test_a_job_that_goes_while_an_action_on_it_is_waited_for_is_not_waited_for_long() -> None:
    stack = running()
    gone_when_ordered(stack, "UPDATE")
    began = stack.time.now()
    with pytest.raises(JobVanished) as caught:
        stack.up(spec("New"))
    assert caught.value.happened == (
        "orders: UPDATE was accepted, and the job service no longer lists the job."
    )
    assert 60 <= stack.time.now() - began < 120


def test_a_job_that_goes_while_it_is_ended_is_deleted() -> None:
    stack = running()
    gone_when_ordered(stack, "CANCEL")
    assert stack.destroy() is None


def test_a_job_that_failed_while_it_is_ended_is_deleted() -> None:
    """Shows that a refused cancel is not reported with the status of before."""
    stack = running()
    once(stack.arm, orders, lambda: stack.arm.job().update(status="FAILED"))
    stack.destroy()
    assert stack.arm.actions() == ["NEW", "DELETE"]


def test_a_job_that_failed_meanwhile_is_judged_again() -> None:
    stack = running()
    path = stack.up(spec(**ASKED)).last_savepoint
    once(stack.arm, orders, lambda: stack.arm.job().update(status="FAILED"))
    record = stack.up(spec("New", **ASKED))
    assert stack.arm.actions()[-1] == "RE_LAUNCH"
    assert record.restored_from == stack.arm.launches[-1].restored_from == path


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_cancel_that_is_refused_is_not_the_failure_of_what_was_started(state: str) -> None:
    """Shows an update and a start that do not stay up, and go on."""
    stack = Stack(late={"Late": "RESTARTING"}, start_takes_spec=True)
    stack.up(spec(settle_time="10s"))
    stack.up(spec(settle_time="10s", desired_state=state))
    stack.arm.unlike = lambda request: (
        httpx.Response(409, json={"error": {"code": "JobStatusConflict", "message": "not now"}})
        if orders(request, "CANCEL")
        else None
    )
    with pytest.raises(ActionFailed, match="it did not stay up for 10 s") as caught:
        stack.up(spec("Late", settle_time="10s"))
    job = stack.arm.job()
    assert "it could not be cancelled: " in caught.value.happened
    assert caught.value.now == f"Job {job['jobId']} is RESTARTING."
    assert "DELETE" not in stack.arm.actions()


# Lists that leave a job out


def test_one_list_without_the_job_is_no_proof_that_it_is_gone() -> None:
    """Shows a deletion and a stop: the job is ended, and not only reported so."""
    stack = running()
    once(stack.arm, lists, nothing)
    stack.destroy()
    assert stack.arm.actions() == ["NEW", "CANCEL", "DELETE"]
    stack = running()
    once(stack.arm, lists, nothing)
    record = stack.up(spec(desired_state="stopped"))
    assert stack.arm.actions() == ["NEW", "STOP"]
    assert record.last_savepoint == stack.arm.savepoints[0]


@pytest.mark.parametrize(
    ("gone", "how"), [(True, "is no longer listed"), (False, "is FAILED")], ids=["gone", "failed"]
)
def test_a_stop_of_what_had_ended_is_not_reported_as_a_stop(gone: bool, how: str) -> None:
    """Shows that the output does not pass an older savepoint off as that of the stop."""
    stack = running()
    path = stack.up(spec(**ASKED)).last_savepoint
    stack.arm.rows.clear() if gone else stack.arm.job().update(status="FAILED")
    record = stack.up(spec(**ASKED, desired_state="stopped"))
    assert record.job_output == (
        f"Nothing was left to stop: job {record.job_id} {how}; the last savepoint of it that is "
        f"known is {path}"
    )
    assert f"orders: {record.job_output}" in stack.said


# Errors in the middle


@pytest.mark.parametrize("settles", [False, True])
def test_credentials_that_end_in_the_middle_say_how_the_job_stands(settles: bool) -> None:
    stack = running()
    shown_up: list[bool] = []

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not lists(request) or len(stack.arm.orders) < 2:
            return None
        if shown_up or not settles:
            return httpx.Response(401, json={"error": {"code": "Expired", "message": "expired"}})
        shown_up.extend([True] * (stack.arm.rows[0].ends is None))
        return None

    stack.arm.unlike = unlike
    with pytest.raises(ClusterRefused, match="refused the credentials") as caught:
        stack.up(spec("New", settle_time="10s" if settles else "0s"))
    job = stack.arm.job()["jobId"]
    assert caught.value.now == (
        f"Job {job} came up; whether it has stayed up is unknown."
        if settles
        else "UPDATE was accepted, and may go on, on the cluster; nothing else was begun."
    )


@pytest.mark.parametrize("longest", [True, False])
def test_a_service_that_takes_nothing_after_a_deletion_says_where_the_state_is(
    longest: bool,
) -> None:
    stack = stopped()
    headers = {"Retry-After": "99999"} if longest else {}
    stack.arm.unlike = lambda request: (
        httpx.Response(429, json={}, headers=headers) if orders(request, "NEW") else None
    )
    said = "takes no more now" if longest else "gave up after 10 actions"
    with pytest.raises(JobError, match=said) as caught:
        stack.up(spec("New"))
    assert stack.arm.actions()[-1] == "DELETE"
    assert (
        "Its row was deleted, to be created anew, and none is known to run; the last savepoint of "
        f"it that is known is {stack.arm.savepoints[-1]}."
    ) in str(caught.value)
    stack.arm.unlike = lambda _request: None
    stack.up(spec("New"))
    assert stack.arm.launches[-1].restored_from == stack.arm.savepoints[-1]


def test_a_stop_that_failed_is_not_the_failure_of_what_comes_after_it() -> None:
    """Shows a status of a failed stop that stays, or is shown for a while: the job runs on."""
    stack = running()
    stack.arm._refusal = lambda *_asked: None  # type: ignore[method-assign]
    stack.arm.job()["status"] = "STOP-FAILED"
    record = stack.up(spec(**ASKED))
    assert record.last_savepoint == stack.arm.savepoints[0]

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not lists(request) or stack.time.now() > stack.arm.rows[0].due + 5:
            return None
        body = json.loads(stack.arm._answer(request).content)
        for row in body["value"]:
            row["properties"]["status"] = "STOP-FAILED"
        return httpx.Response(200, json=body)

    stack.arm.unlike = unlike
    record = stack.up(spec("New", **ASKED))
    assert record.restored_from == stack.arm.savepoints[1]
