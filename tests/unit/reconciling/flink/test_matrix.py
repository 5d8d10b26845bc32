"""Upgrade mode, state of the job, what fails → what runs afterwards, and what it started from."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    DeadlineExceeded,
    JobError,
    JobVanished,
    PermanentError,
    StateUnavailable,
    TemporaryError,
)
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.flink.fake_flink import RETAINED
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack

FAILURES = {
    "nothing": Program(),
    "main throws": Program(plan_error="ProgramInvocationException: main threw"),
    "submission": Program(submit_error="JobInitializationException: no"),
    "state": Program(state_error="StateMigrationException: no"),
    "tasks": Program(task_error="RuntimeException: no"),
    "restarts for ever": Program(restarts=True),
    "never comes up": Program(comes_up=False),
    "sets too high a parallelism": Program(parallelism=100),
}
#: Failures that show only when the new version is started.
LATE = ("submission", "state", "tasks", "restarts for ever", "never comes up")


def running(mode: str, old: Program | None = None, readable: bool = True) -> Stack:
    """Return a stack whose job has run for a while; its checkpoints are retained."""
    stack = Stack(readable)
    stack.flink.programs["Old"] = old or Program()
    stack.up(version("Old", mode))
    stack.flink.pass_time(60)
    return stack


def version(entry_class: str, mode: str, **changes: object) -> JobSpec:
    """Return a version of the job."""
    return spec(entry_class=entry_class, upgrade_mode=mode, flink_configuration=RETAINED, **changes)


def origin(stack: Stack) -> str:
    """Return the kind of state that the one active job started from."""
    path = stack.flink.the_job().restored_from
    return "checkpoint" if "/chk-" in path else "savepoint" if path else "nothing"


def entry_class(stack: Stack) -> str | None:
    """Return the entry class of the latest submission."""
    return stack.flink.submissions[-1].spec.entry_class


@pytest.mark.parametrize(
    ("mode", "action", "start"),
    [
        ("savepoint", Action.UPDATE, "savepoint"),
        ("last-state", Action.LAST_STATE_UPDATE, "checkpoint"),
        ("stateless", Action.STATELESS_UPDATE, "nothing"),
    ],
)
def test_update(mode: str, action: Action, start: str) -> None:
    """Shows each upgrade mode where nothing fails: the new version runs from the right state."""
    stack = running(mode)
    old = stack.flink.the_job()
    record = stack.up(version("New", mode))
    assert (origin(stack), entry_class(stack)) == (start, "New")
    job = stack.flink.the_job()
    assert record.job_id == job.job_id != old.job_id
    assert record.action is action
    assert record.action_result is ActionResult.SUCCESS
    assert record.status is JobStatus.RUNNING
    assert (record.restored_from or "") == job.restored_from
    assert job.base == {"savepoint": old.progress_at_end, "nothing": 0}.get(start, job.base)
    assert record.last_savepoint == (job.restored_from if start == "savepoint" else None)
    assert not stack.plan(version("New", mode)).needed


@pytest.mark.parametrize("mode", ["savepoint", "last-state", "stateless"])
@pytest.mark.parametrize("failure", ["main throws", "sets too high a parallelism"])
def test_what_can_be_seen_before_leaves_the_old_version_untouched(mode: str, failure: str) -> None:
    stack = running(mode)
    old = stack.flink.the_job()
    stack.flink.programs["New"] = FAILURES[failure]
    with pytest.raises(PermanentError) as caught:
        stack.up(version("New", mode))
    assert stack.flink.the_job() is old
    assert old.savepoint == ""
    assert caught.value.now == f"Job {old.job_id} goes on as it was."
    assert caught.value.remedy


STARTS = {"savepoint": "savepoint", "last-state": "checkpoint", "stateless": "nothing"}


@pytest.mark.parametrize(
    ("mode", "start", "failure"),
    [
        (mode, start, failure)
        for mode, start in STARTS.items()
        for failure in LATE
        if (mode, failure) != ("stateless", "state")  # a fresh start has no state to fit
    ],
)
def test_a_version_that_does_not_come_up_gives_way_to_the_old_one(
    mode: str, start: str, failure: str
) -> None:
    """Shows the rollback: the old version runs again from the state just taken; both are told."""
    stack = running(mode)
    before = stack.recorded
    stack.flink.programs["New"] = FAILURES[failure]
    with pytest.raises(ActionFailed) as caught:
        stack.up(version("New", mode))
    job = stack.flink.the_job()
    assert (origin(stack), entry_class(stack)) == (start, "Old")
    assert "version 2 did not start: " in caught.value.happened
    assert caught.value.now.startswith(f"The previous version runs again as job {job.job_id}, ")
    assert caught.value.now.endswith(f"from {job.restored_from}.") == (start != "nothing")
    assert stack.record is before
    # And the next run with a version that is well goes on from there.
    stack.flink.pass_time(60)
    so_far = stack.flink.progress(job)
    stack.flink.programs["New"] = Program()
    stack.up(version("New", mode))
    assert (origin(stack), entry_class(stack)) == (start, "New")
    if mode == "savepoint":
        assert stack.flink.the_job().base >= so_far


@pytest.mark.parametrize("mode", ["savepoint", "last-state"])
def test_neither_version_comes_up(mode: str) -> None:
    """Shows what is told when the rollback fails too, and that the next run has the state."""
    stack = running(mode)
    stack.flink.programs |= {"New": FAILURES["tasks"], "Old": FAILURES["tasks"]}
    with pytest.raises(ActionFailed) as caught:
        stack.up(version("New", mode))
    assert stack.flink.active() == []
    state = str(stack.flink.submissions[-1].restore_from)
    assert "The previous version did not start again either" in caught.value.now
    assert caught.value.now.endswith(
        f"its state is in {state}, whose _metadata is there and whole."
    )
    stack.flink.programs.clear()
    stack.up(version("New", mode))
    assert stack.flink.the_job().base == stack.flink.progress_in[state]


def test_a_stop_that_fails_and_leaves_the_job_up() -> None:
    """Shows that no new version is started, and that the next run is free to try again."""
    stack = running("savepoint", Program(stop_fault="goes on"))
    old = stack.flink.the_job()
    with pytest.raises(ActionFailed) as caught:
        stack.up(version("New", "savepoint"))
    assert stack.flink.the_job() is old
    assert caught.value.now == f"Job {old.job_id} is RUNNING; no other version was started."
    object.__setattr__(old, "program", Program())
    stack.up(version("New", "savepoint"))
    assert (origin(stack), entry_class(stack)) == ("savepoint", "New")


@pytest.mark.parametrize("retained", [True, False])
@pytest.mark.parametrize("fault", ["takes the job down", "takes the job down slowly"])
def test_a_stop_that_takes_the_job_down(retained: bool, fault: str) -> None:
    """Shows that nothing starts without state then: from its checkpoint, or not at all."""
    stack = running("savepoint", Program(stop_fault=fault))
    old = stack.flink.the_job()
    old.retains = retained
    with pytest.raises(ActionFailed) as caught:
        stack.up(version("New", "savepoint"))
    assert stack.flink.active() == []
    assert caught.value.now == (
        f"Job {old.job_id} is now FAILED; nothing was started without state."
    )
    if retained:
        assert f"checkpoint {old.checkpoint}" in caught.value.remedy
        stack.up(version("New", "savepoint"))
        assert (origin(stack), entry_class(stack)) == ("checkpoint", "New")
    else:
        with pytest.raises(StateUnavailable, match="Nothing was started, so that its state"):
            stack.up(version("New", "savepoint"))
        assert stack.flink.active() == []


@pytest.mark.parametrize("up", [True, False], ids=["up", "coming-up"])
def test_a_job_that_its_cluster_loses_before_the_stop(up: bool) -> None:
    """Shows that this passes: the next run finds it lost, and goes on from its checkpoint."""
    stack = running("savepoint")
    old = stack.flink.the_job()
    old.retains = True
    stack.flink.pass_time(60)
    if not up:
        old.program, old.running_tasks, old.state = Program(restarts=True), 0, "RESTARTING"
    moment = "stop" if up else "planned"

    def lose(step: str) -> None:
        if step == moment:
            stack.flink.restart_job_manager()

    stack.flink.on_step = lose
    with pytest.raises(TemporaryError, match="is no longer listed") as caught:
        stack.up(version("New", "savepoint"))
    assert "goes on from the job's newest savepoint or retained checkpoint" in caught.value.remedy
    stack.flink.on_step = lambda _step: None
    stack.up(version("New", "savepoint"))
    assert (origin(stack), entry_class(stack)) == ("checkpoint", "New")


def test_a_job_that_its_cluster_loses_before_the_cancel() -> None:
    """Shows that it does not go on from a checkpoint that may have been dropped since."""
    stack = running("last-state")
    old = stack.flink.the_job()
    stack.flink.pass_time(60)

    def lose(step: str) -> None:
        if step == "cancel":
            stack.flink.restart_job_manager()

    stack.flink.on_step = lose
    with pytest.raises(TemporaryError, match="is no longer listed"):
        stack.up(version("New", "last-state"))
    assert stack.flink.active() == []
    stack.flink.on_step = lambda _step: None
    stack.up(version("New", "last-state"))
    assert (origin(stack), entry_class(stack)) == ("checkpoint", "New")
    assert stack.flink.the_job().base == stack.flink.progress_in[old.checkpoint]


@pytest.mark.parametrize("mode", ["savepoint", "last-state"])
@pytest.mark.parametrize("to", ["New", "Other"])
def test_a_new_version_that_its_cluster_loses(mode: str, to: str) -> None:
    """Shows that it is not rolled back, and that the next run goes on from its own checkpoint.

    No record names it yet. What it had counted and written since the stop would be counted again.
    """
    stack = running(mode)

    def lose(step: str) -> None:
        if step == "checkpointed":
            stack.flink.restart_job_manager()

    stack.flink.on_step = lose
    with pytest.raises(TemporaryError, match="accepted, and the cluster no longer lists it"):
        stack.up(version("New", mode))
    assert [s.spec.entry_class for s in stack.flink.submissions] == ["Old", "New"]
    stack.flink.on_step = lambda _step: None
    stack.up(version(to, mode))
    assert (origin(stack), entry_class(stack)) == ("checkpoint", to)
    assert f"/{stack.flink.submissions[1].job_id}/" in stack.flink.the_job().restored_from


@pytest.mark.parametrize("moment", ["submitted", "checkpointed"])
def test_a_new_job_that_its_cluster_loses(moment: str) -> None:
    """Shows that it is recorded once it has state, and that the next run goes on from that."""
    stack = Stack()

    def lose(step: str) -> None:
        if step == moment:
            stack.flink.restart_job_manager()

    stack.flink.on_step = lose
    with pytest.raises(JobVanished) as caught:
        stack.up(version("Old", "savepoint"))
    stack.flink.on_step = lambda _step: None
    recorded = caught.value.partial
    if moment == "submitted":  # no checkpoint has completed
        assert recorded is None
        stack.up(version("Old", "savepoint"))
        assert origin(stack) == "nothing"
        return
    assert isinstance(recorded, JobRecord)
    assert recorded.status is JobStatus.LOST
    stack.record = recorded  # as engines keep it
    stack.up(version("Old", "savepoint"))
    assert origin(stack) == "checkpoint"


def test_a_savepoint_that_hangs_is_left_to_the_cluster() -> None:
    """Shows that a slow savepoint overlaps nothing, and that the next run takes its result."""
    stack = running("savepoint")
    old = stack.flink.the_job()
    stack.flink.savepoint_fault = "hangs"
    wanted = version("New", "savepoint", timeouts={"savepoint": "10s"})
    with pytest.raises(DeadlineExceeded, match="has not ended in 10s") as caught:
        stack.up(wanted)
    assert stack.flink.the_job() is old
    assert "Run again to wait for it" in caught.value.remedy
    stack.flink.savepoint_fault = ""
    stack.up(wanted)
    assert stack.flink.the_job().base == old.progress_at_end
    assert len([path for path in stack.flink.progress_in if "/savepoint-" in path]) == 1


def test_no_savepoint_is_tried_of_a_job_whose_tasks_do_not_run() -> None:
    """Shows that a job in a restart loop is left as it is, and what the user may do."""
    stack = running("savepoint")
    old = stack.flink.the_job()
    old.program, old.running_tasks, old.state = Program(restarts=True), 0, "RESTARTING"
    with pytest.raises(StateUnavailable, match="while its tasks do not all run") as caught:
        stack.up(version("New", "savepoint"))
    assert stack.flink.the_job() is old
    assert '"last-state"' in caught.value.remedy


def test_a_job_that_fails_while_it_is_waited_for_is_not_said_to_run() -> None:
    stack = running("savepoint")
    old = stack.flink.the_job()
    old.program, old.running_tasks, old.state = Program(restarts=True), 0, "RESTARTING"

    def fail_after_the_plan(step: str) -> None:
        if step == "planned":
            old.program = Program(task_error="no")

    stack.flink.on_step = fail_after_the_plan
    with pytest.raises(StateUnavailable) as caught:
        stack.up(version("New", "savepoint"))
    assert stack.flink.active() == []
    assert caught.value.now == f"Job {old.job_id} has ended, and nothing else was started."
    stack.up(version("New", "savepoint"))
    assert (origin(stack), entry_class(stack)) == ("checkpoint", "New")


def test_last_state_gets_a_job_out_of_a_restart_loop() -> None:
    stack = running("last-state")
    old = stack.flink.the_job()
    old.program, old.running_tasks, old.state = Program(restarts=True), 0, "RESTARTING"
    stack.up(version("New", "last-state"))
    assert (origin(stack), entry_class(stack)) == ("checkpoint", "New")


def test_last_state_without_retained_checkpoints_is_refused() -> None:
    stack = running("last-state")
    old = stack.flink.the_job()
    old.retains = False
    with pytest.raises(StateUnavailable, match="goes on as it was"):
        stack.up(version("New", "last-state"))
    assert stack.flink.the_job() is old


ENDINGS = ("FAILED", "CANCELED", "FINISHED", "LOST")


def ended(ending: str, mode: str, state: str) -> Stack:
    """Return a stack whose job has ended, with a savepoint, a retained checkpoint, or neither."""
    stack = running(mode, readable=False)
    if state == "savepoint":
        stack.up(version("Old", mode, savepoint_trigger="1"))
        stack.flink.pass_time(60)
    job = stack.flink.the_job()
    job.retains = state == "checkpoint"
    if ending == "LOST":
        stack.flink.restart_job_manager()
    else:
        stack.flink.end(job, ending)
    stack.refresh()
    assert stack.recorded.status == ending
    return stack


@pytest.mark.parametrize("ending", sorted(set(ENDINGS) - {"FINISHED"}))
@pytest.mark.parametrize("mode", ["savepoint", "last-state"])
@pytest.mark.parametrize("state", ["savepoint", "checkpoint", "nothing"])
@pytest.mark.parametrize("to", ["Old", "New"])
def test_a_job_that_ended_is_started_from_its_newest_state_or_not_at_all(
    ending: str, mode: str, state: str, to: str
) -> None:
    """Shows that no ending of a job lets the next run start it from nothing."""
    stack = ended(ending, mode, state)
    trigger = stack.recorded.spec.savepoint_trigger
    wanted = version(to, mode, savepoint_trigger=trigger)
    if state == "savepoint" or (state == "checkpoint" and ending != "LOST"):
        record = stack.up(wanted)
        assert (origin(stack), entry_class(stack)) == (state, to)
        assert record.action is Action.START
        assert stack.flink.the_job().base > 0
    else:
        with pytest.raises(StateUnavailable) as caught:
            stack.up(wanted)
        assert stack.flink.active() == []
        assert "restore_from" in caught.value.remedy
        assert ("(LOST)" if ending == "LOST" else f"is {ending}") in caught.value.happened


@pytest.mark.parametrize("ending", sorted(set(ENDINGS) - {"FINISHED"}))
@pytest.mark.parametrize("state", ["savepoint", "checkpoint", "nothing"])
def test_a_stateless_job_that_ended_is_started_afresh(ending: str, state: str) -> None:
    stack = ended(ending, "stateless", state)
    trigger = stack.recorded.spec.savepoint_trigger
    record = stack.up(version("Old", "stateless", savepoint_trigger=trigger))
    assert origin(stack) == "nothing"
    assert record.action is Action.STATELESS_UPDATE


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_job_that_ended_may_be_started_from_a_savepoint_that_is_named(ending: str) -> None:
    stack = ended(ending, "savepoint", "nothing")
    stack.flink.progress_in["/backup/savepoint-1"] = 7
    stack.up(version("Old", "savepoint", restore_from="/backup/savepoint-1"))
    assert stack.flink.the_job().base == 7


@pytest.mark.parametrize("failure", [*LATE, "main throws"])
def test_a_start_that_fails_keeps_the_state_for_the_next(failure: str) -> None:
    """Shows a job that was stopped, and whose new version does not start."""
    stack = running("savepoint")
    stopped = stack.up(version("Old", "savepoint", desired_state="stopped"))
    assert stopped.status is JobStatus.STOPPED
    stack.flink.programs["New"] = FAILURES[failure]
    with pytest.raises(JobError):
        stack.up(version("New", "savepoint"))
    assert stack.flink.active() == []
    stack.flink.programs.clear()
    record = stack.up(version("New", "savepoint"))
    assert stack.flink.the_job().restored_from == stopped.last_savepoint
    assert record.last_savepoint == stopped.last_savepoint
