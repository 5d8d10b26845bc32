"""Rehearsals: the running version is not touched, the copy is ended, and no kill leaves more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.errors import (
    ActionFailed,
    JobError,
    PermanentError,
    RehearsalFailed,
)
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.model.made_up_jobs import DIGEST_2
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import FakeJob, Program
from tests.unit.reconciling.flink.stack import Stack, jar
from tests.unit.reconciling.flink.test_crashes import PAUSES, each_step, is_up
from tests.unit.reconciling.flink.test_matrix import version

REHEARSAL: dict[str, Any] = {"args": ["--topic", "elsewhere"], "window": "5s"}


def running(slots: int = 24, **programs: Program) -> Stack:
    """Return a stack whose first version has run for a minute, with other versions at hand."""
    stack = Stack(slots=slots)
    stack.flink.programs |= programs
    stack.up(version("Old", "savepoint"))
    stack.flink.pass_time(61)
    return stack


def new(entry: str = "New", **inputs: Any) -> JobSpec:
    """Return a version that is rehearsed."""
    mode = inputs.pop("upgrade_mode", "savepoint")
    return version(entry, mode, **{"rehearsal": REHEARSAL, **inputs})


def copies(flink: FakeFlink) -> list[FakeJob]:
    """Return the jobs that are rehearsals."""
    prefix = new().key.rehearsal.prefix
    return [job for job in flink.jobs_by_id.values() if job.job_id.startswith(prefix)]


def test_a_copy_runs_from_a_savepoint_before_the_old_version_is_stopped() -> None:
    stack = running()
    (old,) = stack.flink.active()
    wanted = new()
    seen: list[bool] = []
    stack.flink.on_step = lambda step: seen.append(old.active) if step == "cancel" else None
    assert stack.plan(wanted).line().startswith("orders: REHEARSE, then UPDATE, stop with save")
    stack.up(wanted)
    _, copy, version_2 = stack.flink.submissions
    assert seen == [True]
    assert copy.spec.args == REHEARSAL["args"]
    assert copy.restore_from != version_2.restore_from
    assert [each.purpose for each in stack.flink.savepoint_requests] == ["savepoint", "stop"]
    assert [job.state for job in copies(stack.flink)] == ["CANCELED"]
    assert not copies(stack.flink)[0].retains
    is_up(stack, wanted)
    reasons = {known.path: known.reason for known in stack.recorded.savepoints}
    assert reasons[str(copy.restore_from)] is SavepointReason.REHEARSAL
    assert stack.recorded.last_savepoint == version_2.restore_from
    assert any("rehearsal of orders: health gate passed: " in line for line in stack.said)


FAILING: dict[str, tuple[Program, dict[str, Any], str]] = {
    "cannot read the state": (
        Program(state_error="StateMigrationException: no"),
        {},
        "did not start: StateMigrationException: no",
    ),
    "fails soon": (
        Program(fails_after=3.0),
        {},
        "did not pass its health gate: health.max_restarts: ",
    ),
    "has slow checkpoints": (
        Program(checkpoint_ms=900),
        {"health": {"max_checkpoint_slowdown": 5, "on_failure": "keep"}},
        "health.max_checkpoint_slowdown: checkpoints take 900 ms, 50 ms before",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_failing_rehearsal_leaves_the_job_as_it_was(case: str) -> None:
    program, inputs, words = FAILING[case]
    stack = running(New=program)
    (old,), jars = stack.flink.active(), set(stack.flink.jars)
    with pytest.raises(RehearsalFailed) as caught:
        stack.up(new(jar_digest=DIGEST_2, **inputs))
    assert caught.value.happened.startswith("orders: the rehearsal of the new version ")
    assert words in caught.value.happened
    assert f"job {old.job_id} goes on: this run has not stopped it" in caught.value.now
    assert stack.flink.the_job() is old
    assert all(not request.stops for request in stack.flink.savepoint_requests)
    assert stack.flink.jars == jars
    after = caught.value.partial
    assert isinstance(after, JobRecord)
    assert (after.job_id, after.action_result) == (old.job_id, ActionResult.FAILED)
    assert after.savepoints[0].reason is SavepointReason.REHEARSAL
    assert after.last_savepoint == stack.recorded.last_savepoint
    stack.record = after
    stack.flink.programs["New"] = Program()
    stack.up(new())
    is_up(stack, new())


def test_slots_for_both_are_checked_before_anything_is_done() -> None:
    stack = running(slots=3)
    (old,) = stack.flink.active()
    with pytest.raises(PermanentError) as caught:
        stack.up(new())
    assert caught.value.happened == (
        f"rehearsal of orders: 2 task slots are needed alongside job {old.job_id}, which goes on; "
        "1 are free."
    )
    assert not stack.flink.savepoint_requests
    assert not copies(stack.flink)
    stack.up(new(rehearsal={**REHEARSAL, "parallelism": 1}))
    assert [job.parallelism for job in copies(stack.flink)] == [1]


@pytest.mark.parametrize("rehearsal", [{}, {"parallelism": 1}, {"args": ["--now"]}])
def test_a_rehearsal_that_would_write_where_the_job_does_is_refused(
    rehearsal: dict[str, Any],
) -> None:
    stack = running()
    wanted = new(rehearsal=rehearsal, args=["--now"])
    refused = stack.plan(wanted).refusal
    assert refused.startswith("orders: rehearsal: must have args or flink_configuration other than")
    with pytest.raises(PermanentError, match="must have args"):
        stack._run(stack._reconciler().bring_about(stack.recorded, wanted, jar(wanted)))
    assert not stack.flink.savepoint_requests


NOT_REHEARSED: dict[str, tuple[Callable[[Stack], object], dict[str, Any], str]] = {
    "last-state": (
        lambda _stack: None,
        {"upgrade_mode": "last-state"},
        "last-state takes no savepoint of a running job",
    ),
    "stateless": (
        lambda _stack: None,
        {"upgrade_mode": "stateless"},
        "it starts without state",
    ),
    "restore_from": (
        lambda _stack: None,
        {"restore_from": "/savepoint-1"},
        "it starts from restore_from, not from the state of now",
    ),
    "start": (
        lambda stack: stack.up(version("Old", "savepoint", desired_state="stopped")),
        {},
        "no version runs whose state it could start from",
    ),
}


@pytest.mark.parametrize("case", NOT_REHEARSED)
def test_the_plan_says_why_a_start_is_not_rehearsed(case: str) -> None:
    before, inputs, why = NOT_REHEARSED[case]
    stack = Stack()
    stack.up(version("Old", "savepoint"))
    stack.flink.pass_time(61)
    before(stack)
    stack.flink.progress_in["/savepoint-1"] = 7
    wanted = new(**inputs)
    assert f"; not rehearsed, since {why}" in stack.plan(wanted).line()
    stack.up(wanted)
    is_up(stack, wanted)
    assert not copies(stack.flink)


def test_a_first_start_and_what_starts_nothing() -> None:
    stack = Stack()
    first = "; not rehearsed, since no version runs whose state it could start from"
    assert first in stack.plan(new()).line()
    stack.up(version("Old", "savepoint"))
    assert stack.plan(new("Old")).line() == "orders: no action, recorded only: rehearsal changed"


# Killed runs


def test_a_refresh_finds_a_rehearsal_that_a_killed_run_left_and_the_plan_ends_it() -> None:
    """Shows it of a program that was set back to what runs, so that nothing else is to be done."""
    for stack in each_step(running, lambda s: s.up(new()), 0):
        if len(stack.flink.active()) == 2:
            break
    (copy,) = (job for job in copies(stack.flink) if job.active)
    record = stack.refresh()
    assert (record.rehearsals, record.duplicates) == ([copy.job_id], [])
    plan = stack.plan(record.spec)
    assert plan.line() == (
        "orders: no restart, end the rehearsal that an earlier run left, job " + copy.job_id
    )
    assert stack.up(record.spec).rehearsals == []
    assert stack.flink.the_job().job_id == record.job_id
    assert "rehearsals" not in stack.recorded.outputs()


AFTERWARDS: dict[str, JobSpec] = {
    "the same": new(),
    "no rehearsal": version("New", "savepoint"),
    "back": version("Old", "savepoint"),
    "another": new("Other"),
    "stopped": version("New", "savepoint", desired_state="stopped"),
}


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("to", AFTERWARDS)
def test_what_a_killed_rehearsal_leaves_is_ended_by_the_next_run(to: str, pause: float) -> None:
    wanted, left_over = AFTERWARDS[to], 0
    for stack in each_step(running, lambda s: s.up(new()), pause):
        so_far = kept(stack)
        left_over += any(job.active for job in copies(stack.flink))
        if to == "back":
            stack.refresh()
        stack.up(wanted)
        assert not any(job.active for job in copies(stack.flink))
        if to == "stopped":
            assert not stack.flink.active()
        else:
            assert stack.flink.progress(stack.flink.the_job()) >= so_far
            assert stack.flink.the_job().job_id == stack.recorded.job_id
            stack.refresh()
        assert not stack.plan(wanted).needed
        # What a copy has done is nobody's: nothing has started from it.
        assert all(each.restore_from not in own(stack) for each in stack.flink.submissions)
    assert left_over > 3


def kept(stack: Stack) -> int:
    """Return the progress that must not be lost: of what runs, or of the newest kept state."""
    flink, theirs = stack.flink, own(stack)
    active = [flink.progress(job) for job in flink.active() if job not in copies(flink)]
    return max(active or [done for path, done in flink.progress_in.items() if path not in theirs])


def own(stack: Stack) -> set[str]:
    """Return the snapshots of rehearsals."""
    ids = [job.job_id for job in copies(stack.flink)]
    return {path for path in stack.flink.progress_in if any(one in path for one in ids)}


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint", "release"])
def test_what_a_killed_rehearsal_leaves_is_ended_by_a_destroy(on_delete: str) -> None:
    left_over = 0
    for stack in each_step(running, lambda s: s.up(new()), 0):
        left_over += any(job.active for job in copies(stack.flink))
        spec = stack.recorded.spec.model_copy(update={"on_delete": OnDelete(on_delete)})
        stack.record = stack.recorded.model_copy(update={"spec": spec})
        with suppress(ActionFailed):  # the killed run's stop is seen to its end
            stack.destroy()
        if stack.record:
            stack.destroy()
        assert not any(job.active for job in copies(stack.flink))
        assert on_delete == "release" or not stack.flink.active()
    assert left_over > 3


def test_of_two_runs_one_fails_and_the_job_goes_through_one_upgrade() -> None:
    """Shows it of a run that begins while another one watches its copy."""
    stack, other = running(), None

    def begin_another(step: str) -> None:
        nonlocal other
        if step == "vital signs" and other is None and len(stack.flink.submissions) == 2:
            other = stack.recorded
            stack.flink.on_step = lambda _step: None
            for job in copies(stack.flink):
                stack.flink.end(job, "CANCELED")

    stack.flink.on_step = begin_another
    with pytest.raises(RehearsalFailed, match="the job is CANCELED"):
        stack.up(new())
    assert other is not None
    assert all(not request.stops for request in stack.flink.savepoint_requests)
    stack.up(new())
    is_up(stack, new())


@pytest.mark.parametrize("passes", [True, False])
def test_a_job_that_ends_while_its_next_version_is_rehearsed_is_not_said_to_go_on(
    *, passes: bool
) -> None:
    """Shows it of a cancel from outside, of a rehearsal that passes and of one that does not."""
    stack = running(New=Program() if passes else Program(fails_after=3.0))
    (old,) = stack.flink.active()

    def cancel(step: str) -> None:
        if step == "vital signs" and len(stack.flink.submissions) == 2 and old.active:
            stack.flink.end(old, "CANCELED")

    stack.flink.on_step = cancel
    with pytest.raises(JobError) as caught:
        stack.up(new())
    printed = [*stack.said, caught.value.now]
    assert not any("not interrupted" in text or "goes on:" in text for text in printed)
    assert any(f"{old.job_id} has ended meanwhile: it is CANCELED" in text for text in printed)
    assert isinstance(caught.value, RehearsalFailed) is not passes
    assert not stack.flink.active()


def test_a_start_that_was_planned_as_a_rehearsed_update_says_that_it_is_not_rehearsed() -> None:
    """Shows it of a job that ended after it was read last."""
    stack = running()
    (old,) = stack.flink.active()
    stack.flink.end(old, "CANCELED")
    line = "orders: not rehearsed, since no version runs whose state it could start from"
    assert stack.plan(new()).rehearses
    stack.up(new())
    assert line in stack.said
    assert not copies(stack.flink)
    stack.said.clear()
    stack.flink.end(stack.flink.the_job(), "CANCELED")
    stack.refresh()
    assert line.removeprefix("orders: ") in stack.plan(new(args=["--now"])).line()
    stack.up(new(args=["--now"]))
    assert line not in stack.said, "the plan said so"
