"""A move that the health gate judges: back where it was if it fails, from its newest state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flink_jobs_provider.model.errors import (
    ActionFailed,
    ClusterUnreachable,
    GateFailed,
    StateUnavailable,
)
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.planning.plan import plan
from tests.unit.reconciling.flink.fake_job import FakeJob, Program
from tests.unit.reconciling.flink.test_crashes import PAUSES
from tests.unit.reconciling.flink.test_matrix import version
from tests.unit.reconciling.flink.test_moving import TwoClusters, each_kill, moved, state_kept

HEALTHY = Program(output_rate=5.0, lag_ms=1000)
SLOW = replace(HEALTHY, checkpoint_ms=900)
GATE: dict[str, Any] = {
    "health": {"window": "20s", "max_checkpoint_slowdown": 5},
    "timeouts": {"running": "60s"},
}
KEEP = {**GATE, "health": {**GATE["health"], "on_failure": "keep"}}


class Gated(TwoClusters):
    """The same with a program that behaves so on the new cluster."""

    def __init__(self, there: Program = HEALTHY) -> None:
        super().__init__()
        self.old.programs["Old"] = self.old.the_job().program = HEALTHY
        self.new.programs["Old"] = there
        self.stack.said.clear()

    def fails(self, error: type[ActionFailed] = ActionFailed, **inputs: Any) -> ActionFailed:
        """Move it, which fails; record what the error says of it."""
        with pytest.raises(error) as caught:
            self.move(**{**GATE, **inputs})
        if isinstance(caught.value.partial, JobRecord):
            self.record = caught.value.partial
        return caught.value

    @property
    def last_there(self) -> FakeJob:
        """The job that ran last on the new cluster."""
        return list(self.new.jobs_by_id.values())[-1]


def test_a_job_that_passes_is_moved_with_its_numbers() -> None:
    two = Gated()
    assert plan(two.record, moved(**GATE)).summary.endswith("; health gate 20s")
    health = {**GATE["health"], "require_output": True, "max_lag_growth": "10s"}
    record = two.move(**{**GATE, "health": health})
    [line] = [line for line in two.stack.said if "health gate passed" in line]
    assert "checkpoints of 50 ms (50 before)" in line
    assert not [line for line in two.stack.said if "left aside" in line]
    assert record.spec == moved(**{**GATE, "health": health})
    assert two.old.active() == []
    assert two.old.jars == set()
    assert not plan(record, record.spec).needed


@pytest.mark.parametrize(
    ("program", "health", "check"),
    [
        (SLOW, {}, "max_checkpoint_slowdown: checkpoints take 900 ms, 50 ms before"),
        (replace(HEALTHY, restarts_after=14.0), {}, "max_restarts: its tasks failed 1 time"),
        (replace(HEALTHY, lag_ms=90_000), {"max_lag_growth": "9s"}, "max_lag_growth: it is 90.0 s"),
        (replace(HEALTHY, fails_after=14.0), {}, "max_restarts: after "),
    ],
)
def test_one_that_does_not_pass_goes_back_with_what_it_has_done(
    program: Program, health: dict[str, Any], check: str
) -> None:
    """Shows the check with both numbers, and that nothing that was committed is done again."""
    two = Gated(program)
    before = two.record
    error = two.fails(health={**GATE["health"], **health})
    assert f"it did not pass its health gate on new: health.{check}" in error.happened
    job, there = two.old.the_job(), two.last_there
    assert two.new.active() == []
    assert error.now.startswith(f"It runs again on old as job {job.job_id}, from ")
    assert "goes on from what the new version has done" in error.now
    assert job.restored_from == (there.savepoint or there.checkpoint)
    assert job.base >= two.old.progress_in[job.restored_from]
    assert two.old.marked == []
    assert (two.record.job_id, two.record.spec.target) == (job.job_id, before.spec.target)
    assert two.record.spec.restore_from == before.spec.restore_from
    two.new.programs["Old"] = HEALTHY
    two.move(**GATE)
    assert (two.old.active(), two.new.the_job().base >= job.base) == ([], True)


def test_what_it_has_swallowed_is_done_again() -> None:
    """Shows that records which never reached a sink are not left in the state of the new one."""
    two = Gated(replace(HEALTHY, output_rate=0.0))
    [old] = two.active
    two.fails(health={**GATE["health"], "require_output": True})
    assert two.old.the_job().restored_from == old.savepoint


def test_a_cluster_that_cannot_read_the_newest_state_starts_from_that_of_before() -> None:
    """Shows it of a new cluster whose savepoints the old one does not know."""
    two = Gated(SLOW)
    [old] = two.active

    def refuse(step: str) -> None:
        if step == "stop done":
            two.old.programs["Old"] = replace(HEALTHY, state_error="cannot read version 7")
        if step == "submit" and len(two.old.submissions) == 2:
            two.old.programs["Old"] = HEALTHY

    two.new.on_step = two.old.on_step = refuse
    error = two.fails()
    job = two.old.the_job()
    assert job.restored_from == old.savepoint
    assert f"It runs again on old as job {job.job_id}, from {old.savepoint}" in error.now
    assert "what the new version has committed since is written again" in error.now
    assert two.record.job_id == job.job_id
    assert two.old.marked == []


def test_one_that_is_kept_is_recorded_where_it_runs() -> None:
    two = Gated(SLOW)
    error = two.fails(GateFailed, **KEEP)
    job = two.new.the_job()
    assert f"Job {job.job_id} was left running and is recorded" in error.now
    assert two.record.spec == moved(**KEEP)
    assert two.record.gate_failed
    assert two.record.gate_failed.earlier.checkpoint_ms == 50
    assert two.old.active() == []
    assert two.old.jars == set()
    planned = plan(two.record, moved(**KEEP))
    assert planned.line().startswith("orders: no restart, watched through its health gate again")
    two.new.programs["Old"] = job.program = HEALTHY
    job.checkpoints_took[:] = [50 for _ in job.checkpoints_took]
    assert two.move(**KEEP).gate_failed is None
    assert two.new.the_job() is job


def test_one_that_did_not_come_up_after_all_goes_back_with_what_it_has_done() -> None:
    """Shows it without a gate: what it has completed there its sinks have committed."""
    two = Gated(replace(HEALTHY, restarts_after=9.0))
    error = two.fails(settle_time="20s", health=None)
    assert "it did not start on new" in error.happened
    job, there = two.old.the_job(), two.last_there
    assert job.restored_from in (there.savepoint, there.checkpoint)
    assert there.job_id in job.restored_from


def attempted(two: Gated) -> None:
    """Move it; a gate that it does not pass is no matter."""
    try:
        two.move(**GATE)
    except ActionFailed as error:
        assert "its health gate" in str(error)  # noqa: PT017 - it is no failure here


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("there", [HEALTHY, SLOW], ids=["passes", "fails"])
def test_a_killed_run_is_gone_on_with(there: Program, pause: float) -> None:
    """Shows it at every step on either cluster: it never runs twice, and no state goes back."""
    for two in each_kill(Gated(there), attempted, pause):
        assert len(two.active) <= 1
        kept = state_kept(two)
        attempted(two)
        [job] = two.active
        assert max(two.old.progress(job), two.new.progress(job)) >= kept
        assert there is SLOW or two.new.active()


@pytest.mark.parametrize("pause", PAUSES)
def test_a_killed_run_that_is_taken_back_never_sets_it_back(pause: float) -> None:
    """Shows that the old cluster refuses to start it from its own newest state, a former one.

    The job has done more since on the new cluster, which its sinks have committed.
    """
    outcomes = set()
    for two in each_kill(Gated(SLOW), attempted, pause):
        kept = state_kept(two)
        two.stack.record = two.record
        try:
            two.stack.refresh()
            two.stack.up(version("Old", "savepoint", move=True))
        except StateUnavailable as error:
            assert "was moving job" in str(error)  # noqa: PT017 - the other outcome is no failure
            outcomes.add("refused")
            attempted(two)
        [job] = two.active
        assert max(two.old.progress(job), two.new.progress(job)) >= kept
        outcomes.add("new" if two.new.active() else "old")
    assert outcomes >= {"refused", "old"}


def test_an_old_cluster_that_is_away_is_gone_back_to_by_the_next_run() -> None:
    """Shows that the job is not lost where it can be started on neither at once."""
    two = Gated(SLOW)

    def away(step: str) -> None:
        if step == "stop done":
            two.old.unreachable = 10_000

    two.new.on_step = away
    with pytest.raises((ActionFailed, ClusterUnreachable)):
        two.move(**GATE)
    assert two.active == []
    two.old.unreachable, two.new.on_step = 0, lambda _step: None
    there = two.last_there
    two.new.programs["Old"] = HEALTHY
    error = two.fails()
    assert "another run has begun to take it back from new" in error.happened
    assert two.old.the_job().restored_from == there.savepoint
    assert "goes on from what the new version has done" in error.now
    two.move(**GATE)
    assert two.old.active() == []
