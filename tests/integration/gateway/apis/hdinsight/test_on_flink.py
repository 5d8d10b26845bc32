"""The whole gateway on a real cluster: the printed requests, and Microsoft's client library."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.hdinsightcontainers.models import ClusterJob, FlinkJobProperties

from flink_jobs_provider.gateway.principal import Role
from tests.contract.gateway.apis.hdinsight.microsofts_client import PLACE, client
from tests.contract.gateway.apis.hdinsight.printed import printed
from tests.contract.gateway.memory_service import CLUSTER_ID
from tests.counting_output import assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import GatewayProcess
from tests.job_jars import COUNTING_JAR, copy_with_other_bytes
from tests.waiting import wait_until

_VERSION = {"api-version": "2023-06-01-preview"}
_ENTRY_CLASS = "flinkjobs.counting.CountingJob"
_RETENTION = "execution.checkpointing.externalized-checkpoint-retention"
_OPTIONS: dict[str, Any] = {"polling_interval": 0.2, "enforce_https": False}


class _Service:
    """A gateway, and the storage that its callers name `abfs://jobs@account`."""

    def __init__(self, gateway: GatewayProcess, token: str, storage: Path) -> None:
        self.gateway = gateway
        self.token = token
        self.storage = storage

    def args(self, output: Path, label: str) -> str:
        return f"--output {output} --rate 200 --checkpoint-interval 200 --label {label}"


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, flink_2_session: FlinkCluster
) -> Iterator[_Service]:
    """Serve one cluster for all tests of this module."""
    directory, storage = tmp_path_factory.mktemp("gateway"), tmp_path_factory.mktemp("storage")
    (storage / "jars").mkdir()
    shutil.copyfile(COUNTING_JAR, storage / "jars" / "counting.jar")
    cluster = {
        "id": CLUSTER_ID,
        "flink": {"url": flink_2_session.url},
        "mounts": {"abfs://jobs@account": f"file://{storage}"},
    }
    with closing(GatewayProcess(directory, flink_2_session.url, clusters=[cluster])) as gateway:
        token = gateway.token("tests", Role.OPERATE)
        gateway.start()
        yield _Service(gateway, token, storage)
        assert gateway.stop() == 0


@pytest.fixture
def http(service: _Service, flink_2: FlinkCluster) -> Iterator[httpx.Client]:
    """Return a client without a library, on a cluster without jobs."""
    with service.gateway.client(service.token) as opened:
        yield opened


def _send(http: httpx.Client, action: str, **values: str) -> dict[str, Any]:
    """Send a printed request, wait until its operation has ended, and return the job's row."""
    answer = http.post(
        f"{CLUSTER_ID}/runjob",
        params=_VERSION,
        content=printed(action, **values),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 202, answer.text
    operation = answer.headers["Location"]

    def ended() -> bool:
        status: str = http.get(operation).json()["status"]
        return status == "Succeeded"

    wait_until(ended, 120, f"{action} has ended", interval=0.1)
    rows = _rows(http)
    row = rows.get(values["JOB_NAME"], {})
    assert action == "DELETE" or (row["action"], row["actionResult"]) == (action, "SUCCESS"), row
    return row


def _rows(http: httpx.Client, method: str = "GET") -> dict[str, dict[str, Any]]:
    answer = http.request(method, f"{CLUSTER_ID}/jobs", params=_VERSION)
    found = (row["properties"] for row in answer.json()["value"])
    return {row["jobName"]: row for row in found}


def _restored_from(flink: FlinkCluster, job_id: str) -> str | None:
    restored = flink.get(f"/jobs/{job_id}/checkpoints")["latest"]["restored"]
    return str(restored["external_path"]) if restored else None


def _active(flink: FlinkCluster) -> list[str]:
    over = {"FINISHED", "CANCELED", "FAILED"}
    return [job_id for job_id, row in flink.jobs().items() if row["state"] not in over]


def test_printed_requests_have_their_documented_effect(
    service: _Service, http: httpx.Client, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows each request of the two descriptions, in the life of one job."""
    job = {"JOB_NAME": "printed"}
    row = _send(
        http,
        "NEW",
        **job,
        JOB_JAR_STORAGE_PATH="abfs://jobs@account/jars",
        JOB_JAR_NAME="counting.jar",
        JOB_ENTRY_CLASS=_ENTRY_CLASS,
        JOB_JVM_ARGUMENT=service.args(tmp_path / "out", "one"),
        JOB_PARALLELISM="1",
        JOB_SAVEPOINT_DIRECTORY_STORAGE_PATH="abfs://jobs@account/savepoints",
    )
    assert row["status"] == "RUNNING"
    assert _active(flink_2) == [row["jobId"]]
    assert row["flinkConfiguration"]["parallelism"] == "1"
    assert _rows(http, "POST")["printed"]["jobId"] == row["jobId"]

    first = _send(http, "SAVEPOINT", **job)
    assert first["jobId"] == row["jobId"], "the job goes on"
    savepoint = first["lastSavePoint"]
    name = savepoint.rpartition("/")[2]
    assert re.fullmatch(rf"savepoint-{row['jobId'][:6]}-[0-9a-f]{{12}}", name)
    assert list(service.storage.glob(f"savepoints/**/{name}/_metadata"))
    assert savepoint in first["jobOutput"]

    listed = _send(http, "LIST_SAVEPOINT", **job)
    assert name in listed["jobOutput"]

    stopped = _send(http, "STOP", **job)
    assert stopped["status"] == "STOPPED"
    assert _active(flink_2) == []
    assert stopped["lastSavePoint"] != savepoint
    assert stopped["lastSavePoint"] in stopped["jobOutput"]
    assert_counts_continuous(tmp_path / "out", complete=True)

    last = stopped["lastSavePoint"].rpartition("/")[2]
    started = _send(http, "START", **job, SAVEPOINT_NAME=last)
    assert started["status"] == "RUNNING"
    restored = _restored_from(flink_2, started["jobId"])
    assert restored is not None
    assert restored.rpartition("/")[2] == last

    # The jar is updated in its place first, as the descriptions say.
    copy_with_other_bytes(COUNTING_JAR, service.storage / "jars" / "counting.jar", "new version")
    updated = _send(
        http,
        "UPDATE",
        **job,
        JOB_JVM_ARGUMENT=service.args(tmp_path / "out-2", "two"),
        SAVEPOINT_NAME=last,
    )
    assert updated["jobId"] != started["jobId"]
    assert _active(flink_2) == [updated["jobId"]]
    restored = _restored_from(flink_2, updated["jobId"])
    assert restored is not None
    assert restored.rpartition("/")[2] == last

    fresh = _send(
        http,
        "STATELESS_UPDATE",
        **job,
        JOB_JVM_ARGUMENT=service.args(tmp_path / "out-3", "three"),
    )
    assert _active(flink_2) == [fresh["jobId"]]
    assert _restored_from(flink_2, fresh["jobId"]) is None
    counted = wait_until(
        lambda: assert_counts_continuous(tmp_path / "out-3").labels["three"], 60, "it counts"
    )
    assert counted

    assert _send(http, "CANCEL", **job)["status"] == "CANCELED"
    assert _active(flink_2) == []
    assert _send(http, "DELETE", **job) == {}
    assert flink_2.get("/jars")["files"] == []


def test_microsofts_client_does_everything(
    service: _Service, flink_2: FlinkCluster, tmp_path: Path
) -> None:
    """Shows every job operation of the unmodified library, with its pollers."""
    args = service.args(tmp_path / "out", "azure")

    def job(action: str, **properties: Any) -> ClusterJob:
        return ClusterJob(
            properties=FlinkJobProperties(job_name="azure", action=action, **properties)
        )

    new = job(
        "NEW",
        job_jar_directory="abfs://jobs@account/jars",
        jar_name="counting.jar",
        entry_class=_ENTRY_CLASS,
        args=args,
        flink_configuration={
            "parallelism": "1",
            "savepoint.directory": "abfs://jobs@account/savepoints",
        },
    )
    with client(service.gateway.url, service.token) as azure:

        def done(what: ClusterJob) -> FlinkJobProperties:
            result = azure.cluster_jobs.begin_run_job(*PLACE, what, **_OPTIONS).result(120)
            assert result.properties.action_result == "SUCCESS", result.properties.job_output
            (row,) = azure.cluster_jobs.list(*PLACE, enforce_https=False)
            found: FlinkJobProperties = row.properties
            return found

        assert str(done(new).status) == "RUNNING"
        with pytest.raises(ResourceExistsError, match="JobAlreadyExists"):
            azure.cluster_jobs.begin_run_job(*PLACE, new, **_OPTIONS)
        assert done(job("SAVEPOINT")).last_save_point
        assert "savepoint-" in str(done(job("LIST_SAVEPOINT")).job_output)
        options = {"parallelism": "2", _RETENTION: "RETAIN_ON_CANCELLATION"}
        before = done(job("UPDATE", flink_configuration=options))
        assert before.flink_configuration == options
        assert _active(flink_2) == [before.job_id]
        after = done(job("LAST_STATE_UPDATE"))
        assert _active(flink_2) == [after.job_id]
        restored = _restored_from(flink_2, str(after.job_id))
        assert restored is not None
        assert "/chk-" in restored
        assert str(done(job("STOP")).status) == "STOPPED"
        assert_counts_continuous(tmp_path / "out", complete=True)
        assert str(done(job("START")).status) == "RUNNING"
        assert str(done(job("CANCEL")).status) == "CANCELED"
        again = done(job("RE_LAUNCH"))
        assert _active(flink_2) == [again.job_id]
        assert _restored_from(flink_2, str(again.job_id))
        done(job("STATELESS_UPDATE", args=args.replace("/out", "/fresh")))
        done(job("CANCEL"))
        deleted = azure.cluster_jobs.begin_run_job(*PLACE, job("DELETE"), **_OPTIONS).result(60)
        assert deleted.properties.action_result == "SUCCESS"
        assert list(azure.cluster_jobs.list(*PLACE, enforce_https=False)) == []


def test_a_launch_that_fails_says_why(service: _Service, flink_2: FlinkCluster) -> None:
    """Shows a class that the jar has not: in the list by default, raised on demand."""
    wrong = ClusterJob(
        properties=FlinkJobProperties(
            job_name="wrong",
            action="NEW",
            job_jar_directory="abfs://jobs@account/jars",
            jar_name="counting.jar",
            entry_class="com.example.Missing",
            args="",
            flink_configuration={"parallelism": "1"},
        )
    )
    with client(service.gateway.url, service.token) as azure:
        jobs = azure.cluster_jobs
        result = jobs.begin_run_job(*PLACE, wrong, **_OPTIONS).result(60)
        assert result.properties.action_result == "FAILED"
        (row,) = jobs.list(*PLACE, enforce_https=False)
        assert row.properties.status == "JOB_LAUNCH_FAILED"
        assert row.properties.job_id is None
        assert "com.example.Missing" in row.properties.job_output
        poller = jobs.begin_run_job(*PLACE, wrong, params={"failOperation": "true"}, **_OPTIONS)
        with pytest.raises(HttpResponseError, match=r"com\.example\.Missing"):
            poller.result(60)
        delete = ClusterJob(properties=FlinkJobProperties(job_name="wrong", action="DELETE"))
        jobs.begin_run_job(*PLACE, delete, **_OPTIONS).result(60)
    assert _active(flink_2) == []
