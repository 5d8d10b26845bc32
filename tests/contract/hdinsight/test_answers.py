"""What the service answers, and what is made of it: errors, Retry-After, pages, operations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.hdinsight.client import open_client
from flink_jobs_provider.control_planes.hdinsight.plane import HDInsightPlane
from flink_jobs_provider.control_planes.service_planes import Busy, Order, OrderRefused, Unanswered
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ActionInProgress,
    ClusterRefused,
    ClusterUnreachable,
    EngineGone,
    JobError,
)
from flink_jobs_provider.model.target import HDInsightTarget
from tests.contract.hdinsight.fake_arm import CLUSTER, ENDPOINT, OPERATIONS
from tests.contract.hdinsight.stack import TARGET
from tests.unit.reconciling.fake_clock import FakeClock

STOP = Order(Action.STOP, "orders", "job-1")
SIGNED = f"{ENDPOINT}{OPERATIONS}/1*2?api-version=2022-09-01&t=1&c=secret&s=signature"
Answers = Callable[[httpx.Request], httpx.Response]


class Service:
    """A service that answers as it is told to, one after the other."""

    def __init__(self, *answers: httpx.Response | Exception, **target: Any) -> None:
        self.time = FakeClock()
        self.left = list(answers)
        self.requests: list[httpx.Request] = []
        self.bearers: list[str] = []
        self.guards = 0
        known = HDInsightTarget.model_validate({**TARGET, **target})
        client = open_client(known, lambda _reference: "hunter2", httpx.MockTransport(self._next))
        self.plane = HDInsightPlane(known, client, self._guard, self.time.now, self.time.sleep)

    def _guard(self) -> None:
        self.guards += 1

    def _next(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bearers.append(request.headers["Authorization"].removeprefix("Bearer "))
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def jobs(self) -> Any:
        """List the jobs."""
        return asyncio.run(self.plane.jobs())

    def perform(self, order: Order = STOP, timeout: float = 60.0) -> None:
        """Send an order."""
        asyncio.run(self.plane.perform(order, timeout))

    def paths(self) -> list[str]:
        """Return what was asked for."""
        return [f"{request.method} {request.url.path}" for request in self.requests]


def rows(*properties: dict[str, Any], link: str | None = None) -> httpx.Response:
    """Return a list of jobs."""
    value = [{"id": f"{CLUSTER}/jobs/job-{n}", "properties": p} for n, p in enumerate(properties)]
    return httpx.Response(200, json={"value": value, **({"nextLink": link} if link else {})})


def error(status: int, code: str = "", message: str = "", **headers: str) -> httpx.Response:
    """Return an error as Azure Resource Manager gives it."""
    body = {"error": {"code": code, "message": message}} if code else None
    return httpx.Response(status, json=body, headers=headers)


def accepted(**headers: str) -> httpx.Response:
    """Return the reply to runJob: 202, and `null`."""
    return httpx.Response(202, json=None, headers=headers)


def operation(status: str, **more: Any) -> httpx.Response:
    """Return an operation's status document."""
    return httpx.Response(200, json={"id": "x", "status": status, "properties": None, **more})


# Lists


def test_a_row_as_recorded_in_2024() -> None:
    """Shows a running job, with all that a row can have."""
    properties = {
        "jobType": "FlinkJob",
        "runId": "job-a5d-e2ac-4a5a-7a0f2f0c2a1b",
        "jobName": "orders",
        "jobJarDirectory": "abfs://c@a.dfs.core.windows.net/jars/",
        "jarName": "orders.jar",
        "entryClass": "a.Main",
        "args": "--a  b",
        "action": "STOP",
        "flinkConfiguration": {"parallelism": "2", "savepoint.directory": "abfs://s", "k": "v"},
        "jobId": "20e9e907eb360b1c69510507f88cdb7b",
        "status": "STOPPED",
        "jobOutput": "Savepoint completed. Path: abfs://s/savepoint-20e9e9-8a48c6b905e5",
        "actionResult": "SUCCESS",
        "lastSavePoint": "abfs://s/savepoint-20e9e9-8a48c6b905e5",
    }
    (job,) = Service(rows(properties)).jobs()
    assert job.run_id == "job-a5d-e2ac-4a5a-7a0f2f0c2a1b"
    assert (job.status, job.action, job.result) == (JobStatus.STOPPED, "STOP", "SUCCESS")
    assert job.version.jar == "abfs://c@a.dfs.core.windows.net/jars/orders.jar"
    assert job.version.args == ("--a", "b")
    assert job.version.parallelism == 2
    assert job.version.configuration == {"k": "v"}
    assert job.last_savepoint == "abfs://s/savepoint-20e9e9-8a48c6b905e5"


