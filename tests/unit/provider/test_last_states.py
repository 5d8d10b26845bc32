"""What a delete says of a job's last state: the record that knows it goes along with the job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.planning.known_state import last_words
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.run_output import FlinkJobError
from tests.unit.provider.test_calls import Job
from tests.unit.provider.test_taking_over import delete, refresh
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import Program

RETAIN = "RETAIN_ON_CANCELLATION"


@pytest.mark.parametrize("on_delete", ["cancel", "savepoint"])
@pytest.mark.parametrize("status", ["LOST", "FAILED", "CANCELED", "STOPPED", "RUNNING"])
def test_the_last_known_state_is_named(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
    status: str,
    on_delete: str,
) -> None:
    """Shows it whatever on_delete says and however the job ended."""
    flink.programs["Main"] = Program(checkpoints=False)
    job = Job(provider, inputs)
    job.create(on_delete=on_delete)
    flink.pass_time(60)
    job.update(on_delete=on_delete, savepoint_trigger="1")
    if status == "STOPPED":
        job.update(on_delete=on_delete, savepoint_trigger="1", desired_state="stopped")
    elif status == "LOST":
        flink.restart_job_manager()
    elif status != "RUNNING":
        flink.end(flink.the_job(), status, "RuntimeException: no")
    refresh(job)
    assert job.state["status"] == status
    saved = job.state["last_savepoint"]
    new_run()
    capsys.readouterr()
    delete(job)
    said = capsys.readouterr().out
    taken = status == "RUNNING" and on_delete == "savepoint"
    assert "orders: deleted" in said
    assert ("(LOST)" in said) == (status == "LOST")
    assert ("no savepoint was taken of it" in said) == (
        status != "STOPPED" and "its savepoint is " not in said
    )
    assert ("its savepoint is " in said) or saved in said
    if not taken:
        assert saved in said
    assert flink.active() == []


def test_a_job_without_state_is_cancelled_in_silence(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows that a cancel which was asked for is no news; the loss of a job is some."""
    flink.programs["Main"] = Program(checkpoints=False)
    job = Job(provider, inputs)
    job.create()
    recorded = JobRecord.from_outputs(job.state)
    new_run()
    capsys.readouterr()
    delete(job)
    assert capsys.readouterr().out == ""
    assert last_words(recorded.model_copy(update={"status": JobStatus.LOST}), 0) == (
        "orders: deleted; its cluster no longer knew it (LOST), no savepoint was taken of it; no "
        "state of it is known"
    )


def test_a_checkpoint_of_a_lost_job_is_named_without_a_refresh(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows that what a start would find is looked for, whatever the record knows."""
    retained = {"execution.checkpointing.externalized-checkpoint-retention": RETAIN}
    job = Job(provider, inputs)
    job.create(flink_configuration=retained)
    flink.pass_time(70)
    flink.restart_job_manager()
    new_run()
    capsys.readouterr()
    delete(job)
    said = capsys.readouterr().out
    assert "(LOST)" in said
    assert "; its last known state is checkpoint " in said
    assert "/chk-" in said


def test_a_job_that_cannot_be_ended_is_named(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: Callable[[], None],
) -> None:
    """Shows that a dead cluster leaves the record, and what the user can do then."""
    job = Job(provider, inputs)
    job.create()
    new_run()
    flink.unreachable = 5
    with pytest.raises(FlinkJobError) as caught:
        delete(job)
    message = str(caught.value)
    assert message.startswith(f"orders: job {job.state['job_id']} could not be ended: ")
    assert "Whether it runs is not known; it was not deleted, and stays recorded." in message
    assert message.endswith(
        "(pulumi state delete, or flink-jobs state delete), which touches no job."
    )
