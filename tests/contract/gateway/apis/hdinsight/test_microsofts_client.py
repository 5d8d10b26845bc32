"""Microsoft's client library works unchanged: every job operation, with its pollers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.mgmt.hdinsightcontainers.models import ClusterJob, FlinkJobProperties

from flink_jobs_provider.gateway.apis.hdinsight import conventions
from flink_jobs_provider.gateway.http.api_answers import STATUSES
from flink_jobs_provider.gateway.refusals import Refusal, RefusalCode
from flink_jobs_provider.model.action import Action
from tests.contract.gateway.apis.hdinsight.microsofts_client import OPTIONS, PLACE, client
from tests.contract.gateway.calling import VERSIONS, Gateway
from tests.contract.gateway.memory_service import CLUSTER_ID
from tests.contract.gateway.serving import served
from tests.waiting import wait_until


@pytest.fixture
def gateway() -> Gateway:
    """Return a gateway that names its own host in addresses."""
    return Gateway(public_url=None)


@pytest.fixture
def url(gateway: Gateway) -> Iterator[str]:
    """Serve it."""
    with served(gateway.app()) as address:
        yield address


def _job(action: str, name: str = "job1", **properties: Any) -> ClusterJob:
    return ClusterJob(properties=FlinkJobProperties(job_name=name, action=action, **properties))


def _new(name: str = "job1") -> ClusterJob:
    return _job(
        "NEW",
        name,
        job_jar_directory="abfs://jobs@account/jars",
        jar_name="job.jar",
        entry_class="com.example.Job",
        args="--input in",
        flink_configuration={"parallelism": "4"},
    )


def test_every_action_is_polled_to_its_end(gateway: Gateway, url: str) -> None:
    """Shows all eleven actions, and that the poller's result says how the action ended."""
    with client(url) as azure:
        jobs = azure.cluster_jobs
        for action in (
            *("SAVEPOINT", "LIST_SAVEPOINT", "UPDATE", "STATELESS_UPDATE", "LAST_STATE_UPDATE"),
            *("STOP", "START", "CANCEL", "RE_LAUNCH", "CANCEL", "DELETE"),
        ):
            if not gateway.service.rows:
                jobs.begin_run_job(*PLACE, _new(), **OPTIONS).result()
            poller = jobs.begin_run_job(*PLACE, _job(action), **OPTIONS)
            done = poller.result(timeout=180)
            assert poller.status() == "Succeeded"
            assert done.properties.action == action
            assert done.properties.action_result == "SUCCESS"
            assert done.properties.job_output == f"{action} done."
    assert {request.action for request in gateway.service.requests} == set(Action)


def test_a_poller_waits_while_the_action_is_in_progress(gateway: Gateway, url: str) -> None:
    """Shows that it ends no sooner than the action."""
    gateway.service.hold = True
    with client(url) as azure:
        poller = azure.cluster_jobs.begin_run_job(*PLACE, _new(), **OPTIONS)
        poller.wait(timeout=0.5)
        assert poller.status() == "InProgress"
        gateway.service.finish(next(iter(gateway.service.actions)))
        assert poller.result(timeout=180).properties.action_result == "SUCCESS"


def test_a_failed_action_is_told_in_the_result_or_raised(gateway: Gateway, url: str) -> None:
    """Shows the default, as the service had it, and failOperation."""
    gateway.service.fails_with = "The jar has no class com.example.Job."
    with client(url) as azure:
        jobs = azure.cluster_jobs
        done = jobs.begin_run_job(*PLACE, _new(), **OPTIONS).result(timeout=180)
        assert done.properties.action_result == "FAILED"
        (row,) = jobs.list(*PLACE, enforce_https=False)
        assert row.properties.status == "JOB_LAUNCH_FAILED"
        poller = jobs.begin_run_job(
            *PLACE, _new("job2"), params={"failOperation": "true"}, **OPTIONS
        )
        with pytest.raises(HttpResponseError, match=r"no class com\.example\.Job") as raised:
            poller.result(timeout=180)
        assert raised.value.error is not None
        assert raised.value.error.code == "NEW_FAILED"


