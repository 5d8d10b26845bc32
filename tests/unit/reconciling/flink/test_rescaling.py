"""Jobs that somebody rescales while they run: drift, which an update brings back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.reconciling.flink.rescale import rescaled
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import version


def adaptive(mode: str = "savepoint", checkpoints: bool = True) -> Stack:
    """Return a job with a parallelism of 2, on a cluster with the adaptive scheduler."""
    stack = Stack()
    stack.flink.programs["Old"] = Program(checkpoints=checkpoints)
    stack.flink.cluster = replace(stack.flink.cluster, adaptive=True, fixed_slots=False)
    stack.up(version("Old", mode, parallelism=2))
    stack.flink.pass_time(100)
    return stack


@pytest.mark.parametrize("to", [1, 4])
@pytest.mark.parametrize("mode", ["savepoint", "last-state", "stateless"])
def test_a_rescaled_job_is_drift_and_rescaled_back(mode: str, to: int) -> None:
    """Shows that it is read, told, and undone while the job runs, whatever an upgrade does."""
    stack = adaptive(mode)
    job = stack.flink.the_job()
    before = stack.recorded
    stack.flink.rescale_by_hand(job, to)
    seen = stack.refresh()
    words = f"parallelism {to} instead of 2"
    assert (seen.running_parallelism, seen.rescaled) == (to, words)
    assert stack.refresh() == seen
    assert stack.plan(before.spec).line() == (
        "orders: UPDATE, rescale while it runs, from a checkpoint: "
        f"it was rescaled over REST: {words}"
    )

    record = stack.up(before.spec)
    assert stack.flink.the_job() is job
    assert (job.parallelism, job.bounds) == (2, {"all": 2})
    assert (record.running_parallelism, record.rescaled, record.action) == (2, None, "UPDATE")
    assert record.job_output == "Rescaled to parallelism 2 while it ran"
    assert stack.refresh() == record
    assert not stack.plan(before.spec).needed


def test_one_without_checkpoints_is_stopped_with_a_savepoint() -> None:
    """Shows that a job is not rescaled which would lose its state by that."""
    stack = adaptive(checkpoints=False)
    old = stack.flink.the_job()
    stack.flink.rescale_by_hand(old, 4)
    spec = stack.refresh().spec
    assert stack.plan(spec).line() == (
        "orders: UPDATE, stop with savepoint and restart: "
        "it was rescaled over REST: parallelism 4 instead of 2"
    )
    record = stack.up(spec)
    new = stack.flink.the_job()
    assert "rescale" not in stack.flink.steps
    assert (old.stopped_with_savepoint, new.restored_from) == (True, old.savepoint)
    assert (new.parallelism, record.running_parallelism, record.rescaled) == (2, 2, None)
    assert stack.refresh() == record


def test_a_savepoint_that_is_asked_for_is_taken_as_well() -> None:
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 4)
    stack.refresh()
    wanted = version("Old", "savepoint", parallelism=2, savepoint_trigger="one")
    assert ", and take a savepoint: it was rescaled" in stack.plan(wanted).line()
    record = stack.up(wanted)
    assert (record.action, record.last_savepoint) == ("SAVEPOINT", job.savepoint)
    assert (job.parallelism, record.running_parallelism) == (2, 2)
    assert stack.refresh() == record


def test_a_refused_request_leaves_the_job_running() -> None:
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 4)
    spec = stack.refresh().spec
    stack.flink.rescale_fault = "RestHandlerException: no"
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec)
    assert str(caught.value) == (
        "orders: it could not be rescaled back: RestHandlerException: no. "
        f"Job {job.job_id} was not stopped. "
        "Run again; or set restart_trigger, which restarts it as it is declared."
    )
    assert stack.flink.the_job() is job


def test_where_slots_are_short_it_is_not_waited_for() -> None:
    """Shows that a job with too few slots runs with fewer, and that this is said."""
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 1)
    spec = stack.refresh().spec
    stack.flink.slots = 1
    began = stack.time.now()
    record = stack.up(spec)
    assert stack.time.now() - began < 10
    assert record.job_output.endswith("; 1 of 2 tasks run so far, and no slot is free")
    assert (record.running_parallelism, record.rescaled) == (1, None)
    assert not stack.plan(stack.refresh().spec).needed


def test_without_a_free_slot_it_is_scaled_down_all_the_same() -> None:
    """Shows that what runs before the cluster has rescaled the job is not taken for the end."""
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.slots = 4
    stack.flink.rescale_by_hand(job, 4)
    spec = stack.refresh().spec
    stack.flink.rescale_delay = 5
    record = stack.up(spec)
    assert record.job_output == "Rescaled to parallelism 2 while it ran"
    assert (job.parallelism, record.running_parallelism) == (2, 2)


def test_one_that_fails_by_it_is_named_and_started_again() -> None:
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 1)
    spec = stack.refresh().spec
    stack.flink.on_step = lambda step: (
        stack.flink.end(job, "FAILED", "no") if step == "rescaled" else None
    )
    with pytest.raises(ActionFailed, match="it was rescaled, and the job is FAIL"):
        stack.up(spec)
    stack.refresh()
    stack.up(spec)
    assert f"/{job.job_id}/chk-" in stack.flink.the_job().restored_from


def test_what_was_scaled_back_meanwhile_is_left_running() -> None:
    """Shows that a job is looked at once more before it is stopped."""
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 4)
    spec = stack.refresh().spec
    stack.flink.rescale_by_hand(job, 2)
    record = stack.up(spec)
    assert stack.flink.the_job() is job
    assert (record.rescaled, record.running_parallelism) == (None, 2)


def test_a_job_that_lacks_slots_is_not_rescaled() -> None:
    """Shows that a restart, which would bring nothing, is not planned for it."""
    stack = adaptive()
    stack.flink.slots = 1
    seen = stack.refresh()
    assert (seen.running_parallelism, seen.rescaled) == (1, None)
    assert not stack.plan(seen.spec).needed


def test_a_new_version_of_another_parallelism_is_not_rescaled() -> None:
    stack = adaptive()
    stack.flink.rescale_by_hand(stack.flink.the_job(), 4)
    stack.refresh()
    record = stack.up(version("Old", "savepoint", parallelism=3))
    assert (record.submitted_parallelism, record.rescaled) == ({"all": 3}, None)
    assert stack.refresh() == record


@pytest.mark.parametrize("state", ["CANCELED", None])
def test_a_job_that_has_ended_is_not_rescaled(state: str | None) -> None:
    """Shows that what ended it is what the plan tells."""
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 4)
    stack.refresh()
    if state:
        stack.flink.end(job, state)
    else:
        stack.flink.restart_job_manager()
    assert stack.refresh().rescaled is None
    assert "rescaled" not in stack.plan(stack.recorded.spec).line()


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"a": 1, "b": 2, "c": 2}, None),
        ({"a": 1, "b": 4, "c": 2}, "parallelism 4 instead of 2"),
        ({"a": 1, "b": 1, "c": 1}, "parallelism 1 instead of 2"),
        ({"a": 2, "b": 2, "c": 1}, "another parallelism of 2 of its 3 vertices"),
    ],
)
def test_in_words(bounds: dict[str, int], words: str | None) -> None:
    assert rescaled({"a": 1, "b": 2, "c": 2}, bounds) == words


@pytest.mark.parametrize("step", ["checkpoint", "rescale", "rescaled"])
def test_a_killed_run_is_gone_on_with(step: str) -> None:
    stack = adaptive()
    job = stack.flink.the_job()
    stack.flink.rescale_by_hand(job, 4)
    spec = stack.refresh().spec
    stack.flink.kill_before = step
    with pytest.raises(Killed):
        stack.up(spec)
    stack.flink.kill_before = ""
    record = stack.up(spec)
    assert stack.flink.the_job() is job
    assert (job.parallelism, record.running_parallelism, record.rescaled) == (2, 2, None)
    assert stack.refresh() == record
