"""Updates of last-state from too old a checkpoint: refused before the job is cancelled."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import StateUnavailable
from tests.unit.reconciling.flink.fake_flink import CHECKPOINT_INTERVAL
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version


def stale(age: float) -> Stack:
    """Return a job whose newest checkpoint was completed so many seconds ago."""
    stack = running("last-state")
    stack.flink.pass_time(CHECKPOINT_INTERVAL)
    stack.flink.the_job().checkpoint_time = stack.time.now() - age
    stack.flink.the_job().cached = None
    return stack


def test_too_old_a_checkpoint_is_refused_and_the_job_goes_on() -> None:
    stack = stale(59)
    job = stack.flink.the_job()
    with pytest.raises(StateUnavailable) as caught:
        stack.up(version("New", "last-state", max_checkpoint_age="50s"))
    assert "orders: its newest retained state is 59 s old, and max_checkpoint_age is 50s" in str(
        caught.value
    )
    assert caught.value.now == f"Job {job.job_id} goes on as it was."
    assert stack.flink.the_job() is job
    assert "cancel" not in stack.flink.steps


@pytest.mark.parametrize("limit", ["2m", None])
def test_a_newer_one_is_started_from(limit: str | None) -> None:
    stack = stale(59)
    record = stack.up(version("New", "last-state", max_checkpoint_age=limit))
    assert record.action is Action.LAST_STATE_UPDATE
    assert "/chk-" in stack.flink.the_job().restored_from


def test_without_a_checkpoint_of_its_own_its_start_counts() -> None:
    """Shows that what it started from is as old, at least, as the time for which it has run."""
    stack = running("savepoint")
    stack.up(version("Between", "savepoint"))
    job = stack.flink.the_job()
    job.completed, job.checkpoint, job.checkpoint_time, job.cached = 0, "", 0.0, None
    stack.flink.pass_time(CHECKPOINT_INTERVAL - 5)
    with pytest.raises(StateUnavailable, match=r"its newest retained state is 5\d s old"):
        stack.up(version("New", "last-state", max_checkpoint_age="50s"))
    assert stack.flink.the_job() is job


def test_a_job_that_has_ended_starts_from_the_newest_all_the_same() -> None:
    """Shows that nothing is gained by leaving a failed job down."""
    stack = stale(59)
    stack.flink.end(stack.flink.the_job(), "FAILED", "no")
    stack.flink.pass_time(7200 - 3700)
    wanted = version("New", "last-state", max_checkpoint_age="50s")
    stack.up(wanted)
    assert "/chk-" in stack.flink.the_job().restored_from
