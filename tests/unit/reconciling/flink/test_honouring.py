"""A `restore_from` in the program of a job that no record names: its resource was renamed."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.job_errors import RestoreUnclear
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import version

NAMED, OTHER = "/backup/savepoint-1", "/backup/savepoint-2"
HOUR = 3700.0


def wanted(entry_class: str = "New", restore_from: str | None = NAMED, **changes: str) -> JobSpec:
    """Return a version whose program names a savepoint."""
    return version(entry_class, "savepoint", restore_from=restore_from, **changes)


def forgotten(*versions: JobSpec, pause: float = 60.0) -> Stack:
    """Return a stack whose job had these versions, each for a while, and whose record is lost."""
    stack = Stack()
    stack.flink.progress_in |= {NAMED: 7, OTHER: 9}
    for each in versions:
        stack.up(each)
        stack.flink.pass_time(pause)
    stack.record = None
    stack.flink.steps.clear()
    return stack


def assert_untouched(stack: Stack) -> None:
    """Assert that nothing was asked of the cluster that changes anything."""
    assert not {"stop", "cancel", "submit", "submitted"} & set(stack.flink.steps)


@pytest.mark.parametrize("upgrade", [wanted(), wanted(restart_trigger="1")])
def test_a_job_that_runs_on_since_is_not_set_back(upgrade: JobSpec) -> None:
    """Shows the version that started from it, and one that was updated since."""
    stack = forgotten(wanted("Old"), upgrade)
    job = stack.flink.the_job()
    record = stack.up(upgrade)
    assert (stack.flink.the_job(), record.job_id) == (job, job.job_id)
    assert record.restored_from == job.restored_from != NAMED
    assert_untouched(stack)


def test_a_job_that_runs_on_since_is_updated_with_its_own_state() -> None:
    stack = forgotten(wanted("Old"), wanted())
    so_far = stack.flink.progress(stack.flink.the_job())
    stack.up(wanted("Newest"))
    assert stack.flink.the_job().base >= so_far


def test_a_stopped_job_goes_on_from_its_own_savepoint() -> None:
    stack = forgotten(wanted("Old"), wanted())
    saved = stack.up(wanted(desired_state="stopped")).last_savepoint
    stack.record = None
    stack.up(wanted())
    assert stack.flink.the_job().restored_from == saved


def test_whether_it_did_is_forgotten() -> None:
    """Shows that a job is left alone whose first version its cluster no longer lists."""
    stack = forgotten(wanted("Old"), wanted(), pause=HOUR)
    job = stack.flink.the_job()
    with pytest.raises(RestoreUnclear) as caught:
        stack.up(wanted())
    assert str(caught.value) == (
        f"orders: job {job.job_id} of this stack runs already, and whether it has started from "
        f"restore_from ({NAMED}) before is not recorded. Nothing was changed. To go on from the "
        "state it has, take restore_from out, and put it in again later to go back to it; where a "
        "resource was renamed, give it an alias, which keeps its record."
    )
    assert stack.flink.the_job() is job
    assert_untouched(stack)
    assert stack.up(wanted(restore_from=None)).job_id == job.job_id
    stack.up(wanted())
    assert stack.flink.the_job().restored_from == NAMED, "named anew, it counts"


def test_whether_a_stopped_job_did_is_forgotten() -> None:
    stack = forgotten(wanted("Old"), wanted(), pause=HOUR)
    stack.up(wanted(restore_from=None))
    saved = stack.up(wanted(restore_from=None, desired_state="stopped")).last_savepoint
    stack.record = None
    stack.flink.steps.clear()
    with pytest.raises(RestoreUnclear, match=f"has left savepoint {saved}"):
        stack.up(wanted())
    assert_untouched(stack)
    stack.up(wanted(restore_from=None))
    assert stack.flink.the_job().restored_from == saved


def test_after_a_failover_a_job_shows_a_checkpoint_of_its_own() -> None:
    stack = forgotten(wanted("Old"))
    job = stack.flink.the_job()
    job.restored_from = job.checkpoint
    stack.flink.pass_time(60)
    with pytest.raises(StateUnavailable, match="is not recorded"):
        stack.up(wanted())
    assert_untouched(stack)


@pytest.mark.parametrize("first", [None, OTHER])
def test_what_was_surely_never_started_from_is_newly_named(first: str | None) -> None:
    stack = forgotten(wanted("Old", restore_from=first))
    stack.up(wanted())
    assert stack.flink.the_job().restored_from == NAMED


def test_a_stopped_job_that_never_started_from_it_does_so() -> None:
    old = version("Old", "savepoint")
    stack = forgotten(old, version("Old", "savepoint", desired_state="stopped"))
    stack.up(wanted())
    assert stack.flink.the_job().restored_from == NAMED


def test_a_deleted_job_is_created_anew_from_it() -> None:
    """Shows that what was deleted is not gone on from, and that the same savepoint serves again."""
    stack = forgotten(wanted("Old"))
    stack.flink.end(stack.flink.the_job(), "CANCELED")
    stack.up(wanted("Old"))
    assert stack.flink.the_job().restored_from == NAMED


def test_of_a_cancelled_one_it_is_not_told_whether_it_was_deleted() -> None:
    """Shows one that was cancelled before its first checkpoint after an update."""
    stack = forgotten(wanted("Old"))
    stack.flink.programs["New"] = Program(checkpoints=False)
    stack.up(wanted())
    stack.record = None
    stack.flink.end(stack.flink.the_job(), "CANCELED")
    stack.flink.steps.clear()
    with pytest.raises(RestoreUnclear, match="has left savepoint"):
        stack.up(wanted())
    assert_untouched(stack)
