"""Errors of every kind have the form of Azure Resource Manager's, and their status."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from starlette.types import Message
from structlog.testing import capture_logs

from flink_jobs_provider.gateway import web_app
from flink_jobs_provider.gateway.configuration import Limits
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.refusals import Refusal
from tests.contract.gateway.calling import NEW, NEWEST, Gateway, error_of, run
from tests.contract.gateway.memory_service import CLUSTER, CLUSTER_ID, OTHER

_RUN = f"{CLUSTER_ID}/runJob?api-version={NEWEST}"
_JOBS = f"{CLUSTER_ID}/jobs?api-version={NEWEST}"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NotFound"),
        ("GET", "/subscriptions", 404, "NotFound"),
        ("GET", f"{CLUSTER_ID}/jobs/job1?api-version={NEWEST}", 404, "NotFound"),
        ("GET", f"{CLUSTER_ID}%2Fx/jobs?api-version={NEWEST}", 404, "NotFound"),
        ("GET", f"{CLUSTER_ID}/jobs%0A?api-version={NEWEST}", 404, "NotFound"),
        ("GET", _RUN, 405, "MethodNotAllowed"),
        ("DELETE", _JOBS, 405, "MethodNotAllowed"),
        ("PROPFIND", _JOBS, 405, "MethodNotAllowed"),
        ("POST", "/healthz", 405, "MethodNotAllowed"),
        ("GET", f"{CLUSTER_ID}/jobs", 400, "MissingApiVersionParameter"),
        ("GET", f"{CLUSTER_ID}/jobs?api-version=", 400, "MissingApiVersionParameter"),
        ("GET", f"{CLUSTER_ID}/jobs?api-version=2021-09-15-preview", 400, None),
        ("GET", f"{_JOBS}&api-version=2023-06-01-preview", 400, "InvalidApiVersionParameter"),
        ("POST", f"{CLUSTER_ID}/runJob?api-version=latest", 400, "InvalidApiVersionParameter"),
        ("GET", f"{_JOBS.replace('Flink-1', 'Flink-9')}", 404, "ResourceNotFound"),
    ],
)
def test_what_no_route_answers_has_the_envelope(
    method: str, path: str, status: int, code: str | None
) -> None:
    """Shows status and code, and that the request has its ids all the same."""
    answer = Gateway().call(method, path)
    error = error_of(answer, status)
    assert error["code"] == (code or "InvalidApiVersionParameter")
    assert answer.headers["x-ms-request-id"]
    assert "Retry-After" not in answer.headers
    if status == 405:
        assert answer.headers["Allow"]


def test_an_invalid_version_is_told_the_valid_ones() -> None:
    """Shows the words that Azure has for it."""
    answer = Gateway().call("GET", f"{CLUSTER_ID}/jobs?api-version=2021-09-15-preview")
    assert error_of(answer, 400)["message"] == (
        "The api-version '2021-09-15-preview' is invalid. The supported versions are "
        "'2023-06-01-preview, 2023-11-01-preview, 2024-05-01, 2024-05-01-preview'."
    )


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "InvalidRequestContent"),
        (b"", {}, 400, "InvalidRequestContent"),
        (b"\xff{}", {}, 400, "InvalidRequestContent"),
        (b"[" * 60000, {}, 400, "InvalidRequestContent"),
        (b"x" * 70000, {}, 413, "RequestContentTooLarge"),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, None),
        (b"{}", {"Content-Type": "text/plain"}, 415, None),
        (b"{}", {"Content-Type": "application/json; charset=klingon"}, 415, None),
        (b"{}", {"Content-Type": "application/json; charset=rot13"}, 415, None),
        (b"{}", {"Content-Type": "application/json; charset=utf-8-sig"}, 415, None),
        (b"{}", {"Content-Type": ';;;="'}, 415, None),
        (
            b"\xff",
            {"Content-Type": "application/json; charset=us-ascii"},
            400,
            "InvalidRequestContent",
        ),
        (b"{}", {"Content-Encoding": "gzip"}, 415, None),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    content: bytes, headers: dict[str, str], status: int, code: str | None
) -> None:
    """Shows each way in which a body is no JSON text."""
    sent = {"Content-Type": "application/json", **headers}
    answer = Gateway().call("POST", _RUN, content=content, headers=sent)
    assert error_of(answer, status)["code"] == (code or "UnsupportedMediaType")


@pytest.mark.parametrize(
    ("content_type", "codec"),
    [
        ("", "utf-8"),
        ("application/json", "utf-8-sig"),
        ("application/json; charset=utf-8", "utf-8"),
        ("APPLICATION/JSON;charset=UTF-16", "utf-16"),
        ("text/json; charset=iso-8859-1", "latin-1"),
        ('application/json; charset="Windows-1252"', "cp1252"),
        ("application/json; charset=utf-16le", "utf-16-le"),
    ],
)
def test_a_body_may_be_in_any_usual_coding(content_type: str, codec: str) -> None:
    """Shows that Windows clients are understood."""
    gateway = Gateway()
    text = json.dumps({"properties": {**NEW, "args": "--name Zoë"}}, ensure_ascii=False)
    headers = {"Content-Type": content_type} if content_type else {}
    answer = gateway.call("POST", _RUN, content=text.encode(codec), headers=headers)
    assert answer.status_code == 202, answer.text
    assert gateway.service.requests[0].changes["args"] == ["--name", "Zoë"]


def test_a_body_is_not_read_beyond_the_limit() -> None:
    """Shows that neither a declared nor an undeclared length gets more than that read."""
    gateway = Gateway(limits=Limits(body_bytes=1024))
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * 512

    answer = gateway.call(
        "POST", _RUN, content=endless(), headers={"Content-Type": "application/json"}
    )
    assert error_of(answer, 413)["code"] == "RequestContentTooLarge"
    assert read <= 4
    assert gateway.call("POST", _RUN, json={"properties": NEW}).status_code == 202


def test_a_body_must_arrive_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows 408 for a caller that begins a body and does not end it."""
    monkeypatch.setattr("flink_jobs_provider.gateway.http.requests._BODY_TIME", 0.05)

    async def stalls() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = Gateway().call("POST", _RUN, content=stalls())
    assert error_of(answer, 408)["code"] == "RequestTimeout"


