"""Steps that reach the service when nobody waits for them any more: no job runs twice."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from flink_jobs_provider.model.errors import ClusterUnreachable, JobError, StateUnavailable
from flink_jobs_provider.model.savepoint import same_path
from tests.contract.dli.fake_dli import FakeJob
from tests.contract.dli.stack import Stack, restored, running, spec
from tests.contract.late_request import LateRequest


@pytest.mark.parametrize("then", ["New", "Newer"])
@pytest.mark.parametrize("late", ["before the next run", "in the next run"])
@pytest.mark.parametrize("begun", ["create", "update"])
def test_a_run_that_arrives_late(begun: str, late: str, then: str) -> None:
    """Shows that what it started is adopted, or replaced with its state."""
    stack = Stack() if begun == "create" else running()
    step, before = LateRequest(stack.dli, "/jobs/run"), len(stack.dli.launches)
    with pytest.raises(JobError):
        stack.up(spec("New"))
    if late == "in the next run":
        step.arrives_before_the_next()
    else:
        step.arrives()
    stack.up(spec(then))
    launched = [launch.main_class for launch in stack.dli.launches[before:]]
    assert launched[-1] == then
    assert launched in (["New"], ["Newer"], ["New", "Newer"])
    assert stack.dli.job().status == "job_running"
    assert len(stack.dli.jobs) == 1
    if launched == ["New", "Newer"]:
        assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])


@pytest.mark.parametrize("late", ["before the next run", "in the next run"])
def test_a_create_that_arrives_late(late: str) -> None:
    """Shows that there is one job of the name, and that it runs once."""
    stack = Stack()
    step = LateRequest(stack.dli, "/flink-jobs")
    with pytest.raises(ClusterUnreachable):
        stack.up(spec("New"))
    if late == "in the next run":
        step.arrives_before_the_next()
    else:
        step.arrives()
    stack.up(spec("New"))
    assert [launch.main_class for launch in stack.dli.launches] == ["New"]
    assert len(stack.dli.jobs) == 1


def test_a_stop_that_shows_late_is_not_ended_by_a_start_of_somebody_else() -> None:
    """Shows two updates at once: that which stops the other's version does not call it running."""
    stack = running(lags=5.0)
    left = [1]

    def unlike(request: httpx.Request) -> None:
        if left and request.url.path.endswith("/jobs/stop"):
            left.pop()
            job = stack.dli.job()
            stack.dli._stop(job, True)
            stack.time.time += 60
            stack.dli._launch(job, True)

    stack.dli.unlike = unlike
    with pytest.raises(StateUnavailable, match="it was started again since it was recorded"):
        stack.up(spec("New"))
    assert stack.dli.job().status == "job_cancel_success", "as the error says"
    assert len(stack.dli.savepoints) == 2


def test_a_start_whose_status_shows_after_its_time_is_no_failure() -> None:
    """Shows that the time of a start alone does not tell how it went."""
    stack = running()
    detail = stack.dli._detail
    until: list[float] = []

    def late(job: FakeJob) -> dict[str, Any]:
        shown = detail(job)
        if job.config["main_class"] != "New" or job.status not in ("job_submitting", "job_running"):
            return shown
        until.extend([] if until else [stack.time.now() + 15])
        return shown | ({"status": "job_cancel_success"} if stack.time.now() < until[0] else {})

    stack.dli._detail = late  # type: ignore[method-assign]
    record = stack.up(spec("New"))
    assert record.status == "RUNNING"
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert not [line for line in stack.said if "going back" in line or "somebody else" in line]