@pytest.mark.parametrize("version", VERSIONS)
def test_jobs_are_read_with_all_their_properties(gateway: Gateway, url: str, version: str) -> None:
    """Shows that each property of the model is filled, in each version."""
    with client(url, api_version=version) as azure:
        jobs = azure.cluster_jobs
        jobs.begin_run_job(*PLACE, _new(), **OPTIONS).result(timeout=180)
        jobs.begin_run_job(*PLACE, _job("SAVEPOINT"), **OPTIONS).result(timeout=180)
        (row,) = jobs.list(*PLACE, enforce_https=False)
    job = row.properties
    assert isinstance(job, FlinkJobProperties)
    run_id = next(iter(gateway.service.rows.values())).run_id
    assert row.id == f"{CLUSTER_ID}/jobs/{'job1' if version == VERSIONS[0] else run_id}"
    assert job.run_id == (None if version == VERSIONS[0] else run_id)
    assert (job.job_name, job.action) == ("job1", "SAVEPOINT")
    assert str(job.status) == "RUNNING"
    assert job.job_jar_directory == "abfs://jobs@account/jars"
    assert (job.jar_name, job.entry_class) == ("job.jar", "com.example.Job")
    assert job.args == "--input in"
    assert job.flink_configuration == {"parallelism": "4"}
    assert job.job_id
    assert job.last_save_point
    assert (job.action_result, job.job_output) == ("SUCCESS", "SAVEPOINT done.")


def test_pages_and_filters_are_followed(
    gateway: Gateway, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the client, which writes nextLink anew, comes through all pages."""
    monkeypatch.setattr(conventions, "PAGE", 2)
    with client(url) as azure:
        jobs = azure.cluster_jobs
        for number in range(5):
            jobs.begin_run_job(*PLACE, _new(f"job{number}"), polling=False, enforce_https=False)
        listed = list(jobs.list(*PLACE, enforce_https=False))
        assert [row.properties.job_name for row in listed] == [f"job{n}" for n in range(5)]
        one = list(jobs.list(*PLACE, filter="jobName eq job3", enforce_https=False))
        assert [row.properties.job_name for row in one] == ["job3"]
        same = list(jobs.list(*PLACE, filter="jarName eq 'job.jar'", enforce_https=False))
        assert len(same) == 5


def test_refusals_are_the_clients_own_errors(gateway: Gateway, url: str) -> None:
    """Shows which exception each refusal becomes, with code, target and details."""
    with client(url) as azure:
        jobs = azure.cluster_jobs
        jobs.begin_run_job(*PLACE, _new(), **OPTIONS).result(timeout=180)
        with pytest.raises(ResourceExistsError, match="JobAlreadyExists"):
            jobs.begin_run_job(*PLACE, _new(), **OPTIONS)
        with pytest.raises(ResourceNotFoundError, match="JobNotFound"):
            jobs.begin_run_job(*PLACE, _job("STOP", "job9"), **OPTIONS)
        with pytest.raises(ResourceNotFoundError, match="was not found"):
            list(jobs.list("Group-1", "Pool-1", "Flink-9", enforce_https=False))
        with pytest.raises(HttpResponseError) as raised:
            jobs.begin_run_job(*PLACE, _job("NEW", "Job_1", jar_name="x/y"), **OPTIONS)
        error = raised.value.error
        assert error is not None
        assert error.code == "InvalidParameter"
        assert {detail.target for detail in error.details} == {
            "properties.jobName",
            "properties.jarName",
            "properties.jobJarDirectory",
            "properties.entryClass",
        }
    with client(url, "nobody") as azure, pytest.raises(ClientAuthenticationError):
        list(azure.cluster_jobs.list(*PLACE, enforce_https=False))


def _answered(gateway: Gateway, number: int) -> list[int]:
    """Return the statuses of all answers, of which there are so many at least."""
    counted = gateway.metrics.counted
    # An answer is counted after it was sent.
    wait_until(lambda: len(counted) >= number, 10, "the answers are counted")
    return [status for _, _, status in counted]


def test_what_the_client_sends_again_was_not_begun(gateway: Gateway, url: str) -> None:
    """Shows that it resends a POST that came too soon, and no other that was refused."""
    with client(url, retry_backoff_factor=0) as azure:
        jobs = azure.cluster_jobs
        codes: list[RefusalCode] = [
            "Conflict",
            "InvalidParameter",
            "AuthorizationFailed",
            "JobNotFound",
        ]
        for code in codes:
            gateway.service.refuses_with = Refusal(code, "No.", retry_after=1)
            gateway.metrics.counted.clear()
            with pytest.raises(HttpResponseError):
                jobs.begin_run_job(*PLACE, _new(), **OPTIONS)
            assert _answered(gateway, 1) == [STATUSES[code]]
        gateway.service.refuses_with = Refusal("TooManyActions", "Wait.", retry_after=0.1)
        gateway.metrics.counted.clear()
        with pytest.raises(HttpResponseError):
            jobs.begin_run_job(*PLACE, _new(), **OPTIONS)
        assert _answered(gateway, 4) == [429] * 4
    assert gateway.service.requests == []
