"""Actions that report success before, or without, the savepoint that they should have taken.

No older savepoint is taken for it: not recorded, not reported, and not started from.
"""

from __future__ import annotations

import json

import httpx
import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from tests.contract.hdinsight.stack import DIRECTORY, Stack, spec
from tests.contract.hdinsight.test_lifecycle import running
from tests.contract.hdinsight.test_waiting import later, lists

_LATE, _NEVER = 10.0, float("inf")
ASKED = {"savepoint_trigger": "1", "on_delete": "savepoint"}


def with_savepoint(seconds: float) -> Stack:
    """Return a stack whose job runs and has a savepoint; later ones show after some seconds."""
    stack = running()
    stack.up(spec(**ASKED))
    show_late(stack, seconds)
    return stack


def show_late(stack: Stack, seconds: float) -> None:
    """Have the list show a savepoint some seconds after the action that took it has ended."""
    arm, old = stack.arm, stack.arm.job().get("lastSavePoint")

    def unlike(request: httpx.Request) -> httpx.Response | None:
        if not lists(request) or not arm.rows or stack.time.now() >= arm.rows[0].due + seconds:
            return None
        body = json.loads(arm._answer(request).content)
        for row in body["value"]:
            row["properties"]["lastSavePoint"] = old
            row["properties"]["jobOutput"] = "done"
        return httpx.Response(200, json=body)

    arm.unlike = unlike


def test_a_savepoint_that_shows_late_is_waited_for() -> None:
    """Shows it for a stop, an update and a deletion: what they record is what they took."""
    stack = with_savepoint(_LATE)
    record = stack.up(spec(**ASKED, desired_state="stopped"))
    assert record.last_savepoint == stack.arm.savepoints[1]
    stack = with_savepoint(_LATE)
    record = stack.up(spec("New", **ASKED))
    assert record.restored_from == record.last_savepoint == stack.arm.savepoints[1]
    stack = with_savepoint(_LATE)
    assert stack.destroy() == stack.arm.savepoints[1]


def test_a_stop_without_a_savepoint_is_a_failure() -> None:
    stack = with_savepoint(_NEVER)
    before = stack.recorded
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec(**ASKED, desired_state="stopped"))
    assert str(caught.value) == (
        "orders: STOP failed: it was reported as successful, and the job service shows no "
        f"savepoint of it. Job {before.job_id} is STOPPED; the last savepoint of it that is known "
        f"is {stack.arm.savepoints[0]}. See in the job's storage whether there is a newer one: its "
        "path is what restore_from takes."
    )
    assert stack.record is before


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("entry_class", ["Old", "New"])
def test_a_stopped_job_is_not_set_back_to_before_its_stop(
    entry_class: str, refreshed: bool
) -> None:
    """Shows that its row is not deleted: the service alone may know the savepoint of the stop."""
    stack = with_savepoint(_NEVER)
    with pytest.raises(ActionFailed):
        stack.up(spec(**ASKED, desired_state="stopped"))
    if refreshed:
        stack.refresh()
        assert stack.recorded.status is JobStatus.STOPPED
    orders = len(stack.arm.orders)
    record = stack.bring_about(spec(entry_class, **ASKED))
    order = next(each for each in stack.arm.orders[orders:] if each["action"] == "START")
    assert "savePointName" not in order
    assert "DELETE" not in stack.arm.actions()
    assert stack.arm.launches[1].restored_from == stack.arm.savepoints[1]
    assert record.restored_from is None, "it is not shown what it started from"


def test_a_start_from_a_stop_that_a_dead_run_did_not_see_names_no_older_savepoint() -> None:
    """Shows a job that was started from its last stop's savepoint, and stopped by others since."""
    stack = running()
    stack.up(spec(desired_state="stopped"))
    stack.up(spec())
    show_late(stack, _NEVER)
    stack.arm.job().update(action="STOP", status="STOPPED")
    stack.bring_about(spec("New"))
    assert "DELETE" not in stack.arm.actions()


def test_an_update_without_a_savepoint_claims_none_to_have_started_from() -> None:
    stack = with_savepoint(_NEVER)
    record = stack.up(spec("New", **ASKED))
    assert record.restored_from is None
    assert record.last_savepoint == stack.arm.savepoints[0], "the last one that is known"
    assert not stack.plan(spec("New", **ASKED)).needed


def test_an_adopted_update_without_a_savepoint_claims_none_either() -> None:
    """Shows it where the run that began the update died before it could record it."""
    stack = with_savepoint(_NEVER)
    before = stack.recorded
    stack.up(spec("New", **ASKED))
    stack.record = before
    record = stack.up(spec("New", **ASKED))
    assert record.restored_from is None
    assert stack.arm.actions().count("UPDATE") == 1


def test_a_savepoint_without_a_path_is_a_failure() -> None:
    stack = running()
    show_late(stack, _NEVER)
    with pytest.raises(ActionFailed, match="SAVEPOINT failed: it was reported as successful, and"):
        stack.up(spec(savepoint_trigger="1"))


def test_a_deletion_without_the_savepoint_that_it_should_take() -> None:
    """Shows that the job is not deleted for it, and what the next run reports."""
    stack = with_savepoint(_NEVER)
    with pytest.raises(ActionFailed) as caught:
        stack.destroy()
    assert caught.value.now == "The job is STOPPED; it was not deleted."
    assert "its path is what restore_from takes. Run again: it is deleted then." in str(
        caught.value
    )
    assert stack.destroy() is None, "no older savepoint is reported as that of the deletion"
    assert stack.arm.rows == []


def test_a_stop_by_somebody_else_before_a_deletion_counts() -> None:
    stack = running()
    stack.up(spec(on_delete="savepoint"))
    path = f"{DIRECTORY}/savepoint-by-hand"
    stack.arm.job().update(action="STOP", status="STOPPED", lastSavePoint=path)
    assert stack.destroy() == path


@pytest.mark.parametrize("then", ["stop", "delete"])
def test_a_stop_of_a_dead_run_whose_savepoint_shows_late_is_found(then: str) -> None:
    stack = running()
    stack.up(spec(**ASKED))
    job = stack.arm.job()
    old = dict(job)
    path = stack.arm._savepoint(job)
    job.update(action="STOP", status="STOPPED")
    new = job["lastSavePoint"]
    job["lastSavePoint"] = old["lastSavePoint"]
    later(stack.arm, 10, lambda: job.update(lastSavePoint=new))
    if then == "delete":
        assert stack.destroy() == path
        return
    record = stack.up(spec(**ASKED, desired_state="stopped"))
    assert record.last_savepoint == path
    assert stack.arm.actions().count("STOP") == 0


@pytest.mark.parametrize("on_delete", ["savepoint", "cancel"])
def test_a_deletion_of_a_job_that_does_not_run_names_its_last_savepoint(on_delete: str) -> None:
    """Shows that one which only the service knows is named, since the row goes."""
    stack = running()
    stack.up(spec(on_delete=on_delete))
    path = f"{DIRECTORY}/savepoint-by-hand"
    stack.arm.job().update(status="FAILED", lastSavePoint=path)
    assert stack.destroy() is None
    assert (
        "orders: it does not run (FAILED), so that it is deleted without a savepoint of its own; "
        f"the last one that is known is {path}"
    ) in stack.said
