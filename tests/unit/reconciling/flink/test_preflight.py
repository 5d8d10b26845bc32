"""What a check before the stop says of the job that it leaves alone."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.errors import ClusterRefused, JarError, JobError
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import version


@pytest.mark.parametrize("error", [ClusterRefused, JarError])
def test_a_check_that_could_not_be_made_tells_what_runs(
    error: type[JobError], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack()
    stack.up(version("Old", "savepoint"))
    job = stack.flink.the_job()

    async def fail(_submission: object) -> None:
        raise error("the jar could not be uploaded", remedy="Raise the limit")

    monkeypatch.setattr(stack.flink, "plan", fail)
    with pytest.raises(error) as raised:
        stack.up(version("New", "savepoint"))
    assert raised.value.now == f"Job {job.job_id} goes on as it was."
    assert stack.flink.the_job() is job
