"""Killed at every request, before it is carried out or with its answer lost, then run again.

There is one job, of the wanted version, with its state; and nothing runs that was not asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import httpx
import pytest

from flink_jobs_provider.model.savepoint import in_store, same_path
from flink_jobs_provider.model.spec import JobSpec
from tests.contract.dli.stack import NAMED, Stack, running, spec, stopped
from tests.contract.kills import check_copies, left_by_kills

#: How long until somebody runs it again, in seconds: while the step goes on, and afterwards.
PAUSES = [0, 600]
RUNS = pytest.mark.parametrize(("pause", "gateway"), [(0, False), (600, False), (0, True)])
BESIDE = "obs://bucket/beside"


def _has_an_effect(request: httpx.Request, moment: str) -> bool:
    """Whether a kill at a moment is another one than that before it: a read has no effect."""
    return moment == "before" or request.method != "GET"


def each_request(
    begin: Callable[[], Stack], action: Callable[[Stack], object], pause: float
) -> list[Stack]:
    """Return a stack for each request at which the run was killed, some time later."""
    start = begin()
    found = left_by_kills(start, start.dli, action, _has_an_effect)
    for stack in found:
        stack.time.time += pause
    assert len(found) > 5
    return found


def _left(stack: Stack) -> tuple[object, ...]:
    dli = stack.dli
    jobs = [vars(job) | {"ends": job.ends is not None} for job in dli.jobs.values()]
    return (
        *(jobs, dli.steps, dli.launches, dli.savepoints, dli.alive, dli.written, dli._made),
        *(stack.record, stack.said, stack.time.time, len(dli.requests)),
    )


@pytest.mark.parametrize("lags", [0, 2])
def test_a_kill_leaves_what_a_copy_has(lags: float) -> None:
    """Shows it for an update, with a service that shows its steps at once, or late."""
    check_copies(running(lags=lags), lambda s: s.dli, lambda s: s.up(spec("New")), _left)


def is_up(stack: Stack, wanted: JobSpec) -> None:
    """Check that the wanted version runs, once, and that nothing is left to do."""
    job = stack.dli.job()
    assert (job.status, job.config["main_class"]) == ("job_running", wanted.entry_class)
    assert stack.recorded.job_id == job.jid
    assert stack.recorded.run_id == str(job.number)
    stack.refresh()
    assert not stack.plan(wanted).needed


def restored(stack: Stack) -> list[str | None]:
    """Return what each version was started from, spelt as records are."""
    return [in_store((run.restored_from or "").rstrip("/")) or None for run in stack.dli.launches]


def saved(stack: Stack) -> list[str]:
    """Return the savepoints, spelt as records are."""
    return [in_store(path.rstrip("/")) for path in stack.dli.savepoints]


@RUNS
@pytest.mark.parametrize("restore", [None, NAMED])
def test_create(pause: float, restore: str | None, gateway: bool) -> None:
    """Shows that a create that died is adopted: one job, one start, whatever was lost."""
    wanted = spec(restore_from=restore)
    for stack in each_request(lambda: Stack(gateway=gateway), lambda s: s.up(wanted), pause):
        record = stack.up(wanted)
        is_up(stack, wanted)
        assert restored(stack) == [restore]
        assert (record.restored_from, record.last_savepoint) == (restore, restore)


@pytest.mark.parametrize("pause", PAUSES)
def test_create_where_the_service_keeps_no_mark(pause: float) -> None:
    for stack in each_request(
        lambda: Stack(keeps_unknown_keys=False), lambda s: s.up(spec()), pause
    ):
        stack.up(spec())
        is_up(stack, spec())
        assert restored(stack) == [None]


@RUNS
def test_create_with_another_spec_afterwards(pause: float, gateway: bool) -> None:
    """Shows that what a dead create left is updated, with its state if it ran."""
    for stack in each_request(lambda: Stack(gateway=gateway), lambda s: s.up(spec()), pause):
        stack.up(spec("New"))
        is_up(stack, spec("New"))
        if len(stack.dli.launches) == 2:
            assert restored(stack)[1] == saved(stack)[0]


@RUNS
@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("mode", ["savepoint", "stateless"])
def test_update(pause: float, refreshed: bool, mode: str, gateway: bool) -> None:
    """Shows that an update is carried out once, whatever was lost."""
    wanted = spec("New", upgrade_mode=mode)
    for stack in each_request(
        lambda: running(mode, gateway=gateway), lambda s: s.up(wanted), pause
    ):
        if refreshed:
            stack.refresh()
        record = stack.up(wanted)
        is_up(stack, wanted)
        assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
        if mode == "savepoint":
            assert record.last_savepoint == record.restored_from == saved(stack)[-1]
            assert restored(stack) == [None, saved(stack)[-1]]
            assert len(saved(stack)) == 1
        else:
            assert record.last_savepoint is None
            assert restored(stack) == [None, None]


@pytest.mark.parametrize("pause", PAUSES)
def test_update_with_a_savepoint_to_a_place_of_ones_own(pause: float) -> None:
    """Shows that a savepoint that lasts is recorded, wherever the run died."""

    def begin() -> Stack:
        stack = running()
        stack.up(spec(savepoint_directory=BESIDE))
        return stack

    wanted = spec("New", savepoint_directory=BESIDE)
    for stack in each_request(begin, lambda s: s.up(wanted), pause):
        stack.up(wanted)
        is_up(stack, wanted)
        of_stop = [path for path in saved(stack) if "/jobs/savepoint/" in path]
        assert restored(stack) == [None, *of_stop]


@RUNS
@pytest.mark.parametrize("refreshed", [True, False])
def test_update_from_a_named_savepoint(pause: float, refreshed: bool, gateway: bool) -> None:
    """Shows that the named savepoint is the one it starts from, once."""
    wanted = spec("New", restore_from=NAMED)
    for stack in each_request(lambda: running(gateway=gateway), lambda s: s.up(wanted), pause):
        if refreshed:
            stack.refresh()
        record = stack.up(wanted)
        is_up(stack, wanted)
        assert restored(stack) == [None, NAMED]
        assert same_path(record.restored_from, NAMED)
        assert same_path(record.last_savepoint, NAMED)


@RUNS
def test_update_that_fails_and_is_taken_back(pause: float, gateway: bool) -> None:
    """Shows that the state outlives a run that died on its way back to the previous version."""

    def begin() -> Stack:
        return running(gateway=gateway, broken={"New": "job_submit_fail"})

    def fail(stack: Stack) -> None:
        with contextlib.suppress(Exception):  # it fails, one way or the other
            stack.up(spec("New"))

    for stack in each_request(begin, fail, pause):
        stack.dli.broken.clear()
        stack.up(spec("New"))
        is_up(stack, spec("New"))
        assert restored(stack)[0] is None
        assert set(restored(stack)[1:]) <= set(saved(stack))


@RUNS
@pytest.mark.parametrize("to", ["Old", "Other"])
def test_update_that_died_and_another_version_is_wanted(
    pause: float, to: str, gateway: bool
) -> None:
    """Shows that going back, or elsewhere, has the state of what the dead run has started."""
    for stack in each_request(lambda: running(gateway=gateway), lambda s: s.up(spec("New")), pause):
        if to == "Old":
            stack.refresh()
        stack.up(spec(to))
        is_up(stack, spec(to))
        assert restored(stack)[-1] in [None, *saved(stack)[-1:]]


@RUNS
def test_stop_and_start(pause: float, gateway: bool) -> None:
    wanted = spec(desired_state="stopped")
    for stack in each_request(lambda: running(gateway=gateway), lambda s: s.up(wanted), pause):
        record = stack.up(wanted)
        assert record.last_savepoint == saved(stack)[-1]
        assert len(saved(stack)) == 1
        assert record.status == "STOPPED"
    for stack in each_request(lambda: stopped(gateway=gateway), lambda s: s.up(spec()), pause):
        record = stack.up(spec())
        is_up(stack, spec())
        assert restored(stack) == [None, saved(stack)[-1]]
        assert record.restored_from == saved(stack)[-1]


@RUNS
def test_start_of_a_changed_version(pause: float, gateway: bool) -> None:
    for stack in each_request(lambda: stopped(gateway=gateway), lambda s: s.up(spec("New")), pause):
        stack.up(spec("New"))
        is_up(stack, spec("New"))
        assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
        assert restored(stack)[-1] == saved(stack)[-1]


@pytest.mark.parametrize("pause", PAUSES)
def test_savepoint(pause: float) -> None:
    wanted = spec(savepoint_trigger="1", savepoint_directory=BESIDE)
    for stack in each_request(running, lambda s: s.up(wanted), pause):
        record = stack.up(wanted)
        assert record.last_savepoint == saved(stack)[-1]
        assert len(saved(stack)) <= 2


@RUNS
@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
def test_delete(pause: float, on_delete: str, gateway: bool) -> None:
    def begin() -> Stack:
        stack = running(gateway=gateway)
        stack.up(spec(on_delete=on_delete))
        return stack

    for stack in each_request(begin, lambda s: s.destroy(), pause):
        path = stack.destroy()
        assert stack.dli.jobs == {}
        assert len(saved(stack)) == (on_delete == "savepoint")
        assert path in (None, *saved(stack))


@pytest.mark.parametrize("pause", PAUSES)
def test_a_job_that_was_lost(pause: float) -> None:
    """Shows that it is created from the last savepoint, and started once."""
    wanted = spec(savepoint_trigger="1", savepoint_directory=BESIDE)

    def begin() -> Stack:
        stack = running()
        stack.up(wanted)
        stack.dli.jobs.clear()
        stack.refresh()
        return stack

    for stack in each_request(begin, lambda s: s.up(wanted), pause):
        stack.up(wanted)
        is_up(stack, wanted)
        assert restored(stack) == [None, saved(stack)[-1]]