def test_a_caller_that_goes_away_is_no_fault() -> None:
    """Shows that a body which ends too early is neither begun nor logged as an error."""
    gateway = Gateway()
    events: list[Message] = [
        {"type": "http.request", "body": b'{"properties"', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return events.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    path, _, query = _RUN.partition("?")
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"authorization", b"Bearer operator")],
    }
    with capture_logs() as logs:
        run(gateway.app()(scope, receive, send))
    assert sent[0]["status"] == 400
    assert logs == []


@pytest.mark.parametrize(
    ("refusal", "retry_after"),
    [
        (Refusal("TooManyActions", "Too many.", retry_after=7.2), "8"),
        (Refusal("TooManyActions", "Too many."), "1"),
        (Refusal("ActionInProgress", "Wait.", retry_after=5), None),
        (Refusal("ServiceUnavailable", "Wait.", retry_after=5), None),
    ],
)
def test_retry_after_goes_with_429_alone(refusal: Refusal, retry_after: str | None) -> None:
    """Shows it: Microsoft's clients resend any request whose refusal carries it."""
    gateway = Gateway()
    gateway.service.refuses_with = refusal
    answer = gateway.run_job(NEW)
    assert error_of(answer, status_of(refusal))["code"] == refusal.code
    assert answer.headers.get("Retry-After") == retry_after


def test_a_refusal_of_the_service_names_the_property_in_the_apis_words() -> None:
    """Shows that the service's inputs are not what a caller is told of."""
    gateway = Gateway()
    gateway.service.refuses_with = Refusal("InvalidParameter", "No.", target="restore_from")
    assert error_of(gateway.run_job(NEW), 400)["target"] == "properties.savePointName"


def test_a_caller_who_calls_too_often_is_refused() -> None:
    """Shows that the rate is limited before anything is done."""
    gateway = Gateway()
    gateway.rate_limit.refuses = 3
    answer = gateway.run_job(NEW)
    assert error_of(answer, 429)["code"] == "TooManyRequests"
    assert answer.headers["Retry-After"] == "3"
    assert gateway.service.requests == []
    assert gateway.call("GET", "/healthz").status_code == 200


def test_a_fault_of_the_gateway_says_nothing_of_itself() -> None:
    """Shows 500 with the envelope and the id under which the log says more."""
    gateway = Gateway()
    gateway.service.refuses_with = KeyError("a fault with s3cret")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answer = gateway.run_job(NEW)
    error = error_of(answer, 500)
    assert error["code"] == "InternalServerError"
    assert "s3cret" not in answer.text
    assert "Traceback" not in answer.text
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert line["request_id"] == answer.headers["x-ms-request-id"]
    assert isinstance(line["exc_info"], KeyError)
    (entry,) = gateway.audit.entries
    assert (entry["what"], entry["result"], entry["status"]) == ("NEW", "InternalServerError", 500)


# Who may do what


