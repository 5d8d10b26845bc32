"""The Data Lake Insight face on a real cluster: the printed requests, and Huawei's own SDK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkdli import v1 as sdk

from tests.contract.gateway.apis.dli.printed import printed
from tests.counting_output import assert_counts_continuous
from tests.dli_gateway import DliGateway
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR, copy_with_other_bytes
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, flink_2_session: FlinkCluster
) -> Iterator[DliGateway]:
    """Serve one cluster for all tests of this module."""
    directory = tmp_path_factory.mktemp("gateway")
    with closing(DliGateway(directory, flink_2_session.url)) as gateway:
        gateway.start()
        yield gateway
        assert gateway.process.stop() == 0


@pytest.fixture
def dli(service: DliGateway, flink_2: FlinkCluster) -> DliGateway:
    """Return the gateway, on a cluster without jobs."""
    return service


def _checkpointed_since(cluster: FlinkCluster, job_id: str) -> bool:
    """Whether a checkpoint was begun after the last savepoint, and has completed."""
    latest = cluster.get(f"/jobs/{job_id}/checkpoints")["latest"]
    completed, savepoint = latest["completed"], latest["savepoint"]
    return bool(completed and savepoint) and (
        completed["trigger_timestamp"] > savepoint["trigger_timestamp"]
    )


def _restored_from(flink: FlinkCluster, job_id: str) -> str | None:
    restored = flink.get(f"/jobs/{job_id}/checkpoints")["latest"]["restored"]
    return str(restored["external_path"]) if restored else None


def _active(flink: FlinkCluster) -> set[str]:
    over = {"FINISHED", "CANCELED", "FAILED"}
    return {job_id for job_id, row in flink.jobs().items() if row["state"] not in over}


def test_printed_requests_have_their_documented_effect(
    dli: DliGateway, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows both printed requests in the life of two jobs."""
    first = dli.create("first", tmp_path / "one")
    second = dli.create("second", tmp_path / "two")
    assert dli.detail(first)["status"] == "job_init"
    assert _active(flink_2) == set()
    dli.run(first, second)
    assert _active(flink_2) == {dli.job_id(first), dli.job_id(second)}

    def stop(savepoint: bool) -> set[Path]:
        before = dli.savepoints()
        body = printed("stop", first, second).replace("false", str(savepoint).lower())
        assert len(dli.done("POST", "/jobs/stop", content=body)) == 2
        for number in (first, second):
            dli.becomes(number, "job_cancel_success")
        assert _active(flink_2) == set()
        return dli.savepoints() - before

    taken = stop(savepoint=True)
    paths = {dli.detail(number)["savepoint_path"] for number in (first, second)}
    assert {Path(path.removeprefix("file:")) for path in paths} == taken
    assert len(taken) == 2
    assert_counts_continuous(tmp_path / "one", complete=True)
    dli.run(first, second, resume=True)
    assert {_restored_from(flink_2, job_id) for job_id in _active(flink_2)} == paths
    assert stop(savepoint=False) == set()

    # Imported is the savepoint of the other job, which this one would never start from by itself.
    (other,) = (path for path in taken if "/second/" in str(path))
    place = f"bucket/{other.relative_to(dli.storage)}/"
    body = printed("import-savepoint", first, **{"bucket_name/dir/savepoint/": place})
    dli.done("POST", f"/jobs/{first}/import-savepoint", content=body)
    detail = dli.detail(first)
    assert (detail["status"], Path(detail["savepoint_path"].removeprefix("file://"))) == (
        "job_cancel_success",
        other,
    )
    dli.run(first, resume=True)
    restored = _restored_from(flink_2, dli.job_id(first))
    assert restored is not None
    assert Path(restored.removeprefix("file:")) == other

    dli.done("DELETE", f"/jobs/{first}")
    dli.done("POST", "/jobs/delete", json={"job_ids": [second]})
    for number in (first, second):
        dli.goes(number)
    assert _active(flink_2) == set()
    assert flink_2.get("/jars")["files"] == []
    assert taken <= dli.savepoints(), "a deletion leaves savepoints"


