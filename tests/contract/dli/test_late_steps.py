"""Steps that reach the service when nobody waits for them any more: no job runs twice."""

from __future__ import annotations

import httpx
import pytest

from flink_jobs_provider.model.errors import ClusterUnreachable, JobError
from flink_jobs_provider.model.savepoint import same_path
from tests.contract.dli.stack import Stack, restored, running, spec


class LateStep:
    """The next request to a path is not answered, and reaches the service when it is told to."""

    def __init__(self, stack: Stack, path: str) -> None:
        self.stack = stack
        self._path = path
        self._steps: list[httpx.Request] = []
        stack.dli.unlike = self._keep

    def _is_it(self, request: httpx.Request) -> bool:
        return request.method == "POST" and request.url.path.endswith(self._path)

    def _keep(self, request: httpx.Request) -> httpx.Response | None:
        if not self._is_it(request):
            return None
        self._steps.append(request)
        raise httpx.ReadTimeout("slow", request=request)

    def arrives(self) -> None:
        """Have the service carry it out now."""
        self.stack.dli.unlike = lambda _request: None
        self.stack.dli._answer(self._steps.pop())

    def arrives_before_the_next(self) -> None:
        """Have it arrive when the next run has looked, just before that one's step."""

        def unlike(request: httpx.Request) -> None:
            if self._is_it(request):
                self.arrives()

        self.stack.dli.unlike = unlike


@pytest.mark.parametrize("then", ["New", "Newer"])
@pytest.mark.parametrize("late", ["before the next run", "in the next run"])
@pytest.mark.parametrize("begun", ["create", "update"])
def test_a_run_that_arrives_late(begun: str, late: str, then: str) -> None:
    """Shows that what it started is adopted, or replaced with its state."""
    stack = Stack() if begun == "create" else running()
    step, before = LateStep(stack, "/jobs/run"), len(stack.dli.launches)
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
    step = LateStep(stack, "/flink-jobs")
    with pytest.raises(ClusterUnreachable):
        stack.up(spec("New"))
    if late == "in the next run":
        step.arrives_before_the_next()
    else:
        step.arrives()
    stack.up(spec("New"))
    assert [launch.main_class for launch in stack.dli.launches] == ["New"]
    assert len(stack.dli.jobs) == 1
