"""What a delete says of a job's last state: the record that knows it goes along with the job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.unit.provider.test_calls import Job
from tests.unit.provider.test_taking_over import delete, refresh
from tests.unit.reconciling.fake_flink import FakeFlink
from tests.unit.reconciling.fake_job import Program


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
    assert "orders: deleted, " in said
    assert ("its savepoint is " in said) or saved in said
    if not taken:
        assert saved in said
    assert flink.active() == []


def test_a_job_that_never_had_a_state_is_deleted_in_silence(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    new_run: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = Job(provider, inputs)
    job.create()
    flink.restart_job_manager()
    new_run()
    capsys.readouterr()
    delete(job)
    assert capsys.readouterr().out == ""
