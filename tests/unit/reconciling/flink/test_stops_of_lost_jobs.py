"""A stop of a job that had ended without one: what is left of it is recorded, and gone on from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import StateUnavailable
from tests.unit.reconciling.flink.test_matrix import running, version

STOPPED, RUNS = (
    version("Old", "savepoint", desired_state="stopped"),
    version("Old", "savepoint"),
)


@pytest.mark.parametrize("refreshed", [False, True])
@pytest.mark.parametrize("how", ["lost", "cancelled", "failed"])
def test_it_starts_from_its_checkpoint(how: str, *, refreshed: bool) -> None:
    """Shows the record of the stop, that a refresh keeps it, the plan, and the start."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    if how == "lost":
        stack.flink.restart_job_manager()
    else:
        job.end("CANCELED" if how == "cancelled" else "FAILED", stack.time.now())
        stack.flink.pass_time(10)
    if refreshed:
        stack.refresh()
    record = stack.up(STOPPED)
    assert (record.status, record.last_savepoint) == (JobStatus.STOPPED, None)
    assert record.restore_point is not None
    assert record.restore_point.path == job.checkpoint
    assert record.job_output.startswith(f"Nothing was left to stop: job {job.job_id} is ")
    assert f"its state is checkpoint {job.checkpoint}" in record.job_output
    if refreshed:
        assert stack.refresh().restore_point == record.restore_point
    assert f"start from checkpoint {job.checkpoint} (" in stack.plan(RUNS).summary
    record = stack.up(RUNS)
    assert stack.flink.the_job().restored_from == job.checkpoint
    assert record.restore_point is None


def test_the_record_alone_names_the_checkpoint() -> None:
    """Shows a start on a machine that does not read the directory in which it lies."""
    stack = running("savepoint")
    checkpoint = stack.flink.the_job().checkpoint
    stack.flink.restart_job_manager()
    stack.up(STOPPED)
    stack.flink.cluster = replace(
        stack.flink.cluster,
        savepoint_directory="memory:///elsewhere/savepoints",
        checkpoint_directory="memory:///elsewhere/checkpoints",
    )
    stack.up(RUNS)
    assert stack.flink.the_job().restored_from == checkpoint


def test_no_state_of_it_is_known() -> None:
    """Shows that it is stopped, as is wanted, and that its start is refused."""
    stack = running("savepoint", readable=False)
    stack.flink.restart_job_manager()
    record = stack.up(STOPPED)
    assert record.job_output.endswith("no savepoint or checkpoint of it is known")
    with pytest.raises(StateUnavailable):
        stack.up(RUNS)
