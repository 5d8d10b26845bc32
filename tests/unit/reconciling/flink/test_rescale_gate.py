"""A rescale while the job runs, judged by its health gate: what is compared, and what follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.model.errors import ActionFailed, GateFailed, JobVanished
from flink_jobs_provider.model.observation import VitalSigns
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_declared_rescaling import assert_runs_in_place
from tests.unit.reconciling.flink.test_matrix import version

GATE: dict[str, Any] = {"window": "20s"}
HEALTHY = Program(output_rate=5.0, lag_ms=1000)


def declared(parallelism: int, **health: Any) -> JobSpec:
    """Return the job with a parallelism and a gate."""
    gate = {**GATE, **health}
    timeouts = {"running": "60s"}
    return version(
        "Old",
        "savepoint",
        parallelism=parallelism,
        health=gate,
        timeouts=timeouts,
    )


def rescalable(becomes: Program = HEALTHY) -> Stack:
    """Return a job with a parallelism of 2, whose program behaves so once it has another one."""
    stack = Stack()
    stack.flink.programs["Old"] = HEALTHY
    stack.flink.cluster = replace(stack.flink.cluster, adaptive=True, fixed_slots=False)
    stack.up(declared(2).model_copy(update={"health": None}))
    stack.flink.pass_time(100)
    stack.said.clear()
    job = stack.flink.the_job()

    def change(step: str) -> None:
        if step == "rescaled":
            job.base = stack.flink.progress(job)
            job.up_at, job.restarted_at = stack.time.now(), None
            job.running_tasks = job.parallelism
            job.program = becomes if job.bounds["all"] != 2 else HEALTHY
            if not job.program.comes_up:
                job.up_at, job.running_tasks = None, 0

    stack.flink.on_step = change
    return stack


UNHEALTHY: dict[str, tuple[Program, dict[str, Any], str, str]] = {
    "restarts": (replace(HEALTHY, restarts_after=4.0), {}, "max_restarts", "its tasks failed 1 "),
    "falls silent": (
        replace(HEALTHY, silent_after=0.0),
        {"require_output": True},
        "require_output",
        "5.0/s before",
    ),
    "has slow checkpoints": (
        replace(HEALTHY, checkpoint_ms=900),
        {"max_checkpoint_slowdown": 5},
        "max_checkpoint_slowdown",
        "checkpoints take 900 ms, 50 ms before",
    ),
    "falls behind": (
        replace(HEALTHY, lag_ms=40_000),
        {"max_lag_growth": "30s"},
        "max_lag_growth",
        "it is 40.0 s behind in event time, 1.0 s before",
    ),
    "has too few checkpoints": (
        HEALTHY,
        {"min_checkpoints": 7},
        "min_checkpoints",
        "of 7 checkpoints completed in ",
    ),
}


@pytest.mark.parametrize("case", UNHEALTHY)
def test_the_check_is_named_and_the_parallelism_is_set_back(case: str) -> None:
    """Shows that what the job did before the rescale is compared with, and does not count."""
    program, gate, check, words = UNHEALTHY[case]
    stack = rescalable(program)
    job, before = stack.flink.the_job(), stack.recorded
    assert stack.plan(declared(4, **gate)).summary.endswith("; health gate 20s")
    with pytest.raises(ActionFailed) as caught:
        stack.up(declared(4, **gate))
    assert f"with parallelism 4 it did not pass its health gate: health.{check}: " in str(
        caught.value
    )
    assert words in caught.value.happened
    assert caught.value.now == f"Job {job.job_id} was rescaled back to parallelism 2."
    assert (stack.flink.the_job(), job.bounds, job.parallelism) == (job, {"all": 2}, 2)
    assert len(stack.flink.submissions) == 1
    assert stack.recorded == before
    assert stack.refresh().rescaled is None


def test_one_that_is_healthy_passes_with_its_numbers() -> None:
    gate = {"require_output": True, "max_checkpoint_slowdown": 2, "max_lag_growth": "10s"}
    stack = rescalable()
    job, began = stack.flink.the_job(), stack.time.now()
    stack.up(declared(4, **gate))
    assert_runs_in_place(stack, job.job_id, 4)
    assert 20 <= stack.time.now() - began < 40
    [line] = [line for line in stack.said if "health gate passed" in line]
    assert "0 restarts, 2 checkpoints of 50 ms (50 before)" in line
    assert not [line for line in stack.said if "left aside" in line]


def test_what_it_failed_of_before_does_not_count() -> None:
    stack = rescalable()
    job = stack.flink.the_job()
    job.failure, job.restarted_at = "RuntimeException: long ago", stack.time.now() - 50
    before = stack.flink.on_step
    job.program = replace(HEALTHY, restarts_after=1.0)

    def restarted_before(step: str) -> None:
        """Leave the failure of before listed, and let no other one happen."""
        at = job.restarted_at
        before(step)
        job.restarted_at = at

    stack.flink.on_step = restarted_before
    assert stack.up(declared(4)).spec.parallelism == 4
    assert job.vital_signs(stack.time.now(), load=False).exceptions


@pytest.mark.parametrize("retained", [True, False])
def test_one_that_fails_is_started_again_as_it_was_from_its_newest_checkpoint(
    retained: bool,
) -> None:
    """Shows also that without a checkpoint nothing is started from an old savepoint at once."""
    stack = rescalable(replace(HEALTHY, fails_after=9.0))
    job, before = stack.flink.the_job(), stack.recorded
    stack.up(declared(2).model_copy(update={"savepoint_trigger": "1"}))
    job.retains = retained
    wanted = declared(4).model_copy(update={"savepoint_trigger": "1"})
    with pytest.raises(ActionFailed) as caught:
        stack.up(wanted)
    assert "version 1 with parallelism 4 did not pass its health gate: health.max_restarts: " in (
        caught.value.happened
    )
    if not retained:
        assert stack.flink.active() == []
        assert "has left no checkpoint" in caught.value.now
        return
    again = stack.flink.the_job()
    assert again.parallelism == 2
    assert again.restored_from.startswith(f"{job.checkpoints_below}/{job.job_id}/chk-")
    assert again.base > 900, "it goes on from what it did rescaled"
    assert f"The previous version runs again as job {again.job_id}, from " in caught.value.now
    assert isinstance(caught.value.partial, JobRecord)
    assert caught.value.partial.spec.parallelism == before.spec.parallelism == 2
    stack.record = caught.value.partial
    assert (stack.refresh().job_id, stack.recorded.generation) == (again.job_id, 2)
    assert not stack.plan(stack.recorded.spec).needed


def test_one_that_fails_while_it_is_rescaled_back_is_started_again_as_it_was() -> None:
    """Shows a job whose restarts, which the gate has seen, are exhausted on the way back."""
    stack = rescalable(replace(HEALTHY, restarts_after=4.0))
    job, before = stack.flink.the_job(), stack.recorded
    stack.up(declared(2).model_copy(update={"savepoint_trigger": "1"}))
    change, rescales = stack.flink.on_step, 0

    def fail_on_the_way_back(step: str) -> None:
        nonlocal rescales
        change(step)
        rescales += step == "rescaled"
        if step == "rescaled" and rescales == 2:
            job.end("FAILED", stack.time.now(), "RuntimeException: once too often")

    stack.flink.on_step = fail_on_the_way_back
    with pytest.raises(ActionFailed) as caught:
        stack.up(declared(4).model_copy(update={"savepoint_trigger": "1"}))
    assert "with parallelism 4 did not pass its health gate: health.max_restarts: " in (
        caught.value.happened
    )
    again = stack.flink.the_job()
    assert (again.parallelism, again.job_id != job.job_id) == (2, True)
    assert again.restored_from.startswith(f"{job.checkpoints_below}/{job.job_id}/chk-")
    assert f"The previous version runs again as job {again.job_id}, from " in caught.value.now
    assert isinstance(caught.value.partial, JobRecord)
    assert caught.value.partial.spec.parallelism == before.spec.parallelism == 2


def test_one_that_never_comes_up_again_is_rescaled_back() -> None:
    stack = rescalable(replace(HEALTHY, comes_up=False))
    job = stack.flink.the_job()
    with pytest.raises(ActionFailed, match="with parallelism 4 it did not come up") as caught:
        stack.up(declared(4))
    assert caught.value.now == f"Job {job.job_id} was rescaled back to parallelism 2."
    assert (stack.flink.the_job(), job.bounds) == (job, {"all": 2})


def kept(**gate: Any) -> tuple[Stack, JobRecord]:
    """Return a stack whose job was rescaled and kept so, and what is recorded of it."""
    gate = {"max_checkpoint_slowdown": 5, "on_failure": "keep", **gate}
    stack = rescalable(replace(HEALTHY, checkpoint_ms=900))
    with pytest.raises(GateFailed) as caught:
        stack.up(declared(4, **gate))
    job = stack.flink.the_job()
    assert f"Job {job.job_id} was left running and is recorded" in caught.value.now
    assert "with parallelism 4 it did not pass its health gate" in caught.value.happened
    assert isinstance(caught.value.partial, JobRecord)
    stack.record = caught.value.partial
    return stack, caught.value.partial


def test_one_that_is_kept_is_recorded_and_watched_again() -> None:
    """Shows that its own checkpoints of before the rescale do not make it pass then either."""
    stack, record = kept()
    job = stack.flink.the_job()
    assert (job.parallelism, record.spec.parallelism, record.running_parallelism) == (4, 4, 4)
    assert record.gate_failed
    assert record.gate_failed.earlier.checkpoint_ms == 50
    assert record.gate_failed.earlier.rescaled_at > 0
    assert JobRecord.from_outputs(record.outputs()) == record
    planned = stack.plan(record.spec).line()
    assert planned.startswith("orders: no restart, watched through its health gate again: ")
    with pytest.raises(GateFailed, match="checkpoints take 900 ms, 50 ms before"):
        stack.up(record.spec)
    job.program = HEALTHY
    job.checkpoints_took[:] = [50 for _ in job.checkpoints_took]
    record = stack.up(record.spec)
    assert (record.gate_failed, stack.flink.the_job()) == (None, job)
    assert stack.flink.steps.count("rescale") == 1


@pytest.mark.parametrize("healthy", [True, False])
def test_a_run_that_is_killed_during_the_gate_is_gone_on_with(healthy: bool) -> None:
    """Shows at each step that it is judged again, requested once, and set back if it fails."""
    wanted = declared(4, max_checkpoint_slowdown=5, min_checkpoints=1 if healthy else 7)

    def judged(stack: Stack) -> None:
        job = stack.flink.jobs_by_id[str(stack.recorded.job_id)]
        if healthy:
            stack.up(wanted)
            return
        with pytest.raises(ActionFailed, match="rescaled back to parallelism 2"):
            stack.up(wanted)
        assert (stack.flink.the_job(), job.bounds) == (job, {"all": 2})

    whole = rescalable()
    steps = len(whole.flink.steps)
    judged(whole)
    for at in range(steps, len(whole.flink.steps)):
        stack = rescalable()
        stack.flink.kill_at = at
        with pytest.raises(Killed):
            stack.up(wanted)
        stack.flink.kill_at = -1
        judged(stack)
        if healthy:
            assert_runs_in_place(stack, stack.flink.the_job().job_id, 4)
            assert stack.flink.steps.count("rescale") == 1, whole.flink.steps[at]


def test_the_run_after_a_killed_one_knows_how_long_checkpoints_took_before() -> None:
    stack = rescalable(replace(HEALTHY, checkpoint_ms=900))
    wanted, change = declared(4, max_checkpoint_slowdown=5), stack.flink.on_step

    def kill(step: str) -> None:
        change(step)
        if step == "vital signs" and stack.flink.the_job().checkpoints_took[-1:] == [900]:
            raise Killed(step)

    stack.flink.on_step = kill
    with pytest.raises(Killed):
        stack.up(wanted)
    stack.flink.on_step = change
    with pytest.raises(ActionFailed, match="checkpoints take 900 ms, 50 ms before"):
        stack.up(wanted)
    assert stack.flink.the_job().bounds == {"all": 2}


def test_the_rescale_of_somebody_else_is_undone_without_a_gate() -> None:
    stack = rescalable()
    stack.flink.rescale_by_hand(stack.flink.the_job(), 4)
    stack.refresh()
    assert "health gate" not in stack.plan(declared(2)).line()
    stack.up(declared(2))
    assert not [line for line in stack.said if "health gate" in line]


def test_checkpoints_of_before_a_rescale_are_told_by_when_they_were_triggered() -> None:
    """Shows also more of them than a cluster lists."""
    seen = VitalSigns(completed=9, checkpoint_times=(1, 2, 3), checkpoint_starts=(10, 20, 30))
    later = seen.since(20, completed=5)
    assert (later.completed, later.checkpoint_times) == (1, (3,))
    assert seen.since(5, completed=5).completed == 4
    assert seen.since(40, completed=9).completed == 0
    assert VitalSigns().since(5, completed=9).completed == 0


def test_a_job_that_its_cluster_loses_is_not_rescaled_back() -> None:
    """Shows that no check of the gate is blamed: the next run goes on from its checkpoint."""
    stack = rescalable()
    change, requests = stack.flink.on_step, [0]

    def lose(step: str) -> None:
        change(step)
        requests[0] += step == "rescaled"
        if step == "checkpointed" and requests[0]:
            stack.flink.restart_job_manager()

    stack.flink.on_step = lose
    with pytest.raises(JobVanished) as caught:
        stack.up(declared(4))
    assert "health" not in str(caught.value)
    assert "its JobManager may have restarted" in caught.value.now
    assert requests == [1]