def test_rows_that_lack_nearly_everything() -> None:
    """Shows rows without a status, of a word that nobody knows, and those that are no jobs."""
    jobs = Service(
        rows(
            {"jobName": "a"},
            {"jobName": "b", "status": "PONDERING", "action": "DANCE", "actionResult": "MAYBE"},
            {"jobName": "c", "status": "STOP-FAILED", "action": "STOP", "actionResult": "SUCCESS"},
            {"jobName": "d", "status": "JOB_LAUNCH_FAILED", "action": "NEW"},
            {"jobType": "SparkJob"},
        )
    ).jobs()
    assert [(job.job_name, job.run_id, job.status) for job in jobs] == [
        ("a", "job-0", None),
        ("b", "job-1", None),
        ("c", "job-2", JobStatus.RUNNING),
        ("d", "job-3", JobStatus.FAILED),
    ]
    assert (jobs[1].action, jobs[1].result, jobs[1].status_word) == (None, None, "PONDERING")
    assert jobs[2].stop_failed
    assert jobs[3].never_came_up


def test_a_savepoint_that_only_the_output_names() -> None:
    output = "Savepoint completed. Path: abfs://s/savepoint-1-2"
    (job,) = Service(rows({"jobName": "a", "action": "STOP", "jobOutput": output})).jobs()
    assert job.last_savepoint == "abfs://s/savepoint-1-2"


def test_a_gateway_says_what_a_job_was_started_from() -> None:
    found = Service(
        rows(
            {"jobName": "a", "jobOutput": "Job started from file:/c/chk-3"},
            {"jobName": "b", "jobOutput": "Job started without state"},
        )
    ).jobs()
    assert [job.started_from for job in found] == ["file:/c/chk-3", ""]


def test_pages_are_followed_with_the_version_they_name() -> None:
    link = f"{ENDPOINT}{CLUSTER}/jobs?api-version=2022-02-02&$skipToken=2"
    service = Service(rows({"jobName": "a"}, link=link), rows({"jobName": "b"}))
    assert [job.job_name for job in service.jobs()] == ["a", "b"]
    first, second = (dict(request.url.params) for request in service.requests)
    assert first == {"api-version": "2024-05-01-preview"}
    assert second == {"api-version": "2022-02-02", "$skipToken": "2"}


def test_the_token_goes_to_no_other_host() -> None:
    """Shows that a link to elsewhere is asked for at the endpoint: a proxy may stand between."""
    link = f"https://elsewhere.test{CLUSTER}/jobs?api-version=1&page=2"
    service = Service(rows({"jobName": "a"}, link=link), rows())
    service.jobs()
    assert {request.url.host for request in service.requests} == {"management.azure.com"}


def test_pages_without_an_end() -> None:
    link = f"{ENDPOINT}{CLUSTER}/jobs?api-version=1&page=2"
    with pytest.raises(ClusterRefused, match="without an end"):
        Service(rows(link=link)).jobs()


def test_a_path_of_the_endpoint_is_kept() -> None:
    service = Service(rows(), endpoint="https://gateway.test/flink/")
    service.jobs()
    assert service.paths() == [f"GET /flink{CLUSTER}/jobs"]


