"""A job that came to its own end: it stays so, until a new run is asked for, which is planned."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, StateUnavailable
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import entry_class, running, version

#: Changes that are recorded only, or count while a job runs, and start no finished one.
QUIET = [
    {},
    {"on_delete": "savepoint"},
    {"savepoint_trigger": "2"},
    {"upgrade_mode": "stateless"},
    {"upgrade_mode": "last-state"},
]


def finished(saved: bool = False, refreshed: bool = True, mode: str = "savepoint") -> Stack:
    """Return a stack whose job has finished by itself, perhaps some time after a savepoint."""
    stack = running(mode)
    if saved:
        stack.up(version("Old", mode, savepoint_trigger="1"))
        stack.flink.pass_time(600)
    stack.flink.end(stack.flink.the_job(), "FINISHED")
    if refreshed:
        assert stack.refresh().status is JobStatus.FINISHED
    return stack


@pytest.mark.parametrize("changes", QUIET, ids=str)
@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize(("refreshed", "forgotten"), [(True, False), (False, False), (True, True)])
def test_it_is_not_run_again(
    changes: dict[str, str], saved: bool, refreshed: bool, forgotten: bool
) -> None:
    """Shows it whatever is recorded, and when its cluster has forgotten the job."""
    stack = finished(saved, refreshed)
    if forgotten:
        stack.flink.pass_time(4000)
    before = stack.recorded
    kept = {"savepoint_trigger": "1"} if saved else {}
    mode = {"upgrade_mode": "savepoint", **changes}.pop("upgrade_mode")
    others = {name: value for name, value in changes.items() if name != "upgrade_mode"}
    wanted = version("Old", mode, **{**kept, **others})
    stack.up(wanted)
    assert len(stack.flink.submissions) == 1
    if changes:
        assert stack.recorded.spec == wanted
        assert stack.recorded.status is JobStatus.FINISHED
    assert stack.recorded.job_id == before.job_id
    assert not stack.plan(wanted).needed
    assert stack.refresh().status is JobStatus.FINISHED


@pytest.mark.parametrize("saved", [True, False])
def test_a_new_run_starts_where_its_plan_says(saved: bool) -> None:
    stack = finished(saved)
    last = stack.recorded.last_savepoint
    assert bool(last) == saved
    kept = {"savepoint_trigger": "1"} if saved else {}
    wanted = version("Old", "savepoint", restart_trigger="1", **kept)
    said = stack.plan(wanted).line()
    assert (f"savepoint {last} (10 min old), " if saved else "START, start from nothing, ") in said
    record = stack.up(wanted)
    assert stack.flink.the_job().restored_from == (last or "")
    assert (record.status, record.action) == (JobStatus.RUNNING, Action.START)


def test_a_new_run_from_a_savepoint_that_is_named() -> None:
    stack = finished()
    stack.flink.progress_in["/backup/savepoint-1"] = 7
    wanted = version("Old", "savepoint", restore_from="/backup/savepoint-1")
    stack.up(wanted)
    assert stack.flink.the_job().base == 7
    stack.flink.end(stack.flink.the_job(), "FINISHED")
    stack.refresh()
    assert not stack.plan(wanted).needed


def test_a_new_run_that_fails_does_not_bring_the_finished_one_back() -> None:
    stack = finished(saved=True)
    stack.flink.programs["New"] = Program(task_error="RuntimeException: no")
    with pytest.raises(ActionFailed):
        stack.up(version("New", "savepoint", savepoint_trigger="1"))
    assert stack.flink.active() == []
    assert entry_class(stack) == "New"


@pytest.mark.parametrize("saved", [True, False])
def test_one_that_finished_since_it_was_recorded_gets_no_new_run_unseen(saved: bool) -> None:
    """Shows that an UPDATE which was planned becomes no start from elsewhere."""
    stack = finished(saved, refreshed=False)
    kept = {"savepoint_trigger": "1"} if saved else {}
    wanted = version("New", "savepoint", **kept)
    assert "UPDATE, stop with savepoint and restart" in stack.plan(wanted).line()
    with pytest.raises(StateUnavailable, match="come to its own end since it was recorded"):
        stack.up(wanted)
    assert len(stack.flink.submissions) == 1
    stack.refresh()
    stack.up(wanted)
    assert entry_class(stack) == "New"


def test_a_version_that_a_killed_run_has_started_and_that_finished_is_adopted() -> None:
    stack = running("savepoint")
    stack.flink.kill_before = "checkpointed"
    with pytest.raises(Killed):
        stack.up(version("New", "savepoint"))
    stack.flink.kill_before = ""
    job = stack.flink.the_job()
    stack.flink.end(job, "FINISHED")
    record = stack.up(version("New", "savepoint"))
    assert (record.job_id, record.status) == (job.job_id, JobStatus.FINISHED)
    assert len(stack.flink.submissions) == 2


@pytest.mark.parametrize("readable", [True, False])
def test_a_stop_is_no_end_of_its_own(readable: bool) -> None:
    """Shows that a run which died after its stop is gone on with, although Flink says FINISHED."""
    stack = running("savepoint", readable=readable)
    stack.flink.kill_before = "submit"
    with pytest.raises(Killed):
        stack.up(version("New", "savepoint"))
    stack.flink.kill_before = ""
    stack.flink.pass_time(400)
    assert stack.refresh().status is JobStatus.STOPPED
    stack.up(version("Old", "savepoint"))
    assert "/savepoint-" in stack.flink.the_job().restored_from


def test_one_that_is_declared_stopped_stays_finished() -> None:
    stack = finished(saved=True)
    stopped = version("Old", "savepoint", savepoint_trigger="1", desired_state="stopped")
    record = stack.up(stopped)
    assert (record.status, record.action) == (JobStatus.FINISHED, Action.SAVEPOINT)
    stack.up(version("Old", "savepoint", savepoint_trigger="1"))
    assert len(stack.flink.submissions) == 1
