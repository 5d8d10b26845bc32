"""A version with a health gate: what is compared, what follows, and what a killed run leaves."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.model.action import ActionResult, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, GateFailed, JobVanished
from flink_jobs_provider.model.record import JobRecord
from tests.unit.reconciling.flink.fake_flink import RETAINED, Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack

GATE: dict[str, Any] = {"window": "20s"}


def running(**programs: Program) -> Stack:
    """Return a stack whose first version has run for a minute, with other versions at hand."""
    stack = Stack()
    stack.flink.programs["First"] = Program(output_rate=5.0, lag_ms=1000)
    stack.flink.programs |= programs
    stack.up(entry_class="First")
    stack.flink.pass_time(61)
    return stack


UNHEALTHY: dict[str, tuple[Program, dict[str, Any], str, str]] = {
    "restarts": (Program(restarts_after=4.0), {}, "max_restarts", "its tasks failed 1 time"),
    "fails": (Program(fails_after=4.0), {}, "max_restarts", "the job is FAILED"),
    "is silent": (
        Program(output_rate=0.0),
        {"require_output": True},
        "require_output",
        "none in 2",
    ),
    "falls silent": (
        Program(output_rate=5.0, silent_after=3.0),
        {"require_output": True},
        "require_output",
        "5.0/s before",
    ),
    "has slow checkpoints": (
        Program(checkpoint_ms=900),
        {"max_checkpoint_slowdown": 5},
        "max_checkpoint_slowdown",
        "checkpoints take 900 ms, 50 ms before",
    ),
    "falls behind": (
        Program(lag_ms=40_000),
        {"max_lag_growth": "30s"},
        "max_lag_growth",
        "it is 40.0 s behind in event time, 1.0 s before",
    ),
    "has too few checkpoints": (
        Program(),
        {"min_checkpoints": 4},
        "min_checkpoints",
        "of 4 checkpoints completed in ",
    ),
}


@pytest.mark.parametrize("case", UNHEALTHY)
def test_the_check_is_named_and_the_previous_version_runs_again(case: str) -> None:
    program, gate, check, words = UNHEALTHY[case]
    stack = running(New=program)
    before = stack.recorded
    health, timeouts = {**GATE, **gate}, {"running": "60s"}
    with pytest.raises(ActionFailed) as caught:
        stack.up(entry_class="New", health=health, timeouts=timeouts)
    assert f"did not pass its health gate: health.{check}: " in caught.value.happened
    assert words in caught.value.happened
    again = stack.flink.the_job()
    assert again.program == stack.flink.programs["First"]
    assert caught.value.now.startswith(f"The previous version runs again as job {again.job_id}")
    assert again.base > 0
    assert stack.recorded == before


def test_a_cluster_that_loses_the_version_is_no_failure_of_it() -> None:
    """Shows that no check is blamed, and nothing else started: the next run goes on from it."""
    stack = running(New=Program())
    submitted = len(stack.flink.submissions)

    def lose(step: str) -> None:
        if step == "checkpointed":
            stack.flink.restart_job_manager()

    stack.flink.on_step = lose
    with pytest.raises(JobVanished) as caught:
        stack.up(entry_class="New", health=GATE)
    assert "health" not in str(caught.value)
    assert "the cluster no longer lists it" in caught.value.happened
    assert "its JobManager may have restarted" in caught.value.now
    assert len(stack.flink.submissions) == submitted + 1


def test_a_failure_names_its_cause() -> None:
    stack = running(New=Program(restarts_after=4.0, late_error="RuntimeException: poison"))
    with pytest.raises(ActionFailed, match="RuntimeException: poison"):
        stack.up(entry_class="New", health=GATE)


def test_a_healthy_version_passes_after_its_window() -> None:
    stack = running(New=Program(output_rate=5.0, lag_ms=1000))
    gate = {"require_output": True, "max_checkpoint_slowdown": 2, "max_lag_growth": "10s"}
    began = stack.time.now()
    record = stack.up(entry_class="New", health={**GATE, **gate})
    assert record.status is JobStatus.RUNNING
    assert 20 <= stack.time.now() - began < 26
    [line] = [line for line in stack.said if "health gate passed" in line]
    assert "0 restarts, 2 checkpoints of 50 ms (50 before)" in line
    assert not [line for line in stack.said if "left aside" in line]


@pytest.mark.parametrize(("checkpoints", "window"), [(True, 30), (False, 10)])
def test_the_window_is_as_the_job_checkpoints(checkpoints: bool, window: int) -> None:
    stack = running(New=Program(checkpoints=checkpoints))
    began = stack.time.now()
    stack.up(entry_class="New", health={}, settle_time="10s")
    assert window <= stack.time.now() - began < window + 4


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    """Shows also that nothing is lost of one that does not pass: it is stopped with a savepoint."""
    stack = Stack()
    gate = {**GATE, "require_output": True, "max_checkpoint_slowdown": 2, "max_lag_growth": "9s"}
    stack.up(health=gate)
    assert len([line for line in stack.said if "left aside: of no earlier version" in line]) == 3
    stack = Stack()
    stack.flink.programs["New"] = Program(restarts_after=4.0)
    with pytest.raises(ActionFailed, match=r"Nothing of it runs; its state is in ") as caught:
        stack.up(entry_class="New", health=GATE)
    assert not stack.flink.active()
    [path] = [path for path in stack.flink.progress_in if path in caught.value.now]
    assert stack.flink.progress_in[path] > 0


def test_a_version_that_has_committed_gives_its_state_to_the_previous_one() -> None:
    """Shows that what its sinks have committed by checkpoints is not written again."""
    stack = running(New=Program(checkpoint_ms=900))
    with pytest.raises(ActionFailed) as caught:
        stack.up(entry_class="New", health={**GATE, "max_checkpoint_slowdown": 2})
    again, ended = stack.flink.the_job(), list(stack.flink.jobs_by_id.values())[-2]
    assert ended.stopped_with_savepoint
    assert again.base == ended.progress_at_end
    assert "it goes on from what the new version has done" in caught.value.now


def test_a_version_that_has_swallowed_records_does_not() -> None:
    stack = running(New=Program(output_rate=0.0))
    with pytest.raises(ActionFailed) as caught:
        stack.up(entry_class="New", health={**GATE, "require_output": True})
    first, again = next(iter(stack.flink.jobs_by_id.values())), stack.flink.the_job()
    assert again.base == first.progress_at_end
    assert "written again" not in caught.value.now


def test_the_savepoint_of_before_is_the_last_way_back() -> None:
    """Shows it of a version that fails, and leaves no checkpoint."""
    stack = running(New=Program(fails_after=9.0))
    with pytest.raises(ActionFailed) as caught:
        stack.up(entry_class="New", health=GATE)
    first, again = next(iter(stack.flink.jobs_by_id.values())), stack.flink.the_job()
    assert again.base == first.progress_at_end
    assert "what the new version has committed since is written again" in caught.value.now


def test_a_failed_version_leaves_its_retained_checkpoint() -> None:
    stack = running(New=Program(fails_after=9.0))
    with pytest.raises(ActionFailed) as caught:
        stack.up(entry_class="New", health=GATE, flink_configuration=RETAINED)
    first, again = next(iter(stack.flink.jobs_by_id.values())), stack.flink.the_job()
    assert again.base > first.progress_at_end
    assert "written again" not in caught.value.now


def test_a_previous_version_that_cannot_read_the_newer_state_starts_from_its_own() -> None:
    stack = running(New=Program(checkpoint_ms=900))
    old = stack.flink.programs["First"]

    def refuse(step: str) -> None:
        if step == "stop done" and len(stack.flink.submissions) == 2:
            stack.flink.programs["First"] = Program(state_error="StateMigrationException")
        if step == "submit" and len(stack.flink.submissions) == 3:
            stack.flink.programs["First"] = old

    stack.flink.on_step = refuse
    with pytest.raises(ActionFailed) as caught:
        stack.up(entry_class="New", health={**GATE, "max_checkpoint_slowdown": 2})
    first, again = next(iter(stack.flink.jobs_by_id.values())), stack.flink.the_job()
    assert again.base == first.progress_at_end
    assert "what the new version has committed since is written again" in caught.value.now


def test_restarts_and_exceptions_are_allowed_as_asked_for() -> None:
    stack = running(New=Program(restarts_after=4.0))
    assert stack.up(entry_class="New", health={**GATE, "max_restarts": 1}).generation == 2
    stack = running(New=Program(restarts_after=4.0))
    gate = {**GATE, "max_restarts": 1, "max_exceptions": 0}
    with pytest.raises(ActionFailed, match="Flink lists 1 exception, and at most 0"):
        stack.up(entry_class="New", health=gate)


# Kept versions


def kept(**gate: Any) -> tuple[Stack, JobRecord]:
    """Return a stack whose version was kept, and what is recorded of it."""
    stack = running(New=Program(output_rate=0.0))
    health = {**GATE, "require_output": True, "on_failure": "keep", **gate}
    with pytest.raises(GateFailed) as caught:
        stack.up(entry_class="New", health=health)
    assert isinstance(caught.value.partial, JobRecord)
    stack.record = caught.value.partial
    return stack, caught.value.partial


def test_a_version_that_is_kept_is_recorded() -> None:
    stack, record = kept()
    job = stack.flink.the_job()
    assert record.job_id == job.job_id
    assert record.spec.entry_class == "New"
    assert record.action_result is ActionResult.FAILED
    assert record.gate_failed is not None
    assert record.gate_failed.check == "require_output"
    assert record.gate_failed.earlier.output_rate == 5.0
    assert JobRecord.from_outputs(record.outputs()) == record


def test_a_kept_version_is_watched_again_and_compared_with_the_same_numbers() -> None:
    stack, record = kept()
    job, wanted = stack.flink.the_job(), record.spec
    planned = stack.plan(wanted)
    assert planned.needed
    assert planned.line().startswith("orders: no restart, watched through its health gate again: ")
    with pytest.raises(GateFailed, match=r"health.require_output: .* 5.0/s before"):
        stack.up(wanted)
    assert stack.flink.the_job() is job
    stack.flink.programs["New"] = Program(output_rate=5.0)
    job.program = stack.flink.programs["New"]
    record = stack.up(wanted)
    assert record.gate_failed is None
    assert record.action_result is ActionResult.SUCCESS
    assert stack.flink.the_job() is job
    assert not stack.plan(wanted).needed


def test_a_kept_version_is_accepted_without_a_gate() -> None:
    stack, record = kept()
    job = stack.flink.the_job()
    record = stack.up(record.spec.model_copy(update={"health": None}))
    assert record.gate_failed is None
    assert stack.flink.the_job() is job


def test_a_refresh_does_not_forget_that_a_gate_was_not_passed() -> None:
    stack, record = kept()
    assert stack.refresh().gate_failed == record.gate_failed
    assert stack.plan(record.spec).needed


def test_what_a_kept_version_failed_of_before_does_not_count_again() -> None:
    stack = running(New=Program(restarts_after=4.0))
    with pytest.raises(GateFailed) as caught:
        stack.up(entry_class="New", health={**GATE, "on_failure": "keep"})
    assert isinstance(caught.value.partial, JobRecord)
    stack.record = caught.value.partial
    stack.flink.pass_time(61)
    assert stack.up(stack.record.spec).gate_failed is None


def test_a_refresh_that_finds_another_version_does_not_show_the_gate_of_the_former() -> None:
    stack, record = kept()
    stack.flink.programs["Fixed"] = Program(output_rate=5.0)
    stack.up(record.spec.model_copy(update={"entry_class": "Fixed"}))
    stack.record = record  # as a run that was killed leaves it
    assert stack.refresh().gate_failed is None


def test_another_version_replaces_a_kept_one() -> None:
    stack, record = kept()
    stack.flink.programs["Fixed"] = Program(output_rate=5.0)
    record = stack.up(record.spec.model_copy(update={"entry_class": "Fixed"}))
    assert record.gate_failed is None
    assert record.generation == 3


def test_a_version_that_has_ended_is_not_kept() -> None:
    stack = running(New=Program(fails_after=4.0))
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(entry_class="New", health={**GATE, "on_failure": "keep"})


# Killed runs


@pytest.mark.parametrize(
    ("program", "passes"), [(Program(checkpoint_ms=900), False), (Program(), True)]
)
def test_the_next_run_judges_a_version_whose_gate_a_killed_run_began(
    program: Program, passes: bool
) -> None:
    """Shows that it compares with the checkpoints of the version before, which has ended."""
    stack = running(New=program)
    wanted: dict[str, Any] = {
        "entry_class": "New",
        "health": {**GATE, "max_checkpoint_slowdown": 2},
    }

    def kill(step: str) -> None:
        started = len(stack.flink.submissions) == 2
        if step == "vital signs" and started and stack.flink.the_job().completed > 1:
            raise Killed(step)

    stack.flink.on_step = kill
    with pytest.raises(Killed):
        stack.up(**wanted)
    stack.flink.on_step = lambda _step: None
    if passes:
        assert stack.up(**wanted).generation == 2
        return
    with pytest.raises(ActionFailed) as caught:
        stack.up(**wanted)
    assert "checkpoints take 900 ms, 50 ms before" in caught.value.happened
    assert "The previous version runs again" in caught.value.now
    assert stack.flink.the_job().program == stack.flink.programs["First"]


def test_a_version_that_a_killed_run_was_stopping_is_not_taken_for_finished() -> None:
    """Shows that the stop is waited for, and the job goes on from its savepoint."""
    stack = running(New=Program(checkpoint_ms=900))
    wanted: dict[str, Any] = {
        "entry_class": "New",
        "health": {**GATE, "max_checkpoint_slowdown": 2},
    }

    def kill(step: str) -> None:
        if step == "stop triggered" and len(stack.flink.submissions) == 2:
            raise Killed(step)

    stack.flink.on_step = kill
    with pytest.raises(Killed):
        stack.up(**wanted)
    stack.flink.on_step = lambda _step: None
    stopping = stack.flink.the_job()
    assert stack.up(**wanted).status is JobStatus.RUNNING
    assert stack.flink.the_job().restored_from == stopping.savepoint
    assert not [line for line in stack.said if "health gate passed: 0 s" in line]


def test_a_version_that_has_run_before_is_never_ended_by_an_adoption() -> None:
    """Shows it of a rollback that the program accepts: nothing else would run."""
    stack = running(New=Program(checkpoint_ms=900))
    with pytest.raises(ActionFailed):
        stack.up(entry_class="New", health={**GATE, "max_checkpoint_slowdown": 2})
    job = stack.flink.the_job()
    with pytest.raises(ActionFailed, match="was left running"):
        stack.up(
            entry_class="First", health={**GATE, "min_checkpoints": 99}, timeouts={"running": "20s"}
        )
    assert stack.flink.the_job() is job