@pytest.mark.parametrize(
    "first",
    [
        error(429, "TooManyRequests", "slow down", **{"Retry-After": "17"}),
        error(503, **{"Retry-After": "17"}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        error(500, "InternalServerError", "oh"),
    ],
    ids=["429", "503", "no connection", "timeout", "500"],
)
def test_reads_are_tried_again(first: httpx.Response | Exception) -> None:
    service = Service(first, rows({"jobName": "a"}))
    began = service.time.now()
    assert len(service.jobs()) == 1
    waited = service.time.now() - began
    assert (
        waited == 17
        if isinstance(first, httpx.Response) and "retry-after" in first.headers
        else waited < 1
    )


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            error(401, "AuthenticationFailed", "no"),
            ClusterRefused,
            "refused the credentials (401): no. Check target.token or target.credential",
        ),
        (error(403), ClusterRefused, "refused the credentials (403). Check target.token"),
        (
            error(404, "ResourceNotFound", "no such cluster"),
            ClusterRefused,
            "answered 404 no such cluster. Check subscription, resource_group",
        ),
        (httpx.Response(200, text="<html>"), ClusterUnreachable, "answers 200, and not as Azure"),
        (httpx.Response(200, text='{"val'), ClusterUnreachable, "answers 200, and not as Azure"),
        (httpx.Response(200, json={"a": 1}), ClusterUnreachable, "not with a list of jobs"),
        (httpx.Response(302, text=""), ClusterRefused, "answers 302, and not as Azure Resource"),
        (error(500, "Oops", "bad"), ClusterUnreachable, "answered 500 bad. Try again"),
        (httpx.ConnectError("refused"), ClusterUnreachable, f"no connection to {ENDPOINT}"),
        (httpx.ReadTimeout(""), ClusterUnreachable, f"{ENDPOINT} did not answer in time"),
    ],
    ids=[
        "401",
        "403",
        "404",
        "page",
        "cut off",
        "other JSON",
        "302",
        "500",
        "no connection",
        "timeout",
    ],
)
def test_errors_of_lists(
    answer: httpx.Response | Exception, kind: type[JobError], words: str
) -> None:
    service = Service(answer)
    with pytest.raises(kind) as caught:
        service.jobs()
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_credentials_that_are_refused_since_the_clock_differs() -> None:
    """Shows what to do where a token has long expired by the service's clock."""
    with pytest.raises(ClusterRefused) as caught:
        Service(error(401, "ExpiredToken", "no", Date="Mon, 05 Jan 2015 10:00:00 GMT")).jobs()
    assert "refused the credentials (401): no; this machine's clock is " in str(caught.value)
    assert str(caught.value).endswith(
        " minutes ahead of the service's. Set the clock: signatures and tokens are checked against "
        "it."
    )


def test_a_time_to_ask_again_is_by_the_services_clock() -> None:
    answer = error(
        503,
        **{"Retry-After": "Mon, 05 Jan 2015 10:00:17 GMT", "Date": "Mon, 05 Jan 2015 10:00:00 GMT"},
    )
    service = Service(answer, rows({"jobName": "a"}))
    began = service.time.now()
    assert len(service.jobs()) == 1
    assert service.time.now() - began == 17


# Orders


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(401, "E", "no"), ClusterRefused, "refused the credentials (401): no"),
        (error(400, "E", "args is wrong"), OrderRefused, "answered 400 args is wrong"),
        (error(404, "JobNotFound", "no such job"), OrderRefused, "answered 404 no such job"),
        (error(409, "ActionInProgress", "STOP is in progress"), ActionInProgress, "STOP is in"),
        (error(409, "JobAlreadyExists", "it exists"), OrderRefused, "it exists"),
        (error(429, "E", "slow", **{"Retry-After": "9"}), Busy, "takes no more now: 429 slow"),
        (error(500, "E", "oh"), Unanswered, "answered 500 oh"),
        (error(503, **{"Retry-After": "1"}), Unanswered, "answered 503"),
        (error(504), Unanswered, "answered 504"),
        (httpx.Response(200, text="<html>"), Unanswered, "answers 200, and not as Azure"),
        (httpx.Response(202, text='{"na'), Unanswered, "answers 202, and not as Azure"),
        (httpx.ReadTimeout(""), Unanswered, "did not answer in time"),
        (httpx.RemoteProtocolError("cut off"), Unanswered, "cut off"),
        (httpx.ConnectError("refused"), ClusterUnreachable, "refused"),
    ],
    ids=str,
)
def test_an_order_is_sent_once(
    answer: httpx.Response | Exception, kind: type[JobError], words: str
) -> None:
    """Shows each error of runJob; none of them makes it be sent again."""
    service = Service(answer)
    with pytest.raises(kind) as caught:
        service.perform()
    assert words in str(caught.value)
    assert isinstance(caught.value, Unanswered) == (kind is Unanswered)
    assert len(service.requests) == service.guards == 1


