"""What the service calls running is looked at for the settle time."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from tests.contract.dli.stack import Stack, restored, spec


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
