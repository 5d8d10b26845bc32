"""A job whose JobManager failed over: it counts its checkpoints from zero again."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.errors import StateUnavailable
from tests.unit.reconciling.flink.fake_flink import FakeFlink, Killed
from tests.unit.reconciling.flink.test_matrix import running, version


def fail_over(flink: FakeFlink) -> str:
    """Let the job come back from a checkpoint of its own, and not get up again."""
    job = flink.the_job()
    checkpoint = f"/checkpoints/{job.job_id}/chk-7"
    flink.progress_in[checkpoint] = flink.progress(job)
    job.restored_from, job.completed, job.checkpoint = checkpoint, 0, ""
    job.state, job.running_tasks = "RESTARTING", 0
    job.up_at, job.program = None, type(job.program)(comes_up=False)
    return checkpoint


def test_a_checkpoint_that_a_cancel_deletes_is_not_gone_on_from() -> None:
    """The job is left as it is: cancelled, it would take its only state with it."""
    stack = running("savepoint")
    fail_over(stack.flink)
    with pytest.raises(StateUnavailable, match="no savepoint can be taken"):
        stack.up(version("New", "savepoint"))
    assert stack.flink.the_job().active


def test_a_version_of_a_killed_run_whose_tasks_were_restarted_is_adopted() -> None:
    """Shows that a checkpoint of its own is no other state than the one it was started from."""
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", desired_state="stopped"))
    stack.flink.kill_before = "checkpoint"
    with pytest.raises(Killed):
        stack.up(version("Old", "savepoint"))
    stack.flink.kill_before = ""
    stack.flink.pass_time(60)
    job = stack.flink.the_job()
    assert job.checkpoint
    job.restored_from = job.checkpoint  # as Flink shows it after a restart of the tasks
    record = stack.up(version("Old", "savepoint"))
    assert stack.flink.the_job() is job
    assert record.job_id == job.job_id
    assert record.status == "RUNNING"