def test_nothing_is_sent_when_the_engine_has_gone() -> None:
    service = Service(accepted())

    def gone() -> None:
        raise EngineGone("gone")

    service.plane._client._guard = gone
    with pytest.raises(EngineGone):
        service.perform()
    assert service.requests == []


def test_the_operation_is_followed_by_the_replys_headers() -> None:
    """Shows both headers, as recorded; Retry-After of each reply; the end at Succeeded."""
    service = Service(
        accepted(Location=SIGNED, **{"Azure-AsyncOperation": SIGNED, "Retry-After": "11"}),
        operation("InProgress"),
        httpx.Response(200, json={"status": "Running"}, headers={"Retry-After": "21"}),
        operation("Succeeded", properties={"jobStatus": "SUBMITTED"}),
    )
    began = service.time.now()
    service.perform()
    assert service.paths() == [f"POST {CLUSTER}/runJob", *[f"GET {OPERATIONS}/1*2"] * 3]
    assert [str(request.url) for request in service.requests[1:]] == [SIGNED] * 3
    assert 32 < service.time.now() - began < 33


def test_a_location_alone_is_followed_until_it_is_no_202() -> None:
    service = Service(accepted(Location=SIGNED), accepted(), httpx.Response(200, json={"a": 1}))
    service.perform()
    assert len(service.requests) == 3


def test_a_reply_without_headers_is_all() -> None:
    service = Service(accepted())
    service.perform()
    assert len(service.requests) == 1


def test_an_operation_that_fails() -> None:
    failed = operation("Failed", error={"code": "BadJar", "message": f"see {SIGNED} for it"})
    service = Service(accepted(Location=SIGNED), failed)
    with pytest.raises(ActionFailed) as caught:
        service.perform()
    assert str(caught.value) == f"see {SIGNED.partition('?')[0]}?*** for it."


def test_an_operation_without_an_end_is_left_at_the_deadline() -> None:
    service = Service(accepted(Location=SIGNED), operation("InProgress"))
    service.perform(timeout=30)
    assert service.time.now() == pytest.approx(1030)


@pytest.mark.parametrize("answer", [error(404, "NotFound", "gone"), error(401, "E", "no")])
def test_an_operation_that_cannot_be_read_is_left_to_the_list(answer: httpx.Response) -> None:
    Service(accepted(Location=SIGNED), answer).perform()


def test_the_first_version_of_the_api_knows_no_run_ids() -> None:
    service = Service(accepted(), api_version="2023-06-01-preview")
    service.perform()
    assert b"runId" not in service.requests[0].content
    assert Action.RE_LAUNCH not in service.plane.capabilities.actions
    service = Service(accepted())
    service.perform()
    assert b'"runId":"job-1"' in service.requests[0].content
    assert Action.RE_LAUNCH in service.plane.capabilities.actions


# Tokens


def test_a_given_token_is_sent() -> None:
    service = Service(rows())
    service.jobs()
    assert service.requests[0].headers["Authorization"] == "Bearer hunter2"


def test_a_reference_that_leads_nowhere() -> None:
    target = HDInsightTarget.model_validate(TARGET)

    def nowhere(_reference: str) -> str:
        raise KeyError

    with pytest.raises(ClusterRefused, match=r"target\.token refers to env:TOKEN, and there is no"):
        open_client(target, nowhere)


