"""Switching over with both versions running: blue stops last, and is never touched in vain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.action import Action, ActionResult
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    DeadlineExceeded,
    JobError,
    JobVanished,
    PermanentError,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.submissions import submission
from tests.unit.reconciling.flink.fake_flink import CHECKPOINT_INTERVAL
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack, jar
from tests.unit.reconciling.flink.test_crashes import PAUSES, each_step, is_up
from tests.unit.reconciling.flink.test_matrix import FAILURES, LATE, running, version

MODE = "blue-green"


def green(entry_class: str = "New", **changes: object) -> JobSpec:
    """Return a version that replaces the running one in this way."""
    return version(entry_class, MODE, **changes)


def test_the_old_version_stops_when_the_new_one_is_up() -> None:
    """Shows the order of things, what is recorded, and that the way back is the later savepoint."""
    stack = running(MODE)
    blue = stack.flink.the_job()
    stack.flink.steps.clear()
    record = stack.up(green())
    job = stack.flink.the_job()
    assert blue.state == "FINISHED"
    order = [s for s in stack.flink.steps if s in ("savepoint done", "submitted", "stop", "cancel")]
    assert order == ["savepoint done", "submitted", "stop"]
    mid, stopped = job.restored_from, blue.savepoint
    assert mid != stopped
    assert blue.job_id in mid
    assert stack.flink.progress_in[mid] == job.base < stack.flink.progress_in[stopped]
    assert (record.job_id, record.restored_from) == (job.job_id, mid)
    assert (record.action, record.action_result) == (Action.UPDATE, ActionResult.SUCCESS)
    assert [(each.path, each.reason) for each in record.savepoints] == [
        (stopped, "UPDATE"),
        (mid, "SAVEPOINT"),
    ]
    assert record.job_output == (
        f"Job started from {mid}; job {blue.job_id} was stopped after that, "
        f"with savepoint {stopped}"
    )
    assert stack.flink.marked == []
    is_up(stack, green())


def test_the_next_switch_over_takes_a_savepoint_of_its_own() -> None:
    stack = running(MODE)
    stack.up(green())
    stack.up(green("Next"))
    first, second = stack.flink.submissions[-2:]
    assert first.restore_from != second.restore_from
    assert str(second.restore_from).count(first.job_id) == 1
    is_up(stack, green("Next"))


@pytest.mark.parametrize("failure", LATE)
def test_a_version_that_fails_costs_the_old_one_nothing(failure: str) -> None:
    """Shows that the same job runs on, and that only words of its record are new."""
    stack = running(MODE)
    blue, before = stack.flink.the_job(), stack.recorded
    stack.flink.programs["New"] = FAILURES[failure]
    with pytest.raises(ActionFailed) as caught:
        stack.up(green(timeouts={"running": "5s"}))
    assert "orders: version 2 did not start: " in str(caught.value)
    assert f"Job {blue.job_id} was not stopped, and goes on as it was." in str(caught.value)
    assert stack.flink.the_job() is blue
    assert not {"stop", "stop triggered"} & set(stack.flink.steps)
    partial = caught.value.partial
    assert isinstance(partial, type(before))
    assert partial.job_output == caught.value.happened
    assert partial.generation == 2, "that of the one that failed is not used again"
    words = {"generation", "job_output", "action_result", "savepoints", "last_savepoint"}
    assert partial.model_dump(exclude=words) == before.model_dump(exclude=words)
    assert partial.last_savepoint in stack.flink.progress_in
    assert stack.flink.marked == []
    assert {digest for _, digest in stack.flink.jars} == {str(before.spec.jar_digest)[:32]}
    stack.record = partial
    stack.refresh()
    assert stack.recorded.job_id == blue.job_id
    assert not stack.plan(version("Old", MODE)).needed
    stack.up(version("Other", MODE))
    is_up(stack, version("Other", MODE))


def test_a_failed_gate_costs_the_old_one_nothing() -> None:
    stack = running(MODE)
    blue = stack.flink.the_job()
    stack.flink.programs["New"] = Program(restarts_after=5, late_error="the sink failed")
    with pytest.raises(
        ActionFailed, match=r"version 2 did not pass its health gate: health\.max_r"
    ):
        stack.up(green(health={"window": "30s"}))
    assert stack.flink.the_job() is blue


def test_too_few_slots_for_both_are_seen_before_anything_is_done() -> None:
    stack = Stack(slots=3)
    stack.up(version("Old", MODE))
    stack.flink.pass_time(60)
    blue = stack.flink.the_job()
    stack.flink.steps.clear()
    with pytest.raises(PermanentError, match=r"2 task slots are needed alongside .* 1 are free"):
        stack.up(green())
    assert stack.flink.the_job() is blue
    assert not {"savepoint", "submit"} & set(stack.flink.steps)
    stack.up(version("New", "savepoint"))  # with the slots of the one that stops, they do


def test_a_named_savepoint_stops_the_old_version_first() -> None:
    """Shows that a start from other state than that of the running version is an UPDATE."""
    stack = running(MODE)
    blue = stack.flink.the_job()
    stack.flink.progress_in["/backup/savepoint-1"] = 7
    wanted = green(restore_from="/backup/savepoint-1")
    assert "stop with savepoint, and restart from /backup/savepoint-1 instead" in str(
        stack.plan(wanted).line()
    )
    stack.flink.steps.clear()
    stack.up(wanted)
    assert stack.flink.steps.index("stop") < stack.flink.steps.index("submit")
    assert blue.state == "FINISHED"


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("goes on", "is up, and job {blue} could not be stopped: the stop with savepoint failed"),
        ("hangs", "has not ended in 30m"),
    ],
)
def test_an_old_version_that_does_not_stop_is_never_one_too_few_nor_for_long_too_many(
    fault: str, what: str
) -> None:
    stack = running(MODE)
    blue = stack.flink.the_job()
    blue.program = replace(blue.program, stop_fault=fault)
    with pytest.raises(JobError) as caught:
        stack.up(green())
    assert what.format(blue=blue.job_id) in str(caught.value)
    if fault == "goes on":
        assert stack.flink.the_job() is blue
        return
    assert len(stack.flink.active()) == 2
    assert isinstance(caught.value, DeadlineExceeded)
    blue.program = replace(blue.program, stop_fault="")
    stack.flink.pass_time(1)
    stack.up(green())
    is_up(stack, green())


def test_an_old_version_that_fails_as_it_stops_leaves_the_new_one() -> None:
    stack = running(MODE)
    blue = stack.flink.the_job()
    blue.program = replace(blue.program, stop_fault="takes the job down")
    record = stack.up(green())
    assert stack.flink.the_job().job_id == record.job_id != blue.job_id
    assert record.job_output.endswith(f"; job {blue.job_id} has ended, without a savepoint")
    warning = f"warning: orders: no savepoint could be taken of job {blue.job_id}, which has ended "
    assert any(line.startswith(warning) for line in stack.said)


def test_an_old_version_that_ended_before_is_not_said_to_have_been_stopped() -> None:
    """Shows it of a cancel from outside while the new version is judged."""
    stack = running(MODE)
    blue = stack.flink.the_job()

    def cancel(step: str) -> None:
        if step == "vital signs" and len(stack.flink.active()) == 2:
            stack.flink.end(blue, "CANCELED")

    stack.flink.on_step = cancel
    record = stack.up(green(health={"window": "5s"}))
    assert stack.flink.the_job().job_id == record.job_id != blue.job_id
    assert record.job_output.endswith(f"; job {blue.job_id} has ended, without a savepoint")


def test_a_new_version_that_ends_as_the_old_one_stops_gives_way_to_that_ones_end() -> None:
    stack = running(MODE)
    blue = stack.flink.the_job()

    def fail(step: str) -> None:
        if step == "stop done":
            stack.flink.end(stack.flink.the_job(), "FAILED", "no")

    stack.flink.on_step = fail
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(green())
    job = stack.flink.the_job()
    assert (job.restored_from, stack.flink.submissions[-1].spec.entry_class) == (
        blue.savepoint,
        "Old",
    )


# Killed runs

#: What is wanted by the run after the killed one: (entry class, its mode).
THEN = [("New", MODE), ("New", "savepoint"), ("Other", MODE), ("Other", "savepoint"), ("Old", MODE)]


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize(("to", "mode"), THEN)
def test_a_killed_run_ends_with_one_job_and_its_state(to: str, mode: str, pause: float) -> None:
    """Shows it for each step; what runs goes on from all that the old version had done.

    But for a savepoint, an old version that runs is never stopped where it is wanted again.
    """
    wanted = version(to, mode)
    both, needed = 0, True
    for stack in each_step(lambda: running(MODE), lambda s: s.up(green()), pause):
        blue = next(iter(stack.flink.jobs_by_id.values()), None)
        active = stack.flink.active()
        both += len(active) == 2
        done = min((stack.flink.progress(job) for job in active), default=0)
        kept = max(stack.flink.progress_in.values()) if not active else done
        if to == "Old":
            stack.refresh()
            needed = stack.plan(wanted).needed
        stack.up(wanted)
        is_up(stack, wanted) if to != "Old" or blue not in active else None
        assert stack.flink.progress(stack.flink.the_job()) >= kept
        assert all(job.restore_from for job in stack.flink.submissions[1:])
        assert stack.flink.marked == [] or not needed
        if to == "Old" and blue in active:
            assert not stack.plan(wanted).needed
            assert blue.stopped_with_savepoint or stack.flink.the_job() is blue
    assert both > 8


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
def test_a_job_whose_switch_over_was_cut_short_can_be_deleted(on_delete: str, pause: float) -> None:
    """Shows that neither version is left, and that the savepoint has all that both had done."""

    def begin() -> Stack:
        stack = running(MODE)
        stack.up(version("Old", MODE, on_delete=on_delete))
        return stack

    for stack in each_step(begin, lambda s: s.up(green(on_delete=on_delete)), pause):
        done = min(map(stack.flink.progress, stack.flink.active()), default=0)
        path = stack.destroy()
        assert stack.flink.active() == []
        assert stack.flink.jars == set()
        assert stack.flink.marked == []
        if on_delete == "savepoint" and done:
            assert stack.flink.progress_in[str(path)] >= done


@pytest.mark.parametrize("pause", PAUSES)
def test_a_job_whose_switch_over_was_cut_short_can_be_stopped(pause: float) -> None:
    wanted = green(desired_state="stopped")
    for stack in each_step(lambda: running(MODE), lambda s: s.up(green()), pause):
        done = max(map(stack.flink.progress, stack.flink.active()[:1]), default=0)
        record = stack.up(wanted)
        assert stack.flink.active() == []
        assert record.status == "STOPPED"
        assert stack.flink.progress_in[str(record.last_savepoint)] >= done
        stack.up(green())
        assert stack.flink.the_job().base >= done


def cut_short() -> Stack:
    """Return a stack of which both versions run, since a run was killed."""
    stack = running(MODE)
    stack.flink.kill_before = "stop"
    with pytest.raises(BaseException, match="stop"):
        stack.up(green())
    stack.flink.kill_before = ""
    assert len(stack.flink.active()) == 2
    return stack


def test_a_refresh_shows_both_and_the_old_one_as_the_job() -> None:
    stack = cut_short()
    before = stack.recorded
    blue, new = stack.flink.active()
    record = stack.refresh()
    assert record.job_id == before.job_id == blue.job_id
    assert record.duplicates == [new.job_id]
    assert record.generation == before.generation
    assert stack.plan(version("Old", MODE)).line() == (
        f"orders: CANCEL, cancel job {new.job_id}; the job goes on as it is: a switch-over was cut "
        f"short: job {new.job_id} runs alongside it"
    )
    stack.up(green())
    assert stack.flink.the_job() is new


def test_the_next_run_judges_again_and_cancels_what_fails() -> None:
    stack = cut_short()
    blue, new = stack.flink.active()
    new.program = replace(new.program, restarts=True)
    new.running_tasks = 0
    with pytest.raises(ActionFailed, match="version 2 did not start: "):
        stack.up(green(timeouts={"running": "5s"}))
    assert stack.flink.the_job() is blue
    assert stack.flink.marked == []


def test_the_state_of_a_version_that_the_old_one_outlived_does_not_count() -> None:
    """Shows it of a run that died when it had cancelled that one: nothing of it is recorded."""
    stack = cut_short()
    blue, new = stack.flink.active()
    stack.flink.pass_time(CHECKPOINT_INTERVAL)
    stack.flink.end(new, "CANCELED")
    stack.flink.pass_time(CHECKPOINT_INTERVAL)
    stack.flink.end(blue, "FAILED", "no")
    record = stack.refresh()
    assert (record.job_id, record.status) == (blue.job_id, "FAILED")
    stack.up(version("Old", MODE))
    assert stack.flink.the_job().restored_from == blue.checkpoint
    assert new.checkpoint, "it has left a checkpoint as well"


def cut_short_after_the_stop() -> Stack:
    """Return a stack of which the new version runs, and the old one is recorded."""
    stack = running(MODE)
    stack.flink.kill_before = "stop done"
    with pytest.raises(BaseException, match="stop done"):
        stack.up(green())
    stack.flink.kill_before = ""
    stack.flink.pass_time(1)
    return stack


def test_the_next_run_records_the_way_back() -> None:
    stack = cut_short_after_the_stop()
    new = stack.flink.the_job()
    (blue,) = [job for job in stack.flink.jobs_by_id.values() if job is not new]
    record = stack.up(green())
    assert stack.flink.the_job() is new
    assert (blue.savepoint, "UPDATE") in {(each.path, each.reason) for each in record.savepoints}


def test_a_version_that_fails_after_the_stop_gives_way_to_the_end_of_the_old_one() -> None:
    stack = cut_short_after_the_stop()
    new = stack.flink.the_job()
    (blue,) = [job for job in stack.flink.jobs_by_id.values() if job is not new]
    new.program = replace(new.program, restarts=True)
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(green(health={"window": "30s"}, timeouts={"running": "5s"}))
    assert stack.flink.the_job().restored_from == blue.savepoint


def test_a_version_that_is_on_its_way_is_waited_for() -> None:
    """Shows that a submission whose main runs on is not forgotten by a deletion."""
    stack = running(MODE)
    stack.flink.kill_before = "submit"
    with pytest.raises(BaseException, match="submit"):
        stack.up(green())
    stack.flink.kill_before = ""
    stack.flink.mains = {"main of New"}
    (mark,) = [mark for _, mark in stack.flink.marked]
    late = submission(green(), jar(green()), 2, next(iter(stack.flink.progress_in)))
    seen: list[str] = []

    def arrive(step: str) -> None:
        if step == "jobs" and stack.flink.mains:
            seen.append(step)
            if len(seen) == 3:
                stack.flink.mains = set()
                stack.flink.submit_by_hand(late)
                stack.flink.jobs_by_id[mark.job_id] = stack.flink.jobs_by_id.pop(late.job_id)
                stack.flink.jobs_by_id[mark.job_id].job_id = mark.job_id

    stack.flink.on_step = arrive
    stack.destroy()
    assert len(stack.flink.jobs_by_id) == 2
    assert stack.flink.active() == []


def test_an_answer_that_is_lost_leaves_both_for_the_next_run() -> None:
    stack = running(MODE)
    blue = stack.flink.the_job()
    stack.flink.loses = {"submitted"}
    with pytest.raises(ClusterUnreachable) as caught:
        stack.up(green())
    assert f"Job {blue.job_id} was not stopped; how it is now is not known." in str(caught.value)
    stack.up(green())
    is_up(stack, green())
    assert len(stack.flink.submissions) == 2


def test_of_two_runs_at_once_one_version_goes_on() -> None:
    """Shows that the later one gives way, and leaves the old version to the other run."""
    stack = running(MODE)
    blue = stack.flink.the_job()
    stack.flink.pass_time(CHECKPOINT_INTERVAL)
    theirs = green("Theirs")

    def accept(step: str) -> None:
        if step == "submitted" and len(stack.flink.jobs_by_id) == 2:
            path = str(stack.flink.submissions[-1].restore_from)
            other = submission(theirs, jar(theirs), 2, path)
            stack.flink.submit_by_hand(other).submitted -= 1

    stack.flink.on_step = accept
    with pytest.raises(PermanentError, match="another run started version 2 meanwhile"):
        stack.up(green())
    assert len(stack.flink.active()) == 2
    assert blue in stack.flink.active()


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("lost", ["both", "green"])
def test_a_cluster_that_loses_versions_is_reported_as_that(lost: str, gated: bool) -> None:
    """Shows that no check of the gate is blamed, and how the old version is."""
    stack = running(MODE)
    blue, submitted = stack.flink.the_job().job_id, len(stack.flink.submissions)

    def lose(step: str) -> None:
        if step == "checkpointed" and lost == "both":
            stack.flink.restart_job_manager()
        elif step == "checkpointed":
            stack.flink.jobs_by_id = {blue: stack.flink.jobs_by_id[blue]}

    stack.flink.on_step = lose
    with pytest.raises(JobVanished) as caught:
        stack.up(green(health={"window": "20s"} if gated else None))
    assert "health" not in str(caught.value)
    assert "the cluster no longer lists it" in caught.value.happened
    how = {
        "both": f"job {blue}, which ran alongside it, is not listed either",
        "green": f"Job {blue} was not stopped, and goes on as it was",
    }
    assert how[lost] in caught.value.now
    assert len(stack.flink.submissions) == submitted + 1


def test_how_the_old_version_is_on_a_cluster_that_is_away_is_not_claimed() -> None:
    stack = running(MODE)
    blue = stack.flink.the_job().job_id

    def part(step: str) -> None:
        if step == "checkpointed":
            stack.flink.unreachable = 1_000_000

    stack.flink.on_step = part
    with pytest.raises(ClusterUnreachable) as caught:
        stack.up(green(health={"window": "20s"}))
    assert f"Job {blue} was not stopped; how it is now is not known" in caught.value.now
