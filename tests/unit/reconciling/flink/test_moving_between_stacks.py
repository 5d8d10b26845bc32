"""A job is carried from one stack to another stack's cluster: one has it at each moment."""

from __future__ import annotations

from typing import Any

import pytest

from flink_jobs_provider.control_planes.protocol import Mark
from flink_jobs_provider.model.errors import OwnedElsewhere, PermanentError
from flink_jobs_provider.model.record import Adopted
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import plan
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import FakeJob
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_adopting import second
from tests.unit.reconciling.flink.test_crashes import PAUSES
from tests.unit.reconciling.flink.test_matrix import running, version
from tests.unit.reconciling.flink.test_moving import TwoClusters, each_kill, moved, state_kept

OURS = version("Old", "savepoint")


class TwoStacks(TwoClusters):
    """A job that its stack, `giver`, has released, and another stack has adopted where it runs."""

    def __init__(self, name: str = "theirs", **inputs: Any) -> None:
        self.giver = running("savepoint")
        job = self.giver.flink.the_job()
        self.giver.up(version("Old", "savepoint", on_delete="release"))
        self.giver.destroy()
        self.stack = second(self.giver)
        self.theirs = {
            "adopt": job.job_id,
            "job_name": name,
            "owner": "organization/shop/other",
            **inputs,
        }
        self.stack.up(version("Old", "savepoint", **self.theirs))
        self.old = self.stack.flink
        self.new = FakeFlink(self.stack.time)
        self.new.progress_in = self.old.progress_in
        self.new.cluster = self.old.cluster
        self.record = self.stack.recorded

    def carry(self) -> FakeJob:
        """Move it to the other cluster, and return the job there."""
        self.move(**self.theirs)
        return self.new.the_job()

    def takes_it_back(self) -> Stack:
        """Return the giver, with a cluster as it is now."""
        giver = second(self.stack)
        giver.record = None
        return giver


@pytest.mark.parametrize("name", ["theirs", "orders"])
def test_it_is_moved_without_a_restart_before(name: str) -> None:
    """Shows that what runs is known by its jobId, and that nothing is left where it was."""
    two = TwoStacks(name)
    [job] = two.active
    assert two.record.adopted is Adopted.SAME_VERSION
    before = two.old.progress(job)
    now = two.carry()
    assert two.old.active() == []
    assert now.base >= before
    assert now.restored_from == job.savepoint
    assert not two.record.adopted
    assert two.record.job_id == now.job_id
    assert two.old.jars == set(), "nor the jar of the stack that had it"
    assert [mark.kind for _, mark in two.old.marked] == [Mark.MOVING]
    assert not plan(two.record, moved(**two.theirs)).needed


@pytest.mark.parametrize("pause", PAUSES)
def test_killed_at_every_step_it_never_runs_twice(pause: float) -> None:
    """Shows that neither the stack that had it starts it, nor is any state lost.

    That stack declares the job again after each kill, which is refused; then the move goes on.
    """
    refused = 0
    for two in each_kill(TwoStacks(), TwoStacks.carry, pause):
        assert len(two.active) <= 1
        kept = state_kept(two)
        with pytest.raises(OwnedElsewhere):
            two.takes_it_back().up(OURS)
        refused += 1
        assert len(two.active) <= 1
        job = two.carry()
        assert two.old.active() == []
        assert two.new.progress(job) >= kept
        assert two.record.job_id == job.job_id
    assert refused > 20


def test_whoever_had_it_does_not_start_it_again_later() -> None:
    """Shows it when the cluster has forgotten the ended job, and where it is to start afresh."""
    two = TwoStacks()
    two.carry()
    two.pass_time(4000)
    assert two.old.jobs_by_id == {}
    for declared in (OURS, version("Old", "stateless"), version("New", "savepoint")):
        with pytest.raises(OwnedElsewhere, match="was adopted by another stack, as jar mark-"):
            two.takes_it_back().up(declared)
    savepoint = two.record.last_savepoint
    chosen = two.takes_it_back().up(version("Old", "savepoint", restore_from=savepoint))
    assert chosen.restored_from == savepoint, "named in words, it is another job"


def test_what_was_adopted_and_stopped_is_not_started_by_whoever_had_it() -> None:
    two = TwoStacks()
    two.stack.up(version("Old", "savepoint", desired_state="stopped", **two.theirs))
    assert two.active == []
    with pytest.raises(OwnedElsewhere, match="was adopted by another stack"):
        two.takes_it_back().up(OURS)
    two.stack.up(version("Old", "savepoint", **two.theirs))
    assert len(two.active) == 1


def test_what_was_adopted_and_restarted_is_not_started_by_whoever_had_it() -> None:
    """Shows it where the mark has gone, since the job has a jobId of its own."""
    two = TwoStacks()
    two.stack.up(version("Old", "savepoint", **two.theirs, parallelism=4))
    assert two.old.marked == []
    with pytest.raises(OwnedElsewhere, match=r"was started from .*, the state of job"):
        two.takes_it_back().up(OURS)
    assert len(two.active) == 1


@pytest.mark.parametrize("other", [{"parallelism": 4}, {"args": ["--other"]}])
def test_what_is_not_declared_as_it_runs_is_restarted_first(other: dict[str, Any]) -> None:
    two = TwoStacks(**other)
    assert two.record.adopted is not Adopted.SAME_VERSION
    with pytest.raises(PermanentError, match="so that its program is not known"):
        two.carry()
    assert len(two.old.active()) == 1


def test_a_job_that_is_declared_again_and_was_given_to_nobody_is_gone_on_with() -> None:
    """Shows that the mark of a release alone does not keep its stack from taking it back."""
    stack = running("savepoint")
    job = stack.flink.the_job()
    wanted: JobSpec = version("Old", "savepoint", on_delete="release")
    stack.up(wanted)
    stack.destroy()
    job.end("FAILED", stack.time.now())
    stack.flink.pass_time(10)
    stack.up(OURS)
    assert stack.flink.the_job().restored_from == job.checkpoint
