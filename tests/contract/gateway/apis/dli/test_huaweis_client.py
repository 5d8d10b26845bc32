"""Every jar-job operation of Huawei's SDK, unmodified and signed, against a served gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkdli import v1 as sdk

from tests.contract.gateway.apis.dli.calling import JOB
from tests.contract.gateway.apis.dli.huaweis_client import SECURITY_TOKEN, client, signatures
from tests.contract.gateway.calling import Gateway
from tests.contract.gateway.serving import served


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    """Return a gateway that knows one key."""
    return Gateway(signatures=signatures())


@pytest.fixture(scope="module")
def url(gateway: Gateway) -> Iterator[str]:
    """Serve it for all tests of this module."""
    with served(gateway.app()) as address:
        yield address


@pytest.fixture
def huawei(url: str) -> Any:
    """Return a client."""
    return client(url)


def _create(huawei: Any, **fields: Any) -> int:
    body = sdk.CreateFlinkJarJobRequestBody(**{**JOB, **fields})
    answer = huawei.create_flink_jar_job(sdk.CreateFlinkJarJobRequest(body=body))
    assert answer.is_success == "true"
    assert answer.job.status_name == "job_init"
    number: int = answer.job.job_id
    return number


def _detail(huawei: Any, number: int) -> Any:
    return huawei.show_flink_job(sdk.ShowFlinkJobRequest(job_id=number)).job_detail


def _run(huawei: Any, number: int, resume: bool) -> Any:
    body = sdk.BatchRunFlinkJobsRequestBody(job_ids=[number], resume_savepoint=resume)
    return huawei.batch_run_flink_jobs(sdk.BatchRunFlinkJobsRequest(body=body)).body


def _stop(huawei: Any, number: int, savepoint: bool) -> Any:
    body = sdk.StopFlinkJobsRequestBody(job_ids=[number], trigger_savepoint=savepoint)
    return huawei.batch_stop_flink_jobs(sdk.BatchStopFlinkJobsRequest(body=body)).body


def test_a_jobs_whole_life(gateway: Gateway, huawei: Any) -> None:
    number = _create(
        huawei,
        name="life",
        checkpoint_enabled=True,
        checkpoint_mode=2,
        tags=[sdk.Tag(key="team", value="orders & co")],
        runtime_config='{"flink-jobs.spec": "ü"}',
    )
    assert gateway.service.drafts[-1].caller == "sdk"
    detail = _detail(huawei, number)
    assert (detail.status, detail.job_config.checkpoint_mode) == ("job_init", "at_least_once")
    assert detail.job_config.runtime_config == '{"flink-jobs.spec": "ü"}'
    assert detail.job_config.parallel_number == 3

    body = sdk.UpdateFlinkJarJobRequestBody(parallel_number=4, desc="changed")
    request = sdk.UpdateFlinkJarJobRequest(job_id=number, body=body)
    assert huawei.update_flink_jar_job(request).job.update_time > 0
    assert _detail(huawei, number).desc == "changed"

    imported = sdk.ImportFlinkJobSavepointRequestBody(
        job_id=number, savepoint_path="bucket/dir/savepoint"
    )
    request = sdk.ImportFlinkJobSavepointRequest(job_id=str(number), body=imported)
    assert huawei.import_flink_job_savepoint(request).is_success == "true"
    (one,) = _run(huawei, number, resume=True)
    assert one.is_success == "true"
    assert gateway.service.rows[number].record.restored_from == "s3://mirror/dir/savepoint"
    assert _detail(huawei, number).status == "job_running"

    graph = huawei.show_flink_job_execution_graph(
        sdk.ShowFlinkJobExecutionGraphRequest(job_id=number)
    ).execute_graph
    assert graph.jid == gateway.service.rows[number].record.job_id
    assert graph.is_stoppable

    trigger = sdk.ExecuteFlinkJobSavepointRequestBody(action="TRIGGER", savepoint_path="bucket/own")
    request = sdk.ExecuteFlinkJobSavepointRequest(job_id=str(number), body=trigger)
    assert huawei.execute_flink_job_savepoint(request).is_success == "true"
    assert _detail(huawei, number).has_savepoint

    (one,) = _stop(huawei, number, savepoint=True)
    assert one.is_success == "true"
    assert gateway.service.requests[-1].action == "STOP"
    (one,) = _run(huawei, number, resume=True)
    assert gateway.service.requests[-1].action == "START"
    huawei.delete_flink_job(sdk.DeleteFlinkJobRequest(job_id=number))
    with pytest.raises(ClientRequestException) as caught:
        _detail(huawei, number)
    assert (caught.value.status_code, caught.value.error_code) == (400, "DLI.16001")
    assert caught.value.request_id


def test_lists_with_everything_that_must_be_signed_right(huawei: Any) -> None:
    """Shows queries with blanks, signs and letters of all kinds, all of which are signed."""
    number = _create(huawei, name="listed", tags=[sdk.Tag(key="a b", value="ü/+~&=ß")])
    request = sdk.ListFlinkJobsRequest(
        tags="a b=ü/+~&=ß",
        status="job_init",
        show_detail=True,
        limit=100,
        offset=0,
        order="asc",
        user_name="sdk",
        name="listed",
    )
    listed = huawei.list_flink_jobs(request).job_list
    assert [job.job_id for job in listed.jobs] == [number]
    assert listed.total_count == 1
    assert listed.jobs[0].job_config.entrypoint == JOB["entrypoint"]
    body = sdk.BatchDeleteFlinkJobsRequestBody(job_ids=[number, 4711])
    request = sdk.BatchDeleteFlinkJobsRequest(body=body)
    first, second = huawei.batch_delete_flink_jobs(request).body
    assert (first.is_success, second.is_success) == ("true", "false")


def test_a_wrong_secret_is_refused_before_anything_is_done(gateway: Gateway, url: str) -> None:
    before = len(gateway.service.drafts)
    with pytest.raises(ClientRequestException) as caught:
        _create(client(url, "another-secret-key"))
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")
    assert len(gateway.service.drafts) == before


def test_a_temporary_key_needs_its_token() -> None:
    gateway = Gateway(signatures=signatures(security_token="env:TOKEN"))
    with served(gateway.app()) as url:
        assert _create(client(url, token=SECURITY_TOKEN))
        with pytest.raises(ClientRequestException, match="X-Security-Token"):
            _create(client(url, token="another"))
        with pytest.raises(ClientRequestException, match="X-Security-Token"):
            _create(client(url))
