"""Submissions whose `main` outlasts the time for them: the job may start when nobody waits."""

from __future__ import annotations

import pytest

from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import DeadlineExceeded, MainStillRuns
from flink_jobs_provider.model.record import JobRecord
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.flink.stack import Stack

_SHORT = {"submit": "5s"}


class _SlowMain:
    """Has the next submission run on in the cluster after its time is up."""

    def __init__(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._flink = stack.flink
        self.left: Submission | None = None
        monkeypatch.setattr(stack.flink, "submit", self._submit)
        self._really = stack.flink.__class__.submit

    async def _submit(self, submission: Submission, timeout: float) -> None:
        if self.left is not None:
            await self._really(self._flink, submission, timeout)
            return
        self.left = submission
        error = MainStillRuns("main runs on", remedy="Run again")
        error.job_id = submission.job_id
        raise error

    def starts_its_job(self) -> str:
        """Let `main` come to its job; return the jobId."""
        assert self.left is not None
        self._flink.submit_by_hand(self.left)
        return self.left.job_id


def given_up(stack: Stack, **changes: object) -> MainStillRuns:
    """Run an `up` that gives up, and record what it leaves, as an engine does."""
    with pytest.raises(MainStillRuns) as caught:
        stack.up(spec(timeouts=_SHORT, **changes))
    assert isinstance(caught.value.partial, JobRecord)
    stack.record = JobRecord.from_outputs(caught.value.partial.outputs())
    return caught.value


def test_a_create_is_recorded_and_its_job_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    main = _SlowMain(stack, monkeypatch)
    error = given_up(stack)
    assert error.now == f"It may still start as job {error.job_id}; it has no state yet."
    wanted = spec(timeouts=_SHORT)
    why = f"job {error.job_id} was submitted and may yet start"
    line = f"orders: NEW, go on with job {error.job_id}: {why}"
    assert stack.plan(wanted).line() == line
    assert stack.refresh().unconfirmed == error.job_id
    assert main.starts_its_job() == error.job_id
    record = stack.up(wanted)
    assert (record.job_id, record.unconfirmed) == (error.job_id, None)
    assert (record.action, record.status) == (Action.NEW, JobStatus.RUNNING)
    assert not stack.plan(wanted).needed


def test_one_that_does_not_show_is_submitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the jobId is the same, so that it cannot start twice."""
    stack = Stack()
    stack.flink.mains = None
    _SlowMain(stack, monkeypatch)
    error = given_up(stack)
    assert stack.up(spec(timeouts=_SHORT)).job_id == error.job_id
    assert stack.flink.submissions[-1].sent_before


@pytest.mark.parametrize("mains", [{"main 1"}, None])
def test_no_other_version_is_started_beside_one_that_may_start(
    monkeypatch: pytest.MonkeyPatch, mains: set[str] | None
) -> None:
    """Shows that it waits until the former one shows, and ends that; also where that is hidden."""
    stack = Stack()
    main = _SlowMain(stack, monkeypatch)
    error = given_up(stack)
    stack.flink.mains = mains
    with pytest.raises(DeadlineExceeded, match=f"job {error.job_id}, .* has not shown up in 5 s"):
        stack.up(spec(timeouts=_SHORT, parallelism=3))
    with pytest.raises(DeadlineExceeded, match="nothing else was started"):
        stack.up(spec(timeouts=_SHORT, desired_state="stopped"))
    assert stack.flink.submissions == []
    main.starts_its_job()
    record = stack.up(spec(timeouts=_SHORT, parallelism=3))
    assert [job.job_id for job in stack.flink.active()] == [record.job_id] != [error.job_id]


def test_the_same_version_is_not_run_again_while_main_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    _SlowMain(stack, monkeypatch)
    given_up(stack)
    stack.flink.mains = {"main 1"}
    with pytest.raises(DeadlineExceeded, match="nothing else was started"):
        stack.up(spec(timeouts=_SHORT))


def test_a_main_that_has_failed_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that another version starts at once, and that a deletion needs no job."""
    for wanted in (spec(timeouts=_SHORT, parallelism=3), None):
        stack = Stack()
        _SlowMain(stack, monkeypatch)
        given_up(stack)
        stack.flink.mains = set()
        if wanted is None:
            stack.destroy()
            assert stack.flink.submissions == []
        else:
            record = stack.up(wanted)
            assert [job.job_id for job in stack.flink.active()] == [record.job_id]
            assert record.unconfirmed is None


def test_an_update_is_recorded_with_its_savepoint(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    stack.up(spec())
    main = _SlowMain(stack, monkeypatch)
    error = given_up(stack, parallelism=3)
    assert stack.recorded.last_savepoint
    assert stack.recorded.last_savepoint in error.now
    main.starts_its_job()
    record = stack.up(spec(timeouts=_SHORT, parallelism=3))
    assert (record.job_id, record.restored_from) == (error.job_id, stack.recorded.last_savepoint)


def test_a_deletion_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that a job that may start is not taken out of the stack; one that has is ended."""
    stack = Stack()
    main = _SlowMain(stack, monkeypatch)
    error = given_up(stack)
    stack.flink.mains = None
    with pytest.raises(DeadlineExceeded, match="has not shown up in 5 s") as refused:
        stack.destroy()
    assert "it was not deleted" in refused.value.now
    main.starts_its_job()
    stack.destroy()
    assert stack.flink.jobs_by_id[error.job_id].state == "CANCELED"