class Entra:
    """A credential that gives a new token each time."""

    def __init__(self, lives: float = 3600) -> None:
        self.lives = lives
        self.asked: list[str] = []
        self.failure: Exception | None = None

    def get_token(self, scope: str) -> Any:
        """Return a token."""
        from azure.core.credentials import AccessToken

        if self.failure:
            raise self.failure
        self.asked.append(scope)
        return AccessToken(f"token-{len(self.asked)}", int(1000 + self.lives))


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> Entra:
    """Put a credential of our own in the place of Azure's, and stop its clock at 1000."""
    import azure.identity

    from flink_jobs_provider.control_planes.hdinsight import client

    found = Entra()
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", lambda **_given: found)
    monkeypatch.setattr(client, "time", SimpleNamespace(time=lambda: 1000.0))
    return found


def with_credential(*answers: httpx.Response | Exception, **target: Any) -> Service:
    """Return a service that is reached by a credential."""
    return Service(*answers, token=None, **target)


def test_a_token_is_had_once_while_it_lives(entra: Entra) -> None:
    service = with_credential(rows())

    async def twice() -> None:
        await service.plane.jobs()
        await service.plane.jobs()

    asyncio.run(twice())
    assert service.bearers == ["token-1", "token-1"]
    assert entra.asked == ["https://management.azure.com/.default"]


def test_a_token_is_had_anew_before_it_runs_out(entra: Entra) -> None:
    entra.lives = 200
    service = with_credential(rows())

    async def twice() -> None:
        await service.plane.jobs()
        await service.plane.jobs()

    asyncio.run(twice())
    assert service.bearers == ["token-1", "token-2"]


def test_a_token_that_is_refused_is_had_anew_once(entra: Entra) -> None:
    """Shows that an order refused for its token is sent again: it was not carried out."""
    service = with_credential(error(401, "ExpiredAuthenticationToken", "old"), accepted())
    service.perform()
    assert service.bearers == ["token-1", "token-2"]
    service = with_credential(error(401, "E", "no"))
    with pytest.raises(ClusterRefused, match="refused the credentials"):
        service.perform()
    assert len(service.requests) == 2


def test_the_scope_can_be_another(entra: Entra) -> None:
    credential = {"kind": "default", "scope": "api://gateway/.default"}
    with_credential(rows(), credential=credential).jobs()
    assert entra.asked == ["api://gateway/.default"]


def test_no_token_is_to_be_had(entra: Entra) -> None:
    from azure.core.exceptions import ServiceRequestError
    from azure.identity import CredentialUnavailableError

    entra.failure = CredentialUnavailableError(message="Not logged in.\nTo mitigate\nread on")
    with pytest.raises(ClusterRefused) as caught:
        with_credential(rows()).jobs()
    assert str(caught.value).startswith("target.credential gives no token: Not logged in. Check")
    entra.failure = ServiceRequestError("no route")
    with pytest.raises(ClusterUnreachable, match="Entra ID does not answer"):
        with_credential(rows()).perform()


@pytest.mark.parametrize(
    ("credential", "kind"),
    [
        ({"kind": "default"}, "DefaultAzureCredential"),
        (
            {
                "kind": "service-principal",
                "tenant_id": "t",
                "client_id": "c",
                "client_secret": "env:S",
            },
            "ClientSecretCredential",
        ),
        ({"kind": "managed-identity", "client_id": "c"}, "ManagedIdentityCredential"),
        ({"kind": "cli", "tenant_id": "t"}, "AzureCliCredential"),
    ],
)
def test_credentials_are_those_of_azure_identity(credential: dict[str, Any], kind: str) -> None:
    service = with_credential(rows(), credential=credential)
    auth: Any = service.plane._http.auth
    assert type(auth._credential).__name__ == kind


def test_a_workload_identity_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ClusterRefused, match=r"target\.credential cannot be used: "):
        with_credential(rows(), credential={"kind": "workload-identity"})


def test_azure_identity_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ClusterRefused, match=r'pip install "flink-jobs-provider\[azure\]"'):
        with_credential(rows())
