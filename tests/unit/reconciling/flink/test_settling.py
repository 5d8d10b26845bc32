"""A version counts as up when it has stayed up for its settle time; else the previous one runs."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.inputs import Cost
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack

LATE = {
    "at once, without checkpoints": (Program(fails_after=0.5, checkpoints=False), "is FAILED"),
    "after its checkpoint": (Program(fails_after=9.0), "is FAILED"),
    "restarted between two looks": (Program(restarts_after=4.0), "it failed after all its tasks"),
}


@pytest.mark.parametrize(("program", "words"), LATE.values(), ids=LATE)
def test_an_update_that_does_not_stay_up_gives_way_to_the_previous_version(
    program: Program, words: str
) -> None:
    stack = Stack()
    stack.flink.programs["Late"] = program
    stack.up(settle_time="10s")
    before = stack.recorded
    with pytest.raises(ActionFailed) as caught:
        stack.up(settle_time="10s", entry_class="Late")
    assert "it did not stay up for 10 s" in caught.value.happened
    assert words in caught.value.happened
    assert "RuntimeException: on its first record" in caught.value.happened
    again = stack.flink.the_job()
    assert caught.value.now.startswith(f"The previous version runs again as job {again.job_id}")
    assert again.base > 0, "it has its state"
    assert stack.recorded == before


@pytest.mark.parametrize("program", [late[0] for late in LATE.values()], ids=LATE)
def test_a_first_version_that_does_not_stay_up_is_cancelled(program: Program) -> None:
    stack = Stack()
    stack.flink.programs["Late"] = program
    with pytest.raises(ActionFailed, match="it did not stay up for 10 s"):
        stack.up(settle_time="10s", entry_class="Late")
    assert not stack.flink.active()
    assert stack.record is None


@pytest.mark.parametrize(
    ("program", "now"),
    [
        (Program(fails_after=5.0, checkpoints=False), "The previous version runs again"),
        (Program(restarts_after=5.0, checkpoints=False), "The previous version runs again"),
        (Program(fails_after=5.0), "which an earlier run started"),
    ],
    ids=["fails", "restarts", "has state of its own"],
)
def test_an_adopted_version_must_stay_up_too(program: Program, now: str) -> None:
    """Shows the settle time of a version that a killed run started, and the way back from it.

    None leads back from one that completed a checkpoint: it may have run for long.
    """
    stack = Stack()
    stack.up(settle_time="10s")
    stack.flink.programs["Late"] = program
    stack.flink.kill_before = "checkpoint"
    with pytest.raises(Killed):
        stack.up(settle_time="10s", entry_class="Late")
    stack.flink.kill_before = ""
    with pytest.raises(ActionFailed, match="it did not stay up for 10 s") as caught:
        stack.up(settle_time="10s", entry_class="Late")
    assert now in caught.value.now
    if "again" in now:
        assert stack.flink.the_job().base > 0


def test_a_version_that_stays_up_takes_its_settle_time() -> None:
    """Shows that the time runs while the checkpoint is waited for, and that zero is none."""
    stack = Stack()
    began = stack.time.now()
    stack.up(settle_time="10s")
    assert 10 <= stack.time.now() - began < 11
    began = stack.time.now()
    stack.up(settle_time="0s", parallelism=3)
    assert stack.time.now() - began < 2


def test_a_start_after_a_stop_must_stay_up() -> None:
    stack = Stack()
    stack.up(settle_time="10s")
    stack.up(settle_time="10s", desired_state="stopped")
    stack.flink.programs["Late"] = Program(fails_after=5.0)
    with pytest.raises(ActionFailed, match="it did not stay up for 10 s"):
        stack.up(settle_time="10s", entry_class="Late")
    assert not stack.flink.active()


def test_a_previous_version_that_does_not_stay_up_is_not_called_running() -> None:
    stack = Stack()
    stack.up(settle_time="10s")
    stack.flink.programs |= {"Late": Program(fails_after=5.0), "": Program(fails_after=5.0)}
    with pytest.raises(ActionFailed) as caught:
        stack.up(settle_time="10s", entry_class="Late")
    assert "The previous version did not start again either: it did not stay up" in caught.value.now


def test_a_job_that_comes_to_its_own_end_did_come_up() -> None:
    stack = Stack()
    stack.flink.programs["Bounded"] = Program(finishes_after=2.0)
    began = stack.time.now()
    assert stack.up(settle_time="10s", entry_class="Bounded").status is JobStatus.FINISHED
    assert stack.time.now() - began < 4


def test_a_rescale_is_no_failure_and_the_time_begins_anew() -> None:
    stack = Stack()
    stack.flink.programs["Rescaled"] = Program(rescales_after=8.0)
    began = stack.time.now()
    assert stack.up(settle_time="10s", entry_class="Rescaled").status is JobStatus.RUNNING
    assert stack.time.now() - began > 18


def test_what_ends_while_its_checkpoint_is_waited_for_is_seen_before_it_is_recorded() -> None:
    """Shows the look just before a version is recorded, which no settle time asks for."""
    stack = Stack()

    def end(step: str) -> None:
        if step == "checkpointed":
            stack.flink.end(stack.flink.the_job(), "FAILED", "RuntimeException: late")

    stack.flink.on_step = end
    with pytest.raises(ActionFailed, match="the job is FAILED: RuntimeException: late"):
        stack.up(settle_time="0s")
    assert stack.record is None


def test_a_change_of_the_settle_time_alone_touches_nothing() -> None:
    stack = Stack()
    stack.up(settle_time="10s")
    steps = len(stack.flink.submissions)
    job_id = stack.recorded.job_id
    plan = stack.plan(stack.recorded.spec.model_copy(update={"settle_time": "20s"}))
    assert plan.action is None
    assert [change.cost for change in plan.changed] == [Cost.RECORDED]
    assert stack.up(settle_time="20s").spec.settle_time == "20s"
    assert (len(stack.flink.submissions), stack.recorded.job_id) == (steps, job_id)
