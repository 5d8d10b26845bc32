"""Runs that are killed while Flink runs `main` for them: nothing is recorded of the submission."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.errors import DeadlineExceeded
from flink_jobs_provider.model.spec import JobSpec
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.flink.fake_flink import Killed
from tests.unit.reconciling.flink.stack import Stack

_MAIN, _OTHER = "flink-jar-runner-thread-1", "flink-jar-runner-thread-2"
_WAITS = "main of a submission runs on the cluster, and an earlier run may have begun it"


def wanted(**changes: object) -> JobSpec:
    """Return a spec with a short time for submissions."""
    return spec(timeouts={"submit": "5s"}, **changes)


class KilledInMain:
    """A stack whose run was killed when its submission was out; `main` runs on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *before: JobSpec, killed: JobSpec) -> None:
        self.stack = stack = Stack()
        for version in before:
            stack.up(version)
        flink = stack.flink

        async def submit(submission: Submission, _timeout: float) -> None:
            flink._upload(submission)
            self.left = submission
            flink.mains = {_MAIN}
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(flink, "submit", submit)
            with pytest.raises(Killed):
                stack.up(killed)
        self.job_id = self.left.job_id

    def ends(self, *, starts: bool = True) -> None:
        """Let `main` end while the next run waits for it, with its job or without.

        Another one has begun meanwhile, and runs on.
        """
        looks = count(1)

        def on_step(step: str) -> None:
            if step == "jobs" and next(looks) == 3:
                self.stack.flink.mains = {_OTHER}
                if starts:
                    self.stack.flink.submit_by_hand(self.left)

        self.stack.flink.on_step = on_step

    def active(self) -> list[str]:
        """Return the jobIds of what runs."""
        return [job.job_id for job in self.stack.flink.active()]


def created(monkeypatch: pytest.MonkeyPatch) -> KilledInMain:
    """Return a create that was killed."""
    return KilledInMain(monkeypatch, killed=wanted())


def updated(monkeypatch: pytest.MonkeyPatch) -> KilledInMain:
    """Return an update that was killed."""
    return KilledInMain(monkeypatch, wanted(parallelism=1), killed=wanted())


def started(monkeypatch: pytest.MonkeyPatch) -> KilledInMain:
    """Return the start of a stopped job that was killed."""
    before = wanted(), wanted(desired_state="stopped")
    return KilledInMain(monkeypatch, *before, killed=wanted())


Begin = Callable[[pytest.MonkeyPatch], KilledInMain]
_ALL = pytest.mark.parametrize("begin", [created, updated, started])


@_ALL
def test_the_same_version_is_waited_for_and_adopted(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    """Shows that `main` is not run a second time beside itself."""
    run = begin(monkeypatch)
    run.ends()
    before = len(run.stack.flink.submissions)
    assert run.stack.up(wanted()).job_id == run.job_id
    assert run.active() == [run.job_id]
    assert run.stack.flink.submissions[before:] == [run.left]
    assert any(_WAITS in line for line in run.stack.said)


@_ALL
def test_another_version_replaces_it_with_its_state(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    """Shows that the two never run at once."""
    run = begin(monkeypatch)
    run.ends()
    record = run.stack.up(wanted(parallelism=3))
    assert run.active() == [record.job_id] != [run.job_id]
    assert run.stack.flink.jobs_by_id[run.job_id].state == "FINISHED"
    assert record.restored_from is not None
    assert f"/{run.job_id}/" in record.restored_from


@_ALL
def test_a_main_without_a_job_is_followed_by_a_start(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    run = begin(monkeypatch)
    run.ends(starts=False)
    record = run.stack.up(wanted())
    assert run.active() == [record.job_id] == [run.job_id]
    assert not run.stack.flink.submissions[-1].sent_before


@pytest.mark.parametrize("begin", [updated, started])
def test_a_stop_and_a_deletion_wait_for_it(monkeypatch: pytest.MonkeyPatch, begin: Begin) -> None:
    """Shows that no job is left running that is recorded as stopped, or not at all."""
    run = begin(monkeypatch)
    run.ends()
    run.stack.up(wanted(parallelism=7, desired_state="stopped"))
    assert run.active() == []
    assert run.stack.flink.jobs_by_id[run.job_id].state == "FINISHED"

    run = begin(monkeypatch)
    run.ends()
    run.stack.destroy()
    assert run.active() == []
    assert run.stack.flink.jobs_by_id[run.job_id].state == "CANCELED"


@pytest.mark.parametrize("begin", [created, updated])
def test_one_that_outlasts_the_wait_is_refused(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    """Shows the refusal where a run was cut short for certain; a refresh says that it may go on."""
    run = begin(monkeypatch)
    before = len(run.stack.flink.submissions)
    for version in (wanted(), wanted(parallelism=3), wanted(desired_state="stopped")):
        with pytest.raises(DeadlineExceeded, match="may be its, has not ended in 5 s") as refused:
            run.stack.up(version)
        assert "nothing else was started" in refused.value.now
    assert len(run.stack.flink.submissions) == before
    if begin is updated:
        with pytest.raises(DeadlineExceeded, match="was not deleted"):
            run.stack.destroy()
        run.stack.refresh()
        assert run.stack.up(wanted()).job_id == run.job_id


def test_where_no_run_was_cut_short_for_certain_a_main_is_waited_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows that other teams' programs delay starts, and do not prevent them."""
    run = started(monkeypatch)
    began = run.stack.time.now()
    assert run.stack.up(wanted()).job_id == run.job_id
    assert run.stack.flink.submissions[-1].sent_before
    assert run.stack.time.now() - began >= 5
    assert run.stack.flink.outlasting == {_MAIN}
    run.stack.up(wanted(desired_state="stopped"))
    began = run.stack.time.now()
    run.stack.up(wanted())
    assert run.stack.time.now() - began < 5


@_ALL
def test_where_threads_are_hidden_the_jobid_is_a_repeat(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    run = begin(monkeypatch)
    run.stack.flink.mains = None
    assert run.stack.up(wanted()).job_id == run.job_id
    assert run.stack.flink.submissions[-1].sent_before


def test_a_first_start_waits_for_nobody() -> None:
    """Shows that a job without a trace of an earlier run does not ask for threads at all."""
    stack = Stack()
    stack.flink.mains = {_OTHER}
    stack.up(wanted())
    assert not any(_WAITS in line for line in stack.said)


def test_a_job_that_came_to_its_own_end_waits_for_nobody() -> None:
    stack = Stack()
    stack.up(wanted())
    stack.flink.end(stack.flink.the_job(), "FINISHED")
    stack.flink.mains = {_OTHER}
    stack.up(wanted(on_delete="savepoint"))
    assert not any(_WAITS in line for line in stack.said)
