"""What the next run of a move starts from, where an earlier one has started the job there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.control_planes.protocol import Mark
from flink_jobs_provider.model.errors import ActionFailed, JobVanished, StateUnavailable
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import FakeJob
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_crashes import each_step
from tests.unit.reconciling.flink.test_matrix import FAILURES, running, version
from tests.unit.reconciling.flink.test_move_gate import GATE, HEALTHY, SLOW, Gated
from tests.unit.reconciling.flink.test_moving import TwoClusters, each_kill, nothing

SILENT = replace(HEALTHY, output_rate=0.0)
WITH_OUTPUT = {"health": {**GATE["health"], "require_output": True}, "timeouts": GATE["timeouts"]}


def lost_there(two: TwoClusters, checkpoints: int = 2) -> FakeJob:
    """Move a job, which its new cluster loses when it has completed some; return that job."""
    lost: list[FakeJob] = []

    def lose(step: str) -> None:
        if step == "vital signs" and (job := two.new.the_job()).up_at:
            while job.completed < checkpoints:
                two.new._checkpoint(job)
            two.new.on_step = nothing
            two.new.restart_job_manager()
            lost.append(job)

    two.new.on_step = lose
    with pytest.raises(JobVanished, match="it goes on from its newest checkpoint there"):
        two.move(**GATE)
    return lost[0]


def test_a_job_that_was_lost_there_goes_on_from_its_newest_checkpoint() -> None:
    """Shows it once and again: what its sinks have committed is not written again."""
    two = Gated()
    first = lost_there(two)
    second = lost_there(two, 3)
    assert second.restored_from == first.checkpoint
    record = two.move(**GATE)
    job = two.new.the_job()
    assert job.restored_from == second.checkpoint == record.restored_from
    assert (record.job_id, record.generation) == (job.job_id, 4)
    assert len({first.job_id, second.job_id, job.job_id}) == 3
    assert two.old.active() == []
    assert any("its newest state there" in line for line in two.stack.said)


def test_one_that_completed_nothing_there_starts_from_the_savepoint_of_the_move() -> None:
    two = Gated()
    [old] = two.active
    lost = lost_there(two, 0)
    two.new.remove(lost.checkpoint)
    two.move(**GATE)
    assert two.new.the_job().restored_from == old.savepoint


def test_checkpoints_that_are_not_read_from_here_are_reported() -> None:
    """Shows it of clusters whose directories are on their own machines."""
    two = Gated()
    two.stack = running("savepoint", readable=False)
    two.stack.up(version("Old", "savepoint", move=True))
    two.old, two.record = two.stack.flink, two.stack.recorded
    two.new = FakeFlink(two.stack.time, readable=False)
    two.new.progress_in, two.new.cluster = two.old.progress_in, two.old.cluster
    two.old.programs["Old"] = two.old.the_job().program = two.new.programs["Old"] = HEALTHY
    [old] = two.active
    lost_there(two)
    two.stack.said.clear()
    two.move(**GATE)
    assert two.new.the_job().restored_from == old.savepoint
    [line] = [line for line in two.stack.said if line.startswith("warning: ")]
    assert line == (
        "warning: orders: the checkpoints of new cannot be listed from here: what the job has "
        "committed there, if an earlier run had started it, is written again"
    )


def test_the_newest_checkpoint_must_be_whole() -> None:
    """Shows that none is passed over: an older one is a step back."""
    two = Gated()
    lost = lost_there(two)
    file = f"{lost.checkpoint}/_metadata".split("//", 1)[1]
    MemoryFileSystem().pipe_file(file, b"torn")
    with pytest.raises(StateUnavailable, match="the newest state of it that is known"):
        two.move(**GATE)
    assert two.active == []


def test_what_lies_there_of_another_life_of_the_job_is_no_state_of_it() -> None:
    """Shows it of checkpoints of later generations, which a job of this name has left there."""
    two = Gated()
    [old] = two.active
    key = two.record.spec.key
    for generation in (5, 6):
        other = FakeJob(
            key.job_id(generation, f"{generation:08x}"),
            HEALTHY,
            1,
            True,
            two.stack.time.now(),
            checkpoints_below=two.new.cluster.checkpoint_directory,
        )
        two.new._checkpoint(other)
    two.move(**GATE)
    assert two.new.the_job().restored_from == old.savepoint


@pytest.mark.parametrize("failure", ["state", "tasks"])
def test_one_that_then_does_not_start_there_goes_back_with_what_it_had_done(failure: str) -> None:
    two = Gated()
    lost = lost_there(two)
    two.new.programs["Old"] = FAILURES[failure]
    error = two.fails()
    assert "it did not start on new" in error.happened
    assert two.old.the_job().restored_from == lost.checkpoint
    assert "written again" not in error.now


def attempted(two: Gated, **inputs: Any) -> None:
    """Move it; a gate that it does not pass is no matter."""
    try:
        two.move(**inputs)
    except ActionFailed as error:
        assert "its health gate" in str(error)  # noqa: PT017 - it is no failure here


@pytest.mark.parametrize("pause", [0, 4000])
@pytest.mark.parametrize("restarted", [False, True], ids=["", "JobManager restarted"])
def test_killed_on_its_way_back_it_goes_on_from_what_it_had_done(
    pause: float, restarted: bool
) -> None:
    """Shows it where the version that failed has ended, and nothing runs on either cluster."""
    seen = 0
    for two in each_kill(Gated(SLOW), lambda two: attempted(two, **GATE), pause):
        if two.active or not two.new.submissions:
            continue
        left = two.new.progress_in
        newest = max(left, key=lambda path: left[path])
        if restarted:
            two.new.restart_job_manager()
        two.new.programs["Old"] = HEALTHY
        error = two.fails()
        assert "another run has begun to take it back from new" in error.happened
        assert two.old.the_job().restored_from == newest
        two.move(**GATE)
        assert (two.old.active(), two.new.the_job().base) >= ([], left[newest])
        seen += 1
    assert seen > 2


@pytest.mark.parametrize("pause", [0, 4000])
def test_killed_on_its_way_back_it_does_not_go_on_from_what_has_swallowed(pause: float) -> None:
    """Shows it at every step once the version was ended that had written nothing."""
    seen = 0
    for two in each_kill(Gated(SILENT), lambda two: attempted(two, **WITH_OUTPUT), pause):
        if two.active or not two.new.submissions:
            continue
        [old] = two.old.jobs_by_id.values() if not pause else [None]
        two.new.programs["Old"] = HEALTHY
        two.fails(**WITH_OUTPUT)
        origin = two.old.the_job().restored_from
        assert two.new.submissions[0].restore_from == origin
        assert old is None or old.savepoint == origin
        assert not [mark for _, mark in two.old.marked if mark.kind is Mark.SWALLOWED]
        seen += 1
    assert seen > 2


def test_the_mark_of_what_has_swallowed_goes_when_the_job_runs_again() -> None:
    two = Gated(SILENT)
    two.fails(**WITH_OUTPUT)
    assert two.old.marked == []
    assert [mark.kind for _, mark in two.new.marked] == [Mark.MOVING]


def test_killed_after_its_return_it_is_moved_with_what_it_has_done_since() -> None:
    """Shows it for each step from when it runs again on the old cluster."""
    seen = 0
    for two in each_kill(Gated(SLOW), lambda two: attempted(two, **GATE), 0):
        if not two.new.submissions or not two.old.active():
            continue
        if two.old.the_job().job_id == two.record.job_id:
            continue
        again = two.old.the_job()
        two.new.programs["Old"] = HEALTHY
        two.move(**GATE)
        assert two.new.the_job().restored_from in (again.savepoint, again.restored_from)
        assert two.new.the_job().base >= again.base
        assert two.old.active() == []
        seen += 1
    assert seen > 1


# The same without a move


@pytest.mark.parametrize("pause", [0, 4000])
def test_an_update_that_was_killed_does_not_go_on_from_what_has_swallowed(pause: float) -> None:
    """Shows it at every step once the new version was ended: it starts from the savepoint again."""
    wanted = version("New", "savepoint", **WITH_OUTPUT)

    def begin() -> Stack:
        stack = running("savepoint", HEALTHY)
        stack.flink.programs["New"] = SILENT
        return stack

    def update(stack: Stack) -> None:
        with pytest.raises(ActionFailed, match="require_output"):
            stack.up(wanted)

    seen = 0
    for stack in each_step(begin, update, pause):
        if stack.flink.active() or len(stack.flink.submissions) != 2:
            continue
        marked = [mark.kind for _, mark in stack.flink.marked]
        assert marked == [Mark.SWALLOWED]
        stack.flink.programs["New"] = HEALTHY
        stack.refresh()
        stack.up(wanted)
        assert stack.flink.the_job().restored_from == stack.flink.submissions[1].restore_from
        assert stack.flink.marked == []
        seen += 1
    assert seen > 1
