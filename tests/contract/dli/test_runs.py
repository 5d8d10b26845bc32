"""Runs of one job told apart: no savepoint of one counts for another, and each named one once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, PermanentError, StateUnavailable
from flink_jobs_provider.model.savepoint import in_store, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from tests.contract.dli.fake_dli import FakeJob
from tests.contract.dli.stack import BESIDE, NAMED, Stack, killed_at, restored, running, spec

_HOURS = 36_000
_WEEKS = 1_209_600


def version(entry_class: str = "Old", **changes: object) -> JobSpec:
    """Return a version that names a place of its own for savepoints."""
    return spec(entry_class, savepoint_directory=BESIDE, **changes)


def asking(entry_class: str = "Old") -> JobSpec:
    """Return a version that asks for a savepoint."""
    return version(entry_class, savepoint_trigger="1")


def begun(wanted: JobSpec, **service: object) -> Stack:
    """Return a stack whose job runs, and is as it is wanted."""
    stack = Stack(**service)
    stack.up(version())
    stack.up(wanted)
    return stack


def in_the_console(stack: Stack, stops: bool) -> None:
    """Have somebody start the job, perhaps after a stop with a savepoint; it runs for hours."""
    stack.time.time += 60
    job = stack.dli.job()
    if stops:
        stack.dli._stop(job, True)
    stack.dli._launch(job, True)
    stack.time.time += _HOURS


def stopped_then_started(stack: Stack) -> None:
    """Be stopped by us, and be started by somebody else."""
    stack.up(version(desired_state="stopped"))
    in_the_console(stack, stops=False)


def restarted(stack: Stack) -> None:
    """Be stopped and started by somebody else."""
    in_the_console(stack, stops=True)
    stack.refresh()


def updated_by_a_run_that_died(path: str) -> Callable[[Stack], None]:
    """Be updated by a run that is killed, and taken up by the next one."""

    def update(stack: Stack) -> None:
        stack.time.time += _WEEKS
        killed_at(stack, asking("New"), path)
        stack.dli._pass()
        stack.up(asking("New"))
        stack.time.time += _HOURS

    return update


HISTORIES = {
    "stopped by us, started by others": stopped_then_started,
    "restarted by others": restarted,
    "update killed after its stop": updated_by_a_run_that_died("/jobs/stop"),
    "update killed after its start": updated_by_a_run_that_died("/jobs/run"),
}


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_a_savepoint_of_another_run_does_not_count(
    history: Callable[[Stack], None], refreshed: bool
) -> None:
    """Shows that a job which fails is not set back to before its last start, also later."""
    stack = begun(asking())
    history(stack)
    stack.dli.fail(stack.dli.job())
    if refreshed:
        stack.refresh()
        assert stack.recorded.status is JobStatus.FAILED
    before = len(stack.dli.launches)
    wanted = asking(stack.dli.job().config["main_class"])
    with pytest.raises(StateUnavailable, match="newer than"):
        stack.bring_about(wanted)
    stack.bring_about(wanted.model_copy(update={"desired_state": DesiredState.STOPPED}))
    with pytest.raises(StateUnavailable, match="newer than"):
        stack.bring_about(wanted)
    assert len(stack.dli.launches) == before


def test_a_finished_job_that_was_declared_stopped_is_not_done_again() -> None:
    stack = begun(asking())
    stack.dli.fail(stack.dli.job(), "job_finish")
    stack.bring_about(version(desired_state="stopped", savepoint_trigger="1"))
    assert stack.bring_about(asking()).status is JobStatus.FINISHED
    assert len(stack.dli.launches) == 1


def test_one_weeks_old_is_not_on_record_as_the_last_one() -> None:
    """Shows that where the one beside the stop is not found, no older one stands in for it."""
    stack = begun(version("Other"))
    stack.time.time += _WEEKS
    killed_at(stack, version("New"), "/jobs/stop")
    stack.dli._pass()
    record = stack.up(version("New"))
    assert record.last_savepoint == record.restored_from
    assert same_path(record.last_savepoint, stack.dli.savepoints[-1])
    assert f"another one may be below {BESIDE}" in record.job_output


def test_going_back_takes_nothing_weeks_old() -> None:
    stack = begun(asking())
    stack.time.time += _WEEKS
    stack.dli.broken = dict.fromkeys(("Old", "New"), "job_running_exception")
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec("New", savepoint_trigger="1"))
    assert "The previous version did not start again either" in caught.value.now
    of_stop = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert f"the last savepoint of it that is known is {of_stop}" in caught.value.now
    assert stack.dli.steps.count("import") == 0


def test_going_back_takes_what_the_new_version_was_started_from() -> None:
    """Shows that a savepoint which the service does not show, but which counts, is gone back to."""
    stack = begun(version())
    path = stack.up(asking()).last_savepoint
    stack.dli.job().savepoint = ""
    stack.dli.broken = {"New": "job_submit_fail"}
    stack.dli.fail(stack.dli.job())
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(asking("New"))
    assert same_path(restored(stack)[-1], path)


# Named savepoints


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("since", [True, False])
@pytest.mark.parametrize("refreshed", [True, False])
def test_what_a_run_that_died_has_honoured_is_not_honoured_again(
    refreshed: bool, since: bool, gateway: bool
) -> None:
    stack = running(gateway=gateway)
    wanted = spec("New", restore_from=NAMED)
    killed_at(stack, wanted, "/jobs/run")
    stack.time.time += _HOURS
    stack.dli._pass()
    if since:
        stack.dli._saved(stack.dli.job(), "bucket/console")
    if refreshed:
        stack.refresh()
    stack.up(wanted)
    assert [same_path(each, NAMED) for each in restored(stack)] == [False, True]
    stack.refresh()
    assert stack.recorded.honoured is None
    assert not stack.plan(wanted).needed


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("killed", ["", "PUT"])
def test_a_named_savepoint_counts_after_a_way_back(killed: str, gateway: bool) -> None:
    """Shows that what this change itself has written is not taken for done by an earlier run."""
    stack = running(gateway=gateway, broken={"New": "job_submit_fail"})
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(spec("New"))
    stack.time.time += 60
    mended = spec("Mended", restore_from=NAMED)
    if killed:
        killed_at(stack, mended, "", killed)
    stack.up(mended)
    assert same_path(restored(stack)[-1], NAMED)
    assert stack.dli.launches[-1].main_class == "Mended"
    stack.refresh()
    assert not stack.plan(mended).needed


def test_a_named_savepoint_counts_after_a_restart_by_others() -> None:
    stack = running()
    in_the_console(stack, stops=True)
    stack.up(spec(restore_from=NAMED))
    assert same_path(restored(stack)[-1], NAMED)


@pytest.mark.parametrize("refreshed", [True, False])
def test_a_start_that_failed_says_how_to_go_on_and_that_works(refreshed: bool) -> None:
    stack = running()
    stack.up(spec(desired_state="stopped"))
    stack.dli.broken = {"Old": "job_running_exception"}
    with pytest.raises(ActionFailed) as caught:
        stack.up(spec())
    path = in_store(stack.dli.savepoints[-1].rstrip("/"))
    assert caught.value.remedy == f"Fix it, and run again with restore_from set to {path}."
    if refreshed:
        stack.refresh()
    stack.dli.broken.clear()
    stack.up(spec(restore_from=path))
    assert same_path(restored(stack)[-1], path)


# Settings that are not shown


@pytest.mark.parametrize(("name", "one", "two"), [("tm_slot_num", 2, 4), ("smn_topic", "a", "b")])
def test_a_setting_that_is_never_shown_is_written_once(name: str, one: Any, two: Any) -> None:
    stack = Stack()
    detail = stack.dli._detail

    def without(job: FakeJob) -> dict[str, Any]:
        shown = detail(job)
        shown["job_config"].pop(name, None)
        return shown

    stack.dli._detail = without  # type: ignore[method-assign]
    stack.up(spec(dli={name: one}))
    before = stack.dli.steps.count("change")
    stack.up(spec(dli={name: two}))
    assert stack.dli.steps.count("change") == before + 1
    assert stack.dli.job().config[name] == two
    assert stack.dli.job().status == "job_running"


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("state", ["running", "stopped"])
@pytest.mark.parametrize("marks", [True, False])
def test_a_job_without_a_record_is_not_set_back(marks: bool, state: str, gateway: bool) -> None:
    """Shows that a savepoint that was left in the program is not started from once more."""
    stack = Stack(gateway=gateway, keeps_unknown_keys=marks)
    stack.up(spec(restore_from=NAMED))
    stack.up(spec("New", restore_from=NAMED))
    if state == "stopped":
        stack.up(spec("New", restore_from=NAMED, desired_state="stopped"))
    stack.time.time += _HOURS
    stack.record = None
    steps = list(stack.dli.steps)
    refuses = marks or state == "running"
    with pytest.raises(StateUnavailable if refuses else PermanentError) as caught:
        stack.up(spec("New", restore_from=NAMED))
    if refuses:
        assert "whether it has started from restore_from" in str(caught.value)
        assert "Nothing was changed" in caught.value.now
    assert stack.dli.steps == steps
    if marks:
        stack.up(spec("New"))
        assert stack.dli.launches[-1].main_class == "New"
        assert not same_path(restored(stack)[-1], NAMED)
