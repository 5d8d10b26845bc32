"""Killed at every request, before it is carried out or with its answer lost, then run again.

There is one job, of the wanted version, with its state; and nothing was ordered that was done.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flink_jobs_provider.model.spec import JobSpec
from tests.contract.hdinsight.stack import DIRECTORY, Stack, spec
from tests.contract.hdinsight.test_lifecycle import running, stopped
from tests.contract.kills import check_copies, left_by_kills

#: How long until somebody runs it again, in seconds: while the action goes on, and afterwards.
PAUSES = [0, 600]
NAMED = f"{DIRECTORY}/savepoint-named"


def each_request(
    begin: Callable[[], Stack], action: Callable[[Stack], object], pause: float
) -> list[Stack]:
    """Return a stack for each request at which the run was killed, some time later."""
    start = begin()
    found = left_by_kills(start, start.arm, action)
    for stack in found:
        stack.time.time += pause
    assert len(found) > 6
    return found


def _left(stack: Stack) -> tuple[object, ...]:
    arm = stack.arm
    rows = [vars(row) | {"ends": row.ends is not None} for row in arm.rows]
    return (
        *(rows, arm.orders, arm.launches, arm.savepoints, sorted(arm._operations), arm._made),
        *(stack.record, stack.said, stack.time.time, len(arm.requests)),
    )


@pytest.mark.parametrize("appears", [0, 2])
def test_a_kill_leaves_what_a_copy_has(appears: float) -> None:
    """Shows it for an update after a NEW, whose row is listed at once, or late."""

    def both(stack: Stack) -> None:
        stack.up(spec())
        stack.up(spec("New"))

    check_copies(Stack(appears=appears), lambda s: s.arm, both, _left)


def is_up(stack: Stack, wanted: JobSpec) -> None:
    """Check that the wanted version runs, once, and that nothing is left to do."""
    job = stack.arm.job()
    assert (job["status"], job["entryClass"]) == ("RUNNING", wanted.entry_class)
    assert stack.recorded.job_id == job["jobId"]
    stack.refresh()
    assert not stack.plan(wanted).needed


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("restore", [None, NAMED])
def test_create(pause: float, keeps: bool, restore: str | None) -> None:
    """Shows that a create that died is adopted: one NEW, whatever was lost."""
    wanted = spec(restore_from=restore)
    for stack in each_request(
        lambda: Stack(keeps_unknown_keys=keeps), lambda s: s.up(wanted), pause
    ):
        stack.up(wanted)
        is_up(stack, wanted)
        assert stack.arm.actions() == ["NEW"]
        assert [launch.restored_from for launch in stack.arm.launches] == [restore]


@pytest.mark.parametrize("pause", PAUSES)
def test_create_with_another_spec_afterwards(pause: float) -> None:
    """Shows that what a dead create left is updated, with its state."""
    for stack in each_request(Stack, lambda s: s.up(spec()), pause):
        stack.up(spec("New"))
        is_up(stack, spec("New"))
        assert stack.arm.actions() in (["NEW"], ["NEW", "UPDATE"])
        if len(stack.arm.launches) == 2:
            assert stack.arm.launches[1].restored_from == stack.arm.savepoints[0]


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("mode", ["savepoint", "last-state", "stateless"])
def test_update(pause: float, refreshed: bool, mode: str) -> None:
    """Shows that an update is carried out once, whatever was lost."""
    wanted = spec("New", upgrade_mode=mode)
    for stack in each_request(lambda: running(mode), lambda s: s.up(wanted), pause):
        if refreshed:
            stack.refresh()
        record = stack.up(wanted)
        is_up(stack, wanted)
        assert len(stack.arm.orders) == 2
        if mode == "savepoint":
            assert record.last_savepoint == record.restored_from == stack.arm.savepoints[-1]
        else:
            assert record.last_savepoint is None


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("refreshed", [True, False])
def test_update_from_a_named_savepoint(pause: float, refreshed: bool) -> None:
    """Shows that the named savepoint is the one it starts from, once."""
    wanted = spec("New", restore_from=NAMED)
    for stack in each_request(running, lambda s: s.up(wanted), pause):
        if refreshed:
            stack.refresh()
        record = stack.up(wanted)
        is_up(stack, wanted)
        assert [launch.restored_from for launch in stack.arm.launches] == [None, NAMED]
        assert record.restored_from == record.last_savepoint == NAMED


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("to", ["Old", "Other"])
def test_update_that_died_and_another_version_is_wanted(pause: float, to: str) -> None:
    """Shows that going back, or elsewhere, has the state of what the dead run has started."""
    for stack in each_request(running, lambda s: s.up(spec("New")), pause):
        if to == "Old":
            stack.refresh()
        stack.up(spec(to))
        is_up(stack, spec(to))
        assert stack.arm.launches[-1].restored_from in [None, *stack.arm.savepoints[-1:]]


@pytest.mark.parametrize("pause", PAUSES)
def test_stop_and_start(pause: float) -> None:
    wanted = spec(desired_state="stopped")
    for stack in each_request(running, lambda s: s.up(wanted), pause):
        record = stack.up(wanted)
        assert stack.arm.actions() == ["NEW", "STOP"]
        assert record.last_savepoint == stack.arm.savepoints[-1]
        assert record.status == "STOPPED"
    for stack in each_request(stopped, lambda s: s.up(spec()), pause):
        record = stack.up(spec())
        is_up(stack, spec())
        assert stack.arm.actions() == ["NEW", "STOP", "START"]
        assert record.restored_from == stack.arm.savepoints[-1]


@pytest.mark.parametrize("pause", PAUSES)
def test_start_of_a_changed_version(pause: float) -> None:
    """Shows the one change of several actions: between them nothing runs, and no state is lost."""
    for stack in each_request(stopped, lambda s: s.up(spec("New")), pause):
        stack.up(spec("New"))
        is_up(stack, spec("New"))
        assert stack.arm.actions() == ["NEW", "STOP", "DELETE", "NEW"]
        assert stack.arm.launches[-1].restored_from == stack.arm.savepoints[-1]


@pytest.mark.parametrize("pause", PAUSES)
def test_savepoint(pause: float) -> None:
    wanted = spec(savepoint_trigger="1")
    for stack in each_request(running, lambda s: s.up(wanted), pause):
        record = stack.up(wanted)
        assert record.last_savepoint == stack.arm.savepoints[-1]
        assert len(stack.arm.savepoints) <= 2


@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
def test_delete(pause: float, on_delete: str) -> None:
    def begin() -> Stack:
        stack = running()
        stack.up(spec(on_delete=on_delete))
        return stack

    for stack in each_request(begin, lambda s: s.destroy(), pause):
        path = stack.destroy()
        assert stack.arm.rows == []
        assert len(stack.arm.savepoints) == (on_delete == "savepoint")
        assert path in (None, *stack.arm.savepoints)


@pytest.mark.parametrize("pause", PAUSES)
def test_a_job_that_was_lost(pause: float) -> None:
    """Shows that NEW from the last savepoint is sent once."""

    def begin() -> Stack:
        stack = running()
        stack.up(spec(savepoint_trigger="1"))
        stack.arm.rows.clear()
        stack.refresh()
        return stack

    wanted = spec(savepoint_trigger="1")
    for stack in each_request(begin, lambda s: s.up(wanted), pause):
        stack.up(wanted)
        is_up(stack, wanted)
        assert stack.arm.actions() == ["NEW", "SAVEPOINT", "NEW"]
        assert stack.arm.launches[-1].restored_from == stack.arm.savepoints[-1]
