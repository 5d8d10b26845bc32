"""Drift: what a refresh makes of what it finds on the cluster."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.errors import ClusterUnreachable, OwnedElsewhere
from flink_jobs_provider.model.record import JobRecord
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import running, version
from tests.unit.reconciling.flink.test_restoring import second_copy


def test_no_drift() -> None:
    stack = running("savepoint")
    before = stack.recorded
    assert stack.refresh() == before
    assert not stack.plan(before.spec).needed


@pytest.mark.parametrize(
    ("state", "drift"), [("CANCELED", True), ("FAILED", True), ("FINISHED", False)]
)
def test_ended(state: str, drift: bool) -> None:
    """Shows that a job which came to its own end is no drift."""
    stack = running("savepoint")
    stack.flink.end(stack.flink.the_job(), state, "RuntimeException: no")
    seen = stack.refresh()
    assert (seen.status, seen.running_parallelism) == (state, None)
    assert (seen.job_output == "RuntimeException: no") == (state == "FAILED")
    assert stack.plan(seen.spec).needed == drift
    assert (f"the job is {state} on its cluster" in stack.plan(seen.spec).line()) == drift


def test_stopped_by_hand() -> None:
    """Shows that somebody else's stop is told from a job's own end, and its savepoint found."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    other = Stack()
    other.flink, other.time, other.record = stack.flink, stack.time, stack.recorded
    other.up(version("Old", "savepoint", desired_state="stopped"))
    seen = stack.refresh()
    assert (seen.status, seen.last_savepoint) == ("STOPPED", job.savepoint)
    assert seen.savepoints[0].reason == "FOUND"
    stack.up(version("Old", "savepoint"))
    assert stack.flink.the_job().restored_from == job.savepoint


def test_stopped_by_hand_a_moment_ago() -> None:
    """Shows that statistics from Flink's cache do not hide that it was a stop."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    job.cached = (stack.time.now(), job.statistics())
    job.stopped_with_savepoint, job.savepoint = True, "/s/by-hand"
    stack.flink.end(job, "FINISHED")
    seen = stack.refresh()
    assert (seen.status, seen.last_savepoint) == ("STOPPED", "/s/by-hand")


def test_vanished_is_lost_and_not_gone() -> None:
    stack = running("savepoint")
    stack.flink.restart_job_manager()
    seen = stack.refresh()
    assert seen.status == "LOST"
    assert "no longer knows job" in seen.job_output
    assert seen.job_id == stack.refresh().job_id


def test_a_stopped_job_that_the_cluster_forgot_is_stopped() -> None:
    stack = running("savepoint")
    stopped = stack.up(version("Old", "savepoint", desired_state="stopped"))
    stack.flink.restart_job_manager()
    assert stack.refresh() == stopped


def test_an_ended_job_that_the_cluster_forgot_stays_as_it_was() -> None:
    stack = running("savepoint")
    stack.flink.end(stack.flink.the_job(), "FAILED", "no")
    seen = stack.refresh()
    stack.flink.pass_time(4000)
    assert stack.refresh() == seen


def test_a_cluster_that_cannot_be_reached_is_an_error() -> None:
    stack = running("savepoint")
    stack.flink.unreachable = 1
    with pytest.raises(ClusterUnreachable):
        stack.refresh()


def test_two_copies() -> None:
    """Shows that both are told, and that the older one is stopped with a savepoint."""
    stack = running("savepoint")
    old = stack.flink.the_job()
    copy = second_copy(stack, None)
    stack.flink.pass_time(10)
    seen = stack.refresh()
    assert (seen.job_id, seen.duplicates) == (copy.job_id, [old.job_id])
    assert "2 copies run at once" in stack.plan(seen.spec).line()
    record = stack.up(seen.spec)
    assert stack.flink.the_job() is copy
    assert (old.state, old.stopped_with_savepoint) == ("FINISHED", True)
    assert record.savepoints[0].path == old.savepoint
    assert not stack.plan(seen.spec).needed


def test_jobs_of_others_are_no_drift_and_not_touched() -> None:
    stack = running("savepoint")
    before = stack.recorded
    neighbour = Stack()
    neighbour.flink, neighbour.time = stack.flink, stack.time
    neighbour.up(spec(job_name="bills"))
    bills = neighbour.recorded
    assert stack.refresh() == before
    stack.destroy()
    assert [job.job_id for job in stack.flink.active()] == [bills.job_id]
    assert {prefix for prefix, _ in stack.flink.jars} == {bills.spec.key.prefix}


def test_a_name_of_another_stack_is_refused() -> None:
    stack = running("savepoint")
    job = stack.flink.the_job()
    other = Stack()
    other.flink, other.time = stack.flink, stack.time
    with pytest.raises(OwnedElsewhere, match="It was not touched") as caught:
        other.up(spec(owner="organization/other/dev"))
    assert job.job_id in str(caught.value)
    assert stack.flink.the_job() is job
    assert len(stack.flink.submissions) == 1


def test_changes_that_touch_nothing() -> None:
    """Shows that what is only recorded sends nothing to the cluster that changes it."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    stack.flink.steps.clear()
    wanted = version("Old", "savepoint", on_delete="savepoint", savepoint_directory="/elsewhere")
    record = stack.up(wanted)
    assert record.spec == wanted
    assert stack.flink.the_job() is job
    assert set(stack.flink.steps) == {"jobs", "marks"}


def test_a_first_checkpoint_that_fails_is_tried_again() -> None:
    stack = Stack()
    stack.flink.programs["Old"] = Program(checkpoint_faults=3)
    record: JobRecord = stack.up(version("Old", "savepoint"))
    assert record.status == "RUNNING"
    assert stack.flink.the_job().completed == 1


def test_a_submission_whose_answer_was_lost_is_taken_up_again() -> None:
    """Shows that a run which saw its answer lost is followed by one that adopts the job."""
    stack = Stack()
    stack.flink.loses = {"submitted"}
    with pytest.raises(ClusterUnreachable):
        stack.up(version("Old", "savepoint"))
    job = stack.flink.the_job()
    assert stack.up(version("Old", "savepoint")).job_id == job.job_id
    assert len(stack.flink.submissions) == 1


def test_a_cluster_that_goes_away_between_stop_and_start_says_where_the_state_is() -> None:
    stack = running("savepoint")

    def go_away(step: str) -> None:
        if step == "submit" and len(stack.flink.submissions) == 1:
            stack.flink.unreachable = 1

    stack.flink.on_step = go_away
    with pytest.raises(ClusterUnreachable) as caught:
        stack.up(version("New", "savepoint"))
    (saved,) = [path for path in stack.flink.progress_in if "/savepoint-" in path]
    assert caught.value.now == (
        f"Whether version 2 runs is not known; its state is in {saved}, whose _metadata is there "
        "and whole."
    )
    stack.flink.on_step = lambda _step: None
    stack.up(version("New", "savepoint"))
    assert stack.flink.the_job().restored_from == saved
