"""Jobs that do not run: what each comes back from, and what is refused."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    StateUnavailable,
)
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import JobSpec
from tests.contract.dli.stack import (
    BESIDE,
    NAMED,
    Stack,
    killed_at,
    restored,
    running,
    spec,
    stopped,
)


@pytest.mark.parametrize("word", ["job_running_exception", "job_cancel_success", "job_init"])
def test_a_job_that_ended_comes_back_from_a_savepoint_taken_since_its_start(word: str) -> None:
    stack = running()
    stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    stack.dli.fail(stack.dli.job(), word)
    stack.refresh()
    assert not stack.recorded.status.active
    record = stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    assert record.action is Action.START


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("word", ["job_running_exception", "job_cancel_success", "job_submit_fail"])
def test_an_older_savepoint_is_not_taken_for_the_newest(word: str, refreshed: bool) -> None:
    """Shows that a job which has run on since its savepoint is not silently set back."""
    stack = stopped()
    stack.up(spec())
    stack.dli.fail(stack.dli.job(), word, "it broke")
    if refreshed:
        stack.refresh()
        assert "it broke" in stack.recorded.job_output or word == "job_cancel_success"
    with pytest.raises(StateUnavailable) as caught:
        stack.bring_about(spec())
    assert "of its savepoints none is newer than its last start" in str(caught.value)
    assert f"the last one is {stack.recorded.last_savepoint}. Nothing was started" in str(
        caught.value
    )
    assert "restore_from" in str(caught.value)
    assert len(stack.dli.launches) == 2
    path = stack.recorded.last_savepoint
    stack.up(spec(restore_from=path))
    assert same_path(restored(stack)[-1], path)


def test_a_job_started_by_somebody_else_is_not_set_back() -> None:
    """Shows that a savepoint which may be older than the last start is not taken."""
    stack = running()
    job = stack.dli.job()
    stack.time.time += 60
    stack.dli._stop(job, True)
    stack.dli._launch(job, True)
    stack.dli.fail(job)
    for _ in range(2):
        with pytest.raises(StateUnavailable, match="restore_from"):
            stack.bring_about(spec())
        stack.refresh()
    assert len(stack.dli.launches) == 2


@pytest.mark.parametrize("word", ["job_running_exception", "job_cancel_success"])
def test_a_gateway_starts_from_the_newest_state(word: str) -> None:
    stack = running(gateway=True)
    job = stack.dli.job()
    stack.dli.fail(job, word)
    job.checkpoint = job.savepoint = "file:/checkpoints/1/chk-9"
    if word == "job_cancel_success":
        job.savepoint = ""
        stack.dli.fail(job, "job_running_exception")
    stack.refresh()
    record = stack.up(spec())
    assert stack.dli.steps[-1] == "run, resumed"
    assert record.restored_from == "file:/checkpoints/1/chk-9"


def test_a_gateway_without_any_state_refuses() -> None:
    stack = running(gateway=True)
    stack.dli.fail(stack.dli.job())
    stack.refresh()
    with pytest.raises(ActionFailed, match="no savepoint or retained checkpoint of it is known"):
        stack.up(spec())
    record = stack.up(spec(upgrade_mode="stateless"))
    assert restored(stack) == [None, None]
    assert record.action is Action.STATELESS_UPDATE


@pytest.mark.parametrize("gateway", [True, False])
def test_a_finished_job_is_run_again_when_that_is_asked_for(gateway: bool) -> None:
    stack = running(gateway=gateway)
    stack.dli.fail(stack.dli.job(), "job_finish")
    stack.refresh()
    assert stack.recorded.status is JobStatus.FINISHED
    stack.bring_about(spec(on_delete="savepoint"))
    assert stack.recorded.status is JobStatus.FINISHED
    assert len(stack.dli.launches) == 1
    record = stack.up(spec(on_delete="savepoint", restart_trigger="1"))
    assert restored(stack) == [None, None]
    assert (record.status, record.action) == (JobStatus.RUNNING, Action.START)


@pytest.mark.parametrize("gateway", [True, False])
def test_a_job_that_finished_since_it_was_recorded_is_not_replaced(gateway: bool) -> None:
    """Shows that a plan made for a running job starts no new run that it did not show."""
    stack = running(gateway=gateway)
    stack.dli.fail(stack.dli.job(), "job_finish")
    with pytest.raises(StateUnavailable, match="come to its own end since it was recorded"):
        stack.up(spec(parallelism=5))
    assert len(stack.dli.launches) == 1


def test_a_job_that_is_gone_comes_back_from_its_savepoint() -> None:
    stack = running()
    stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    path = stack.recorded.last_savepoint
    stack.dli.jobs.clear()
    assert stack.refresh().status is JobStatus.LOST
    record = stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE))
    assert stack.dli.steps[3:] == ["create", "import", "run, resumed"]
    assert same_path(restored(stack)[-1], path)
    assert record.run_id == str(stack.dli.job().number)


def test_a_job_that_is_gone_without_a_savepoint_starts_only_when_that_is_said() -> None:
    stack = running()
    stack.dli.jobs.clear()
    stack.refresh()
    with pytest.raises(StateUnavailable, match="no longer known"):
        stack.up(spec())
    assert len(stack.dli.steps) == 2
    stack.up(spec(upgrade_mode="stateless"))
    assert restored(stack) == [None, None]


def started_by_a_run_that_died(stack: Stack, wanted: JobSpec) -> None:
    """Have a run start a version and be killed; the version runs for hours, and fails."""
    killed_at(stack, wanted, "/jobs/run")
    stack.time.time += 36_000
    stack.dli.fail(stack.dli.job())


NEW = {"plain": spec("New"), "named": spec("New", restore_from=NAMED)}


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("wanted", NEW.values(), ids=NEW)
def test_a_version_that_nobody_recorded_is_not_set_back(wanted: JobSpec, refreshed: bool) -> None:
    """Shows that it is seen without a graph that a version ran on since its savepoint."""
    stack = running()
    started_by_a_run_that_died(stack, wanted)
    if refreshed:
        stack.refresh()
    with pytest.raises(StateUnavailable, match="newer than"):
        stack.up(wanted)
    assert len(stack.dli.launches) == 2


def test_a_first_version_that_nobody_recorded_is_not_started_from_its_origin_again() -> None:
    stack = Stack()
    wanted = spec(restore_from=NAMED)
    started_by_a_run_that_died(stack, wanted)
    with pytest.raises(StateUnavailable, match="none is newer than its last start"):
        stack.up(wanted)
    assert len(stack.dli.launches) == 1


def test_a_job_that_was_gone_is_not_started_from_its_savepoint_twice() -> None:
    wanted = spec(savepoint_trigger="1", savepoint_directory=BESIDE)
    stack = running()
    stack.up(wanted)
    stack.dli.jobs.clear()
    stack.refresh()
    started_by_a_run_that_died(stack, wanted)
    with pytest.raises(StateUnavailable, match="newer than"):
        stack.up(wanted)
    assert len(stack.dli.launches) == 2


@pytest.mark.parametrize("graphs", ["never", "not once", "another"])
def test_a_refresh_forgets_nothing_of_the_start(graphs: str) -> None:
    """Shows that an older savepoint does not count when Flink's id is not told, or is new."""
    wanted = spec(savepoint_trigger="1", savepoint_directory=BESIDE)
    stack = stopped(shows_graphs=graphs != "never")
    stack.up(spec())
    if graphs == "another":
        stack.up(wanted)
        stack.time.time += 60  # the service starts it again by itself
        stack.dli.job().jid = "c" * 32
        stack.dli.job().started = int(stack.time.now() * 1000)
    stack.dli.shows_graphs = graphs == "another"
    stack.refresh()
    stack.dli.shows_graphs = graphs != "never"
    stack.refresh()
    stack.time.time += 36_000
    stack.dli.fail(stack.dli.job())
    stack.refresh()
    with pytest.raises(StateUnavailable, match="none is newer than its last start"):
        stack.up(wanted)
    assert len(stack.dli.launches) == 2