def test_nothing_is_told_without_a_token() -> None:
    """Shows 401 with its challenge on every path, also on those that are none."""
    gateway = Gateway()
    for path in (_JOBS, "/", "/openapi.json", "/metrics", f"{CLUSTER_ID}/jobs", "/healthz/"):
        for caller in (None, "nobody"):
            answer = gateway.call("GET", path, caller=caller)
            error_of(answer, 401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert error_of(gateway.run_job(NEW, caller=None), 401)
    assert gateway.service.requests == []
    assert {entry["result"] for entry in gateway.audit.entries} == {"InvalidAuthenticationToken"}


def test_a_reader_reads_and_does_nothing() -> None:
    """Shows the role read: lists, operations and savepoints, none of which is an action."""
    gateway = Gateway()
    gateway.run_job(NEW)
    assert gateway.call("GET", _JOBS, caller="reader").status_code == 200
    before = gateway.row()
    savepoints = f"{CLUSTER_ID}/jobs/job1/savepoints?api-version={NEWEST}"
    assert gateway.call("GET", savepoints, caller="reader").json() == {"value": []}
    assert gateway.row() == before
    body = {"jobType": "FlinkJob", "jobName": "job1"}
    for action in ("STOP", "DELETE", "SAVEPOINT", "LIST_SAVEPOINT"):
        answer = gateway.run_job({**body, "action": action}, caller="reader")
        assert error_of(answer, 403)["code"] == "AuthorizationFailed"
    assert error_of(gateway.run_job(NEW, caller="reader"), 403)
    assert [request.action for request in gateway.service.requests] == ["NEW"]


def test_a_body_is_not_parsed_for_who_may_only_read() -> None:
    """Shows that the role is checked first: parsing is work that not every token may ask for."""
    gateway = Gateway()
    url = f"{CLUSTER_ID}/runJob?api-version={NEWEST}"
    for content in (b"no JSON", b'{"a": 1, "a": 2}', b"x" * 70000):
        answer = gateway.call("POST", url, caller="reader", content=content)
        assert error_of(answer, 403)["code"] == "AuthorizationFailed"


def test_who_has_no_role_is_not_told_whether_there_is_a_cluster() -> None:
    """Shows the same refusal for a cluster that is there and for one that is not."""
    gateway = Gateway()
    there = error_of(gateway.call("GET", _JOBS, caller="stranger"), 403)
    url = _JOBS.replace("Flink-1", "Flink-9")
    missing = error_of(gateway.call("GET", url, caller="stranger"), 403)
    assert there["message"].replace("flink-1", "flink-9") == missing["message"]
    other = error_of(
        gateway.call("GET", f"{OTHER.id}/jobs?api-version={NEWEST}", caller="one"), 403
    )
    assert other["code"] == "AuthorizationFailed"


def test_what_is_done_and_refused_is_written_down() -> None:
    """Shows the audit log: who, what, which job, and how it was answered; no body."""
    gateway = Gateway()
    gateway.run_job(NEW, caller="one")
    gateway.run_job(NEW, caller="one")
    gateway.run_job(NEW, caller="reader")
    gateway.call("GET", _JOBS, caller="stranger")
    gateway.run_job({"jobType": "x"}, caller="one")
    of_new = {"what": "NEW", "cluster": CLUSTER.key, "job": "job1"}
    assert gateway.audit.entries == [
        {"who": "one", **of_new, "has_action": True, "result": "ACCEPTED", "status": 202},
        {"who": "one", **of_new, "has_action": False, "result": "JobAlreadyExists", "status": 409},
        {
            "who": "reader",
            "what": "runJob",
            "cluster": CLUSTER.key,
            "job": None,
            "has_action": False,
            "result": "AuthorizationFailed",
            "status": 403,
        },
        {
            "who": "stranger",
            "what": "GET /subscriptions/{subscription}/resourceGroups/{resource_group}"
            "/providers/Microsoft.HDInsight/clusterpools/{pool}/clusters/{cluster}/jobs",
            "cluster": CLUSTER.key,
            "job": None,
            "has_action": False,
            "result": "AuthorizationFailed",
            "status": 403,
        },
        {
            "who": "one",
            "what": "runJob",
            "cluster": CLUSTER.key,
            "job": None,
            "has_action": False,
            "result": "InvalidParameter",
            "status": 400,
        },
    ]


# Ids, and what machines ask for


def test_requests_have_ids_that_both_sides_know() -> None:
    """Shows which ids are new, which are the caller's, and that odd ones are not repeated."""
    gateway = Gateway()
    given = str(uuid.uuid4())
    headers = {
        "x-ms-correlation-request-id": given,
        "x-ms-client-request-id": "mine",
        "x-ms-return-client-request-id": "true",
    }
    answer = gateway.call("GET", _JOBS, headers=headers)
    assert uuid.UUID(answer.headers["x-ms-request-id"])
    assert answer.headers["x-ms-correlation-request-id"] == given
    assert answer.headers["x-ms-client-request-id"] == "mine"
    odd = dict.fromkeys(headers, "a b<script>")
    answer = gateway.call("GET", _JOBS, headers=odd)
    assert answer.headers["x-ms-correlation-request-id"] == answer.headers["x-ms-request-id"]
    assert "x-ms-client-request-id" not in answer.headers


def test_requests_are_counted_by_route() -> None:
    """Shows that a path's values make no label of their own."""
    gateway = Gateway()
    gateway.call("GET", _JOBS)
    gateway.call("GET", _JOBS.lower())
    gateway.call("GET", "/nothing")
    routes = {route.rpartition("/")[2] for _, route, _ in gateway.metrics.counted}
    assert routes == {"jobs", "none"}
    assert [status for _, _, status in gateway.metrics.counted] == [200, 200, 404]


def test_health_and_readiness() -> None:
    """Shows what needs no token, and that reasons are told to callers alone."""
    gateway = Gateway()
    for path in ("/healthz", "/readyz"):
        assert gateway.call("GET", path, caller=None).status_code == 200
    gateway.service.problems = ["The database db.internal cannot be reached."]
    assert gateway.call("GET", "/healthz", caller=None).status_code == 200
    answer = gateway.call("GET", "/readyz", caller=None)
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready"}
    assert gateway.call("GET", "/readyz", caller="nobody").json() == {"status": "not ready"}
    assert gateway.call("GET", "/readyz").json()["problems"] == gateway.service.problems


def test_readiness_is_not_checked_for_each_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that a flood of unauthenticated requests does not have the disks written to by each."""
    gateway = Gateway()
    checks = 0

    async def ready() -> list[str]:
        nonlocal checks
        checks += 1
        return []

    async def flood() -> None:
        transport = httpx.ASGITransport(app=gateway.app())
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            asked = (client.get("https://host/readyz") for _ in range(20))
            assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}

    monkeypatch.setattr(web_app, "_READY_AGE", 3600.0)
    monkeypatch.setattr(gateway.service, "ready", ready)
    asyncio.run(flood())
    assert checks == 1


def test_a_gateway_that_cannot_tell_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows 503, not 500, when the question itself fails."""
    gateway = Gateway()

    async def fails() -> list[str]:
        raise RuntimeError("no database")

    monkeypatch.setattr(gateway.service, "ready", fails)
    with capture_logs():
        answer = gateway.call("GET", "/readyz", caller=None)
    assert answer.status_code == 503


def test_metrics_are_for_who_may_read_every_cluster() -> None:
    """Shows it: their labels name clusters."""
    gateway = Gateway()
    answer = gateway.call("GET", "/metrics")
    assert answer.text == "# metrics\n"
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert error_of(gateway.call("GET", "/metrics", caller="one"), 403)


def test_requests_without_a_token_do_not_fill_the_audit_log() -> None:
    """Shows that of a flood a part is written down, and each refusal of a known caller."""
    gateway = Gateway()
    app = gateway.app()

    async def flood() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://host") as client:
            for _ in range(150):
                assert (await client.get(_JOBS)).status_code == 401
            known = {"Authorization": "Bearer stranger"}
            assert (await client.get(_JOBS, headers=known)).status_code == 403

    asyncio.run(flood())
    unknown = [entry for entry in gateway.audit.entries if entry["who"] is None]
    assert 100 <= len(unknown) < 150
    assert gateway.audit.entries[-1]["who"] == "stranger"


def test_answers_over_tls_ask_for_tls_ever_after() -> None:
    """Shows it for answers of both APIs, refusals and probes."""
    gateway = Gateway()
    for path in (_JOBS, "/healthz", "/v1.0/p/streaming/jobs", "/nowhere"):
        answer = gateway.call("GET", path, caller=None)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_refusal_names_a_jar_as_its_caller_does() -> None:
    """Shows that the real place behind a mount is not told."""
    gateway = Gateway()
    reason = "cannot open s3://bucket/jobs/jars/job.jar: no such file"
    gateway.service.refuses_with = Refusal("InvalidParameter", reason, target="jar")
    error = error_of(gateway.run_job(NEW), 400)
    assert error["message"] == "cannot open abfs://jobs@account/jars/job.jar: no such file"
    assert error["target"] == "properties.jarName"


@pytest.mark.parametrize("name", ["If-Match", "if-none-match", "If-Unmodified-Since"])
def test_no_change_is_made_on_a_condition_that_is_not_kept(name: str) -> None:
    """Shows that a client which relies on entity tags is told that there are none."""
    gateway = Gateway()
    gateway.run_job(NEW)
    before = len(gateway.service.requests)
    answer = gateway.run_job({**NEW, "action": "UPDATE"}, headers={name: '"an-old-tag"'})
    error = error_of(answer, 400)
    assert error["target"].lower() == name.lower()
    assert error["message"].endswith("leave it out. Nothing was begun.")
    assert len(gateway.service.requests) == before
    assert gateway.jobs(headers={name: '"an-old-tag"'}).status_code == 200
