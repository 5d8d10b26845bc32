"""What a job service calls running is looked at for the settle time."""

from __future__ import annotations

import httpx
import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from tests.contract.hdinsight.stack import Stack, spec


@pytest.mark.parametrize("status", ["FAILED", "RESTARTING"])
def test_an_update_that_does_not_stay_up_gives_way_to_the_former_version(status: str) -> None:
    """Shows the way back from a version that fails after it ran; one that restarts is cancelled."""
    stack = Stack(late={"Late": status})
    stack.up(spec(settle_time="10s"))
    with pytest.raises(ActionFailed, match="it did not stay up for 10 s") as caught:
        stack.up(spec("Late", settle_time="10s"))
    assert "The previous version runs again" in caught.value.now
    assert (stack.arm.job()["entryClass"], stack.arm.job()["status"]) == ("Old", "RUNNING")
    assert stack.arm.launches[-1].restored_from == stack.arm.savepoints[0]
    assert ("CANCEL" in stack.arm.actions()) == (status == "RESTARTING")


def test_a_first_version_that_does_not_stay_up_is_not_recorded() -> None:
    stack = Stack(late={"Late": "FAILED"})
    with pytest.raises(ActionFailed, match="it did not stay up for 10 s"):
        stack.up(spec("Late", settle_time="10s"))
    assert stack.record is None


def test_an_adopted_version_must_stay_up_too() -> None:
    """Shows a version that a run started which died before it was recorded."""
    stack = Stack(late={"Late": "FAILED"})
    stack.up(spec("Late", settle_time="0s"))
    stack.record = None
    with pytest.raises(ActionFailed, match="orders: it did not stay up for 10 s: it shows NEW"):
        stack.up(spec("Late", settle_time="10s"))


def test_a_version_that_stays_up_takes_its_settle_time() -> None:
    stack = Stack()
    began = stack.time.now()
    assert stack.up(spec(settle_time="10s")).status is JobStatus.RUNNING
    took = stack.time.now() - began
    stack.up(spec("New", settle_time="0s"))
    assert stack.time.now() - began - took < took - 9


def stop_when_up(stack: Stack, after: float) -> None:
    """Have somebody stop the new version with a savepoint, some seconds after it came up."""
    due: list[float] = []

    def unlike(_request: httpx.Request) -> None:
        job = stack.arm.rows[0].properties
        if (job["entryClass"], job["status"], len(due)) == ("New", "RUNNING", 0):
            due.append(stack.time.now() + after)
        if due and stack.time.now() >= due[0] and job["action"] == "UPDATE":
            path = stack.arm._savepoint(job)
            job.update(action="STOP", status="STOPPED", lastSavePoint=path)

    stack.arm.unlike = unlike


def test_a_version_that_others_stop_when_it_is_up_is_not_taken_back() -> None:
    """Shows that what it has done since counts, and not the savepoint of the version before it."""
    stack = Stack()
    stack.up(spec())
    stop_when_up(stack, 5)
    stack.up(spec("New", settle_time="30s"))
    assert stack.arm.actions() == ["NEW", "UPDATE"]
    assert "orders: it came up, and somebody else has stopped or cancelled it since" in stack.said
    stack.refresh()
    record = stack.up(spec("New", settle_time="30s"))
    assert record.restored_from == stack.arm.launches[-1].restored_from == stack.arm.savepoints[1]


def test_a_version_that_others_stop_before_it_is_seen_is_started_from_its_own_state() -> None:
    """Shows an action that another one has overtaken: it is not waited for to the end."""
    stack = Stack()
    stack.up(spec())
    stop_when_up(stack, 0)
    began = stack.time.now()
    record = stack.up(spec("New"))
    assert stack.time.now() - began < 120
    assert stack.arm.actions() == ["NEW", "UPDATE", "START"]
    assert record.restored_from == stack.arm.launches[-1].restored_from == stack.arm.savepoints[1]
