"""What the service calls running is looked at for the settle time."""

from __future__ import annotations

import httpx
import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.savepoint import same_path
from tests.contract.dli.stack import Stack, restored, running, spec


def test_an_update_that_does_not_stay_up_gives_way_to_the_previous_version() -> None:
    stack = Stack(late={"Late"})
    stack.up(spec(settle_time="10s"))
    with pytest.raises(ActionFailed, match="the new version did not start") as caught:
        stack.up(spec("Late", settle_time="10s"))
    assert "late" in caught.value.happened
    assert "The previous version runs again" in caught.value.now
    assert stack.dli.job().config["main_class"] == "Old"
    assert stack.dli.job().status == "job_running"
    assert restored(stack)[-1] == stack.dli.savepoints[0]


def test_a_first_version_that_does_not_stay_up_is_not_recorded() -> None:
    stack = Stack(late={"Late"})
    with pytest.raises(ActionFailed, match="did not start"):
        stack.up(spec("Late", settle_time="10s"))
    assert stack.record is None


def test_a_version_that_stays_up_takes_its_settle_time() -> None:
    stack = Stack()
    began = stack.time.now()
    assert stack.up(spec(settle_time="10s")).status is JobStatus.RUNNING
    assert stack.time.now() - began >= 10


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("saves", [True, False])
def test_a_version_that_others_stop_when_it_is_up_is_not_taken_back(
    saves: bool, gateway: bool
) -> None:
    """Shows that what it has done since counts, and not the savepoint of the version before it."""
    stack = running(gateway=gateway)
    left = [1]

    def unlike(_request: httpx.Request) -> None:
        job = stack.dli.job()
        if left and job.config["main_class"] == "New" and job.status == "job_running":
            left.pop()
            stack.time.time += 1
            stack.dli._stop(job, saves)

    stack.dli.unlike = unlike
    record = stack.up(spec("New", settle_time="10s"))
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert "orders: it came up, and somebody else has stopped or cancelled it since" in stack.said
    assert same_path(record.restored_from, stack.dli.savepoints[0])
    assert same_path(record.last_savepoint, stack.dli.savepoints[-1])
    assert record.status == ("STOPPED" if saves else "CANCELED")
    if saves:
        stack.refresh()
        assert stack.plan(spec("New", settle_time="10s")).needed, "it is drift"
        stack.up(spec("New", settle_time="10s"))
        assert same_path(restored(stack)[-1], stack.dli.savepoints[1])
