"""Savepoints beside those of stops, which the service deletes: taken, recorded, and found again."""

from __future__ import annotations

import pytest

from flink_jobs_provider.artifacts.storage import Entry
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, StateUnavailable
from flink_jobs_provider.model.savepoint import in_store, same_path
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.dli import step_runner
from tests.contract.dli.fake_dli import FakeJob
from tests.contract.dli.stack import BESIDE, NAMED, Stack, killed_at, restored, spec


def version(entry_class: str = "Old", **changes: object) -> JobSpec:
    """Return a version that names a place of its own for savepoints."""
    return spec(entry_class, savepoint_directory=BESIDE, **changes)


def kept(**service: object) -> Stack:
    """Return a stack whose job runs, and names a place of its own for savepoints."""
    stack = Stack(**service)
    stack.up(version())
    return stack


def readable(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine list the savepoints of a service."""

    def listed(directory: str) -> list[Entry]:
        paths = {in_store(path.rstrip("/")): path for path in stack.dli.alive}
        return [
            Entry(f"{path}/_metadata", stack.dli.written[written])
            for path, written in paths.items()
            if path.startswith(f"{directory}/")
        ]

    monkeypatch.setattr(step_runner, "list_directory", listed)


def lasts(stack: Stack) -> None:
    """Check that the last savepoint on record is one that is there."""
    alive = {in_store(path.rstrip("/")) for path in stack.dli.alive}
    assert stack.recorded.last_savepoint in alive


def test_a_job_that_failed_is_not_set_back_to_before_its_update() -> None:
    """Shows that the savepoint beside an update's stop is not taken for one since its start."""
    stack = kept()
    stack.up(version("New"))
    stack.time.time += 36_000
    stack.dli.fail(stack.dli.job())
    for _ in range(2):
        with pytest.raises(StateUnavailable, match="none is newer than its last start"):
            stack.bring_about(version("New"))
        stack.refresh()
    assert len(stack.dli.launches) == 2
    stack.up(version("New", restore_from=stack.recorded.last_savepoint))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[0])


def test_one_that_was_asked_for_since_counts() -> None:
    stack = kept()
    stack.up(version("New"))
    stack.up(version("New", savepoint_trigger="1"))
    stack.dli.fail(stack.dli.job())
    stack.refresh()
    stack.up(version("New", savepoint_trigger="1"))
    assert same_path(restored(stack)[-1], stack.dli.savepoints[2])


def test_stop_and_start_in_two_runs() -> None:
    stack = kept()
    stack.up(version(desired_state="stopped"))
    beside, of_stop = stack.dli.savepoints
    assert same_path(stack.recorded.last_savepoint, of_stop)
    record = stack.up(version())
    assert same_path(restored(stack)[-1], of_stop)
    assert same_path(record.last_savepoint, beside)
    assert "may delete" not in record.job_output
    lasts(stack)
    stack.refresh()
    lasts(stack)
    assert not stack.plan(version()).needed


@pytest.mark.parametrize("refreshed", [True, False])
@pytest.mark.parametrize("step", ["/savepoint", "/jobs/stop", "/jobs/run"])
def test_what_a_run_that_died_has_taken_is_found(
    step: str, refreshed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = kept()
    readable(stack, monkeypatch)
    killed_at(stack, version("New"), step)
    if refreshed:
        stack.refresh()
    stack.up(version("New"))
    assert len(stack.dli.launches) == 2
    assert same_path(restored(stack)[-1], stack.dli.savepoints[-1])
    lasts(stack)
    stack.refresh()
    lasts(stack)
    assert not stack.plan(version("New")).needed


def test_where_that_cannot_be_listed_it_is_said_where_to_look() -> None:
    stack = kept()
    killed_at(stack, version("New"), "/jobs/stop")
    record = stack.up(version("New"))
    assert record.job_output.endswith(
        f"The service may delete that savepoint now: another one may be below {BESIDE}"
    )


def test_after_going_back_one_that_is_there_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = kept(broken={"New": "job_submit_fail"})
    readable(stack, monkeypatch)
    with pytest.raises(ActionFailed, match="The previous version runs again"):
        stack.up(version("New"))
    stack.refresh()
    lasts(stack)
    assert not stack.plan(version()).needed
    stack.time.time += 36_000
    stack.dli.fail(stack.dli.job())
    stack.refresh()
    with pytest.raises(StateUnavailable, match="none is newer than its last start"):
        stack.up(version())


def test_going_back_falls_back_to_the_one_beside() -> None:
    """Shows that where the savepoint of the stop does not work, the one beside it is tried."""
    stack = kept(broken={"New": "job_submit_fail"})
    launch = stack.dli._launch

    def fails_from_of_stop(job: FakeJob, resume: bool) -> None:
        if job.config["main_class"] == "Old" and "jobs/savepoint" in job.savepoint:
            stack.dli.fail(job, "job_submit_fail", "it is gone")
        else:
            launch(job, resume)

    stack.dli._launch = fails_from_of_stop  # type: ignore[method-assign]
    with pytest.raises(ActionFailed) as caught:
        stack.up(version("New"))
    beside = in_store(stack.dli.savepoints[0].rstrip("/"))
    assert f"from {beside}." in caught.value.now
    assert same_path(restored(stack)[-1], beside)


def test_both_are_named_where_neither_version_comes_up() -> None:
    stack = kept()
    stack.dli.broken = {"New": "job_submit_fail", "Old": "job_submit_fail"}
    with pytest.raises(ActionFailed) as caught:
        stack.up(version("New"))
    beside, of_stop = (in_store(path.rstrip("/")) for path in stack.dli.savepoints)
    assert (
        f"the last savepoint of it that is known is {of_stop}, and of just before that {beside}"
        in (caught.value.now)
    )


@pytest.mark.parametrize("wanted", [version("New"), version(desired_state="stopped"), None])
@pytest.mark.parametrize("shown", ["as before", "nothing"])
def test_a_stop_without_a_savepoint_is_no_success(wanted: JobSpec | None, shown: str) -> None:
    """Shows that the savepoint beside a stop is not taken for that of the stop."""
    stack = kept()
    stack.up(version(on_delete="savepoint"))

    def stop(job: FakeJob, saves: bool) -> None:
        assert saves
        stack.dli.fail(job, "job_cancel_success", "the savepoint failed")
        job.savepoint = job.savepoint if shown == "as before" else ""

    stack.dli._stop = stop  # type: ignore[method-assign]
    with pytest.raises(ActionFailed) as caught:
        stack.bring_about(wanted) if wanted else stack.destroy()
    assert "the stop with savepoint failed: the savepoint failed" in caught.value.happened
    beside = in_store(stack.dli.savepoints[0].rstrip("/"))
    assert f"A savepoint of just before is in {beside}." in caught.value.now
    assert stack.dli.steps[-1] == "stop, saved"
    assert len(stack.dli.launches) == 1


def test_a_named_savepoint_stays_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that what was left behind does not come back in the place of what was named."""
    stack = kept()
    readable(stack, monkeypatch)
    record = stack.up(version("New", restore_from=NAMED))
    assert record.last_savepoint == record.restored_from == NAMED
    stack.time.time += 60
    stack.dli.job().jid = "c" * 32  # the service has started it again by itself
    stack.dli.job().started = int(stack.time.now() * 1000)
    record = stack.refresh()
    assert (record.status, record.last_savepoint) == (JobStatus.RUNNING, NAMED)