def test_huaweis_sdk_does_everything(
    dli: DliGateway, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows every jar-job operation of the unmodified library, signed."""
    huawei = dli.sdk()
    job = sdk.CreateFlinkJarJobRequestBody(
        **dli.job("My_Job", tmp_path / "out"),
        checkpoint_enabled=True,
        checkpoint_interval=1,
        checkpoint_path="bucket/checkpoints",
        resume_max_num=2,
        tags=[sdk.Tag(key="team", value="orders")],
    )
    number = huawei.create_flink_jar_job(sdk.CreateFlinkJarJobRequest(body=job)).job.job_id
    with pytest.raises(ClientRequestException) as caught:
        huawei.create_flink_jar_job(sdk.CreateFlinkJarJobRequest(body=job))
    assert caught.value.error_code == "DLI.0006"
    listed = huawei.list_flink_jobs(sdk.ListFlinkJobsRequest(name="My_Job", tags="team=orders"))
    assert [one.job_id for one in listed.job_list.jobs] == [number]

    def run(resume: bool) -> str:
        body = sdk.BatchRunFlinkJobsRequestBody(job_ids=[number], resume_savepoint=resume)
        huawei.batch_run_flink_jobs(sdk.BatchRunFlinkJobsRequest(body=body))
        dli.becomes(number, "job_running")
        graph = huawei.show_flink_job_execution_graph(
            sdk.ShowFlinkJobExecutionGraphRequest(job_id=number)
        ).execute_graph
        assert graph.state == "RUNNING"
        assert _active(flink_2) == {graph.jid}
        job_id: str = graph.jid
        return job_id

    def stop(savepoint: bool) -> None:
        body = sdk.StopFlinkJobsRequestBody(job_ids=[number], trigger_savepoint=savepoint)
        huawei.batch_stop_flink_jobs(sdk.BatchStopFlinkJobsRequest(body=body))
        dli.becomes(number, "job_cancel_success")

    job_id = run(resume=True)
    config = flink_2.get(f"/jobs/{job_id}/checkpoints/config")
    assert config["externalization"]["delete_on_cancellation"] is False

    trigger: dict[str, Any] = {"action": "TRIGGER", "savepoint_path": "bucket/own"}
    huawei.execute_flink_job_savepoint(
        sdk.ExecuteFlinkJobSavepointRequest(
            job_id=str(number), body=sdk.ExecuteFlinkJobSavepointRequestBody(**trigger)
        )
    )
    own = dli.becomes(number, "job_running")["savepoint_path"]
    assert Path(own.removeprefix("file:")).is_relative_to(dli.storage / "own")

    # Cancelled, it goes on from its newest checkpoint, which is newer than that savepoint.
    wait_until(lambda: _checkpointed_since(flink_2, job_id), 60, "a checkpoint after it")
    stop(savepoint=False)
    restored = _restored_from(flink_2, run(resume=True))
    assert restored is not None
    assert f"{dli.storage}/checkpoints/{job_id}/chk-" in restored

    # A job that runs takes only what may wait; stopped, all of it, and a jar that is replaced.
    def update(**fields: Any) -> None:
        body = sdk.UpdateFlinkJarJobRequestBody(**fields)
        huawei.update_flink_jar_job(sdk.UpdateFlinkJarJobRequest(job_id=number, body=body))

    update(resume_max_num=5)
    with pytest.raises(ClientRequestException) as caught:
        update(parallel_number=2)
    assert caught.value.error_code == "DLI.0007"
    stop(savepoint=True)
    assert_counts_continuous(tmp_path / "out", complete=True)
    update(parallel_number=2)
    copy_with_other_bytes(COUNTING_JAR, dli.storage / "jars" / "counting.jar", "new")
    job_id = run(resume=True)
    assert "/savepoint-" in str(_restored_from(flink_2, job_id))
    (jar,) = flink_2.get("/jars")["files"]
    assert jar

    imported = sdk.ImportFlinkJobSavepointRequestBody(job_id=number, savepoint_path=own)
    request = sdk.ImportFlinkJobSavepointRequest(job_id=str(number), body=imported)
    with pytest.raises(ClientRequestException) as caught:
        huawei.import_flink_job_savepoint(request)
    assert caught.value.error_code == "DLI.0007"
    stop(savepoint=False)
    huawei.import_flink_job_savepoint(request)
    assert _restored_from(flink_2, run(resume=True)) == own
    stop(savepoint=False)
    assert _restored_from(flink_2, run(resume=False)) is None

    body = sdk.BatchDeleteFlinkJobsRequestBody(job_ids=[number])
    huawei.batch_delete_flink_jobs(sdk.BatchDeleteFlinkJobsRequest(body=body))
    dli.goes(number)
    with pytest.raises(ClientRequestException) as caught:
        huawei.delete_flink_job(sdk.DeleteFlinkJobRequest(job_id=number))
    assert caught.value.error_code == "DLI.16001"
    assert _active(flink_2) == set()


def test_a_run_that_fails_says_why(dli: DliGateway, tmp_path: Path) -> None:
    """Shows a class that the jar has not: the job can be mended, and runs then."""
    number = dli.create("wrong", tmp_path / "out", main_class="com.example.Missing")
    dli.done("POST", "/jobs/run", json={"job_ids": [number]})
    detail = dli.becomes(number, "job_submit_fail")
    assert "com.example.Missing" in detail["status_desc"]
    main_class = dli.job("wrong", tmp_path)["main_class"]
    dli.done("PUT", f"/flink-jobs/{number}", json={"main_class": main_class})
    dli.run(number)
    dli.done("DELETE", f"/jobs/{number}")
    dli.goes(number)


def test_a_job_is_restarted_as_often_as_its_fields_say(
    dli: DliGateway, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows it for a task that cannot write; and that a failed job goes on from its checkpoint."""
    output = tmp_path / "out"
    settings = {"checkpoint_enabled": True, "checkpoint_interval": 1}
    number = dli.create("fails", output, restart_when_exception=False, **settings)

    def failures() -> int:
        """Run the job, take its output away, and count its failures until it gives up."""
        dli.run(number, resume=True)
        job_id = dli.job_id(number)
        output.rename(tmp_path / job_id)
        output.touch()

        def gives_up() -> str:
            detail = dli.detail(number)
            assert detail["status"] == "job_running_exception", detail
            return str(detail["status_desc"])

        assert "FAILED" not in wait_until(gives_up, 60, "it gives up"), "it says why, not that"
        output.unlink()
        history = flink_2.get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]
        return len(history["entries"])

    assert failures() == 1
    restarts = {"restart_when_exception": True, "resume_checkpoint": True, "resume_max_num": 1}
    dli.done("PUT", f"/flink-jobs/{number}", json=restarts)
    assert failures() == 2
    restored = _restored_from(flink_2, dli.job_id(number))
    assert restored is not None
    assert "/chk-" in restored
    dli.done("DELETE", f"/jobs/{number}")
    dli.goes(number)
