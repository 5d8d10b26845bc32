"""A job whose first version was accepted, and was not seen up: nothing that it has done is lost."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    JobError,
    JobVanished,
    RunCancelled,
    StateUnavailable,
)
from flink_jobs_provider.model.observation import CheckpointStatistics
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import never
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.flink.fake_flink import RETAINED
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack


def version(entry_class: str = "Late", *, retained: bool = True, **changes: object) -> JobSpec:
    """Return a version of the job."""
    options = RETAINED if retained else {}
    return spec(entry_class=entry_class, flink_configuration=options, **changes)


def failed(stack: Stack, wanted: JobSpec) -> JobError:
    """Create the job, which fails; what the error holds is recorded, as engines do."""
    with pytest.raises(JobError) as caught:
        stack.up(wanted)
    if isinstance(caught.value.partial, JobRecord):
        stack.record = JobRecord.from_outputs(caught.value.partial.outputs())
    return caught.value


def unreachable_after_a_checkpoint(stack: Stack) -> JobError:
    """Create the job on a cluster that no longer answers once a checkpoint has completed."""

    def hide(step: str) -> None:
        if step == "checkpointed":
            stack.flink.unreachable = 10_000

    stack.flink.on_step = hide
    error = failed(stack, version())
    stack.flink.on_step = lambda _step: None
    stack.flink.unreachable = 0
    return error


def test_it_is_recorded_once_it_was_accepted() -> None:
    """Shows the record, its plan, and that the next run waits until it is up, once."""
    stack = Stack()
    error = unreachable_after_a_checkpoint(stack)
    assert isinstance(error, ClusterUnreachable)
    record = stack.recorded
    assert (record.status, record.action_result) == (JobStatus.STARTING, ActionResult.IN_PROGRESS)
    assert f"it is recorded as job {record.job_id}" in error.now
    stack.refresh()
    assert stack.plan(version()).summary == f"NEW, go on with job {record.job_id}"
    after = stack.up(version())
    assert (after.job_id, after.action) == (record.job_id, Action.NEW)
    assert not after.never_came_up
    assert len(stack.flink.submissions) == 1
    assert not stack.plan(version()).needed


@pytest.mark.parametrize("entry_class", ["Late", "Other"])
@pytest.mark.parametrize("refreshed", [False, True])
def test_its_cluster_loses_it_before_the_next_run(entry_class: str, *, refreshed: bool) -> None:
    """Shows that the next run goes on from its checkpoint, with the same version or another."""
    stack = Stack()
    unreachable_after_a_checkpoint(stack)
    lost = stack.recorded.job_id
    stack.flink.restart_job_manager()
    if refreshed:
        assert stack.refresh().status is JobStatus.LOST
    stack.up(version(entry_class))
    assert f"/{lost}/chk-" in stack.flink.the_job().restored_from


@pytest.mark.parametrize("readable", [True, False])
def test_it_is_lost_without_a_checkpoint(*, readable: bool) -> None:
    """Shows that it starts anew only where it is seen that there is no state of it."""
    stack = Stack(readable)

    def lose(step: str) -> None:
        if step == "submitted":
            stack.flink.restart_job_manager()

    stack.flink.on_step = lose
    assert isinstance(failed(stack, version()), JobVanished)
    stack.flink.on_step = lambda _step: None
    if readable:
        assert stack.record is None
        stack.up(version())
        assert stack.flink.the_job().restored_from == ""
        return
    with pytest.raises(StateUnavailable, match="no savepoint or retained checkpoint of it is"):
        stack.up(version())
    assert stack.flink.active() == []
    stack.up(version(upgrade_mode="stateless"))
    assert stack.flink.the_job().restored_from == ""


def test_an_earlier_job_of_its_name_is_named() -> None:
    """Shows that a new job says so where it does not go on from what one before has left.

    A run that was killed before it recorded its job is not told from one that was deleted.
    """
    stack = Stack()
    stack.up(version())
    assert not any("an earlier job" in line for line in stack.said)
    stack.destroy()
    stack.flink.restart_job_manager()
    stack.up(version())
    assert stack.flink.the_job().restored_from == ""
    assert (
        "orders: an earlier job of this name and owner, version 1, has left savepoints or "
        "checkpoints; this one starts without state, unless another one is named"
    ) in stack.said


def test_it_ended_without_a_checkpoint_before_the_next_run() -> None:
    """Shows that a job which is seen to have none is started anew."""
    stack = Stack()
    stack.flink.programs["Late"] = Program(checkpoint_faults=10_000)
    short = {"running": "20s"}  # before a periodic checkpoint is due
    assert isinstance(failed(stack, version(timeouts=short)), DeadlineExceeded)
    first = stack.recorded.job_id
    stack.flink.jobs_by_id[str(first)].end("FAILED", stack.time.now())
    stack.flink.programs.clear()
    stack.flink.pass_time(10)
    record = stack.up(version())
    assert record.action is Action.NEW
    assert record.job_id != first
    assert stack.flink.the_job().restored_from == ""


FAILS, RESTARTS = Program(fails_after=5.0), Program(restarts_after=5.0)


@pytest.mark.parametrize(
    ("program", "retained", "status", "origin"),
    [
        (FAILS, True, JobStatus.FAILED, "chk-"),
        (RESTARTS, True, JobStatus.CANCELED, "chk-"),
        (RESTARTS, False, JobStatus.STOPPED, "savepoint-"),
    ],
)
def test_it_fails_after_a_checkpoint(
    program: Program, retained: bool, status: JobStatus, origin: str
) -> None:
    """Shows that its state is named, recorded and gone on from; one that runs is stopped."""
    stack = Stack()
    stack.flink.programs["Late"] = program
    error = failed(stack, version(retained=retained, settle_time="10s"))
    assert isinstance(error, ActionFailed)
    assert stack.flink.active() == []
    record = stack.recorded
    assert record.status is status
    stack.up(version("Fixed", retained=retained))
    path = stack.flink.the_job().restored_from
    assert f"/{record.job_id}/{origin}" in path
    assert f"its state is in {path}" in error.now


@pytest.mark.parametrize("readable", [True, False])
def test_its_statistics_end_with_it(*, readable: bool) -> None:
    """Shows a job as Flink 2.3 shows it that was cancelled while its storage was full."""
    stack = Stack(readable)
    stack.flink.programs["Late"] = RESTARTS
    read = stack.flink.checkpoints

    async def shown(job_id: str) -> CheckpointStatistics | None:
        return await read(job_id) if stack.flink.jobs_by_id[job_id].active else None

    with patch.object(stack.flink, "checkpoints", shown):
        error = failed(stack, version(settle_time="10s"))
        stack.up(version("Fixed"))
    path = stack.flink.the_job().restored_from
    assert "/chk-" in path
    assert path in error.now


@pytest.mark.parametrize("program", [FAILS, replace(RESTARTS, stop_fault="goes on")])
def test_its_state_ends_with_it(program: Program) -> None:
    """Shows that the next run drops nothing by itself where no savepoint could be taken."""
    stack = Stack()
    stack.flink.programs["Late"] = program
    error = failed(stack, version(retained=False, settle_time="10s"))
    assert "the checkpoints that it had completed ended with it" in error.now
    assert stack.flink.active() == []
    assert stack.recorded.status in (JobStatus.CANCELED, JobStatus.FAILED)
    with pytest.raises(StateUnavailable, match="no savepoint or retained checkpoint of it is"):
        stack.up(version("Fixed", retained=False))
    stack.up(version("Fixed", retained=False, upgrade_mode="stateless"))
    assert stack.flink.the_job().restored_from == ""


def test_a_start_that_fails_keeps_what_it_has_done() -> None:
    """Shows it for a stopped job, whose savepoint is older than what the failed start has done."""
    stack = Stack()
    stack.up(version("Late", retained=False))
    stack.up(version("Late", retained=False, desired_state="stopped"))
    stack.flink.programs["Late"] = Program(restarts_after=5.0)
    failed(stack, version("Late", retained=False, settle_time="10s"))
    newest = max(stack.flink.jobs_by_id.values(), key=lambda job: job.submitted)
    assert newest.stopped_with_savepoint
    stack.flink.programs.clear()
    stack.up(version("Late", retained=False))
    assert stack.flink.the_job().restored_from == newest.savepoint


def cancelled_at(stack: Stack, step: int) -> None:
    """Cancel the stack's run at its next steps' number."""
    steps = 0

    def count(_step: str) -> None:
        nonlocal steps
        steps += 1

    stack.flink.on_step = count
    stack.is_cancelled = lambda: steps >= step


@pytest.mark.parametrize("killed", [False, True])
def test_a_cancelled_run_records_what_was_accepted(*, killed: bool) -> None:
    """Shows it for a cancel at every step: the next run goes on with the one job there is.

    Also where the first run was killed once the job was submitted, and the second is cancelled.
    """
    left: set[tuple[bool, bool]] = set()
    for step in range(40):
        stack = Stack()
        if killed:
            unreachable_after_a_checkpoint(stack)
            stack.record = None
        cancelled_at(stack, step)
        try:
            stack.up(version())
        except RunCancelled as error:
            if isinstance(error.partial, JobRecord):
                stack.record = JobRecord.from_outputs(error.partial.outputs())
                assert stack.record.status is JobStatus.STARTING
            left.add((stack.record is not None, bool(stack.flink.submissions)))
        stack.is_cancelled, stack.flink.on_step = never, lambda _step: None
        after = stack.up(version())
        assert [job.job_id for job in stack.flink.active()] == [after.job_id]
        assert len(stack.flink.submissions) == 1
        assert not stack.plan(version()).needed
    assert left == ({(True, True)} if killed else {(False, False), (True, True)})


def test_a_cancelled_update_starts_its_new_version() -> None:
    """Shows that a job which was stopped is not left so: what has begun goes on to its end."""
    stack = Stack()
    before = stack.up(version())
    cancelled_at(stack, 0)
    after = stack.up(version("Other"))
    assert after.job_id != before.job_id
    assert after.status is JobStatus.RUNNING
