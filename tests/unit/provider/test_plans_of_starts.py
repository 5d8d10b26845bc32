"""What a plan says of the state that a start would begin from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from flink_jobs_provider.provider.preview import plan_start
from tests.savepoint_metadata import metadata
from tests.unit.provider.test_calls import Job
from tests.unit.provider.test_hdinsight import TARGET
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import Program

STOPPED = {"desired_state": "stopped"}


@pytest.fixture
def stopped(provider: FlinkJobProvider, inputs: dict[str, Any], flink: FakeFlink) -> Job:
    """Return a job that was stopped with a savepoint."""
    flink.programs["Main"] = Program(checkpoints=False)
    job = Job(provider, inputs)
    job.create()
    flink.pass_time(60)
    job.update(**STOPPED)
    return job


def planned(job: Job, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the plan line of a start."""
    capsys.readouterr()
    assert job.diff().changes
    [line] = capsys.readouterr().out.splitlines()
    return line


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_missing_savepoint_is_no_promise(
    stopped: Job, flink: FakeFlink, capsys: pytest.CaptureFixture[str], forgotten: bool
) -> None:
    """Shows that the plan looks where the start looks: the start is refused for the same reason."""
    saved = str(stopped.state["last_savepoint"])
    if forgotten:
        flink.restart_job_manager()
    flink.remove(saved)
    line = planned(stopped, capsys)
    assert line.startswith(f"orders: START, start from savepoint {saved} (")
    assert "), WHICH IS NOT THERE (IT HAS NO _METADATA FILE): this is refused" in line
    with pytest.raises(Exception, match="is not there"):
        stopped.update()
    assert flink.active() == []


def test_a_whole_savepoint_is_named_with_its_age(
    stopped: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    line = planned(stopped, capsys)
    assert line.startswith("orders: START, start from savepoint ")
    assert "refused" not in line


def test_a_job_of_which_no_state_is_known(
    provider: FlinkJobProvider,
    inputs: dict[str, Any],
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Shows that its start is not promised, with a refresh or without one."""
    flink.programs["Main"] = Program(checkpoints=False)
    job = Job(provider, inputs)
    job.create()
    flink.restart_job_manager()
    for path in list(flink.progress_in):
        flink.remove(path)
    job.state = {**job.state, "status": "LOST"}
    line = planned(job, capsys)
    assert line.startswith(
        "orders: START, BUT NO SAVEPOINT OR RETAINED CHECKPOINT OF IT IS KNOWN: this is "
        "refused: the job is LOST"
    )
    with pytest.raises(Exception, match="no savepoint or retained checkpoint of it is known"):
        job.update()


def test_without_an_answer_the_recorded_savepoint_is_read(
    stopped: Job,
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flink.remove(str(stopped.state["last_savepoint"]))
    flink.unreachable = 1
    assert "WHICH IS NOT THERE" in planned(stopped, capsys)


def test_offline_only_files_of_this_machine_are_read(
    stopped: Job,
    flink: FakeFlink,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLINK_JOBS_OFFLINE", "1")
    flink.remove(str(stopped.state["last_savepoint"]))
    asked = list(flink.steps)
    assert "refused" not in planned(stopped, capsys)
    assert flink.steps == asked


def test_a_job_behind_a_gateway(inputs: dict[str, Any], tmp_path: Path) -> None:
    """Shows that what is recorded is read here, and that the gateway decides of the start."""
    directory = tmp_path / "savepoint-1"
    directory.mkdir()
    (directory / "_metadata").write_bytes(metadata()[:-1])
    del inputs["__provider"]
    target = {**TARGET, "jar_upload_directory": f"file://{tmp_path}/jars"}
    wanted = JobSpec.model_validate({**inputs, "target": target})
    recorded = JobRecord(
        spec=wanted.model_copy(update={"desired_state": "stopped"}),
        job_id="0" * 32,
        status=JobStatus.STOPPED,
        last_savepoint=str(directory),
        savepoints=[Savepoint(path=str(directory))],
    )

    def line() -> str:
        return asyncio.run(plan_start(recorded, wanted, None, offline=False)).line()

    assert f"start from savepoint {directory} (of unknown age), WHICH IS TORN (" in line()
    assert "): a start from it fails" in line()
    (directory / "_metadata").write_bytes(metadata())
    assert f"start from {directory}" in line()
    assert "TORN" not in line()
