"""What users of other job managers have reported, where no other test shows it.

docs/complaints.md names the test of each.
"""

from __future__ import annotations

from itertools import product

import pytest

from flink_jobs_provider.model.action import JobStatus
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import entry_class, origin, running, version


@pytest.mark.parametrize(
    ("before", "after"),
    [pair for pair in product(["savepoint", "last-state"], repeat=2) if pair[0] != pair[1]],
)
def test_another_upgrade_mode_carries_the_newest_state(before: str, after: str) -> None:
    """Shows an update in one mode, and the next in another: neither begins behind the last."""
    stack = running(before)
    stack.up(version("New", before))
    stack.flink.pass_time(60)
    was = stack.flink.progress(stack.flink.the_job())
    stack.up(version("Old", after))
    assert (origin(stack), entry_class(stack)) == (
        "savepoint" if after == "savepoint" else "checkpoint",
        "Old",
    )
    job = stack.flink.the_job()
    at_least = was if after == "savepoint" else was - 10 * 60  # a checkpoint each minute
    assert job.base >= at_least > 0


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
@pytest.mark.parametrize("ending", ["FAILED", "CANCELED", "FINISHED", "LOST", "RESTARTING"])
def test_a_job_in_any_state_can_be_deleted(on_delete: str, ending: str) -> None:
    """Shows that a deletion is not blocked by a job that has ended, is gone, or never comes up."""
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", on_delete=on_delete))
    job = stack.flink.the_job()
    if ending == "LOST":
        stack.flink.restart_job_manager()
    elif ending == "RESTARTING":
        if on_delete == "savepoint":  # none can be taken, and that is not dropped unasked
            stack.up(version("Old", "savepoint", on_delete="cancel"))
        job.program, job.running_tasks, job.state = Program(restarts=True), 0, "RESTARTING"
    else:
        stack.flink.end(job, ending)
    stack.destroy()
    assert stack.record is None
    assert stack.flink.active() == []
    assert stack.flink.jars == set()


def test_a_job_that_is_declared_stopped_at_first_does_not_start() -> None:
    """Shows that `desired_state` counts from the first run on."""
    stack = Stack()
    record = stack.up(version("Old", "savepoint", desired_state="stopped"))
    assert record.status is JobStatus.STOPPED
    assert stack.flink.submissions == []
    stack.up(version("Old", "savepoint"))
    assert entry_class(stack) == "Old"


def test_permission_to_drop_state_is_sent_with_each_submission() -> None:
    """Shows that a permission which did not change is part of the next version, too."""
    stack = running("savepoint")
    stack.up(version("Old", "savepoint", allow_non_restored_state=True))
    for name in ("New", "Other"):
        stack.up(version(name, "savepoint", allow_non_restored_state=True))
    assert [s.spec.allow_non_restored_state for s in stack.flink.submissions] == [False, True, True]