def test_a_finished_job_is_not_run_again_from_an_earlier_savepoint() -> None:
    wanted = spec(savepoint_trigger="1", savepoint_directory=BESIDE)
    stack = running()
    path = stack.up(wanted).last_savepoint
    stack.dli.fail(stack.dli.job(), "job_finish")
    stack.refresh()
    stack.bring_about(wanted)
    assert len(stack.dli.launches) == 1
    stack.up(spec(savepoint_trigger="1", savepoint_directory=BESIDE, parallelism=5))
    assert len(stack.dli.launches) == 2
    assert same_path(restored(stack)[-1], path)


@pytest.mark.parametrize("gone", [True, False])
def test_a_stop_of_what_had_ended_is_not_reported_as_a_stop(gone: bool) -> None:
    """Shows that the output does not pass an older savepoint off as that of the stop."""
    stack = running()
    asked = {"savepoint_directory": BESIDE, "savepoint_trigger": "1"}
    path = stack.up(spec(**asked)).last_savepoint
    stack.dli.jobs.clear() if gone else stack.dli.fail(stack.dli.job())
    record = stack.up(spec(**asked, desired_state="stopped"))
    how = "is no longer listed" if gone else "is job_running_exception"
    assert record.job_output == (
        f"Nothing was left to stop: job {record.job_id} {how}; the last savepoint of it that is "
        f"known is {path}"
    )
    assert f"orders: {record.job_output}" in stack.said
