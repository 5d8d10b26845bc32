"""Who may call the Data Lake Insight face, and how everything that is wrong is answered."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from flink_jobs_provider.gateway.configuration import Limits
from flink_jobs_provider.gateway.refusals import Refusal, RefusalCode
from tests.contract.gateway.apis.dli.calling import JOB, URL, Dli, done, refused
from tests.contract.gateway.calling import Gateway


def test_every_answer_says_that_a_gateway_gave_it_and_has_an_id() -> None:
    dli = Dli()
    for answer in (dli.call("GET", "/jobs"), dli.call("GET", "/jobs", token=None)):
        assert answer.headers["X-Flink-Jobs-Gateway"] == "1"
        assert len(answer.headers["X-Request-Id"]) == 36
        assert "x-ms-request-id" not in answer.headers
    other = dli.gateway.call("GET", "/healthz")
    assert "X-Flink-Jobs-Gateway" not in other.headers


@pytest.mark.parametrize("path", ["/v1.0/x/dli/other", "/v3/x/dli_flink_job/1/tags"])
def test_what_the_service_has_and_the_gateway_has_not_is_answered_as_by_it(path: str) -> None:
    dli = Dli()
    answer = dli.gateway.call("GET", path, caller=None, headers={"X-Auth-Token": "operator"})
    refused(answer, 404, "APIGW.0101")
    assert answer.headers["X-Flink-Jobs-Gateway"] == "1"
    refused(dli.gateway.call("GET", path, caller=None), 401, "APIGW.0301")


def test_buckets_are_authorized_by_doing_nothing() -> None:
    """Shows a call that Huawei's Terraform provider sends where a job names a bucket."""
    dli = Dli()
    url = URL.replace("streaming", "dli/obs-authorize")

    def ask(token: str, body: Any, url: str = url) -> httpx.Response:
        headers = {"X-Auth-Token": token}
        return dli.gateway.call("POST", url, caller=None, headers=headers, json=body)

    buckets = {"obs_buckets": ["logs"]}
    for token in ("operator", "second"):
        done(ask(token, buckets))
    refused(ask("reader", buckets), 403, "APIGW.0302")
    refused(ask("stranger", buckets), 403, "APIGW.0302")
    refused(ask("operator", buckets, url.replace("/v1.0/", "/v1.0/elsewhere")), 403, "APIGW.0302")
    assert "obs_buckets is required" in refused(ask("operator", {}), 400, "DLI.0001")
    entries = [(entry["what"], entry["status"]) for entry in dli.gateway.audit.entries]
    assert entries == [("OBS_AUTHORIZE", status) for status in (200, 200, 403, 403, 403, 400)]


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "There are no credentials"),
        ({"X-Auth-Token": "nobody"}, "not accepted"),
        ({"Authorization": "Bearer nobody"}, "not accepted"),
        (
            {"Authorization": "SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=0"},
            "has no signing keys",
        ),
    ],
)
def test_who_shows_no_credentials_is_refused(headers: dict[str, str], says: str) -> None:
    dli = Dli()
    answer = dli.call("GET", "/jobs", token=None, headers=headers)
    assert says in refused(answer, 401, "APIGW.0301")
    (entry,) = dli.gateway.audit.entries
    assert (entry["who"], entry["status"]) == (None, 401)


def test_a_bearer_token_is_as_good() -> None:
    answer = Dli().call("GET", "/jobs", token=None, headers={"Authorization": "Bearer operator"})
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["stranger", "operator"])
def test_another_project_is_told_from_a_deleted_job(token: str) -> None:
    """Shows that who looks in the wrong place does not take a job for gone."""
    dli = Dli()
    project = "elsewhere" if token == "operator" else URL.split("/")[2]
    url = f"/v1.0/{project}/streaming/jobs/1"
    answer = dli.gateway.call("GET", url, caller=None, headers={"X-Auth-Token": token})
    refused(answer, 403, "APIGW.0302")


_CHANGES = pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/flink-jobs", {**JOB, "name": "other"}),
        ("PUT", "/flink-jobs/1", {"desc": "x"}),
        ("POST", "/jobs/run", {"job_ids": [1]}),
        ("POST", "/jobs/stop", {"job_ids": [1]}),
        ("POST", "/jobs/delete", {"job_ids": [1]}),
        ("DELETE", "/jobs/1", None),
        ("POST", "/jobs/1/savepoint", {"action": "TRIGGER"}),
        ("POST", "/jobs/1/import-savepoint", {"job_id": 1, "savepoint_path": "bucket/a"}),
    ],
)


@_CHANGES
def test_a_body_is_not_parsed_for_who_may_only_read(method: str, path: str, body: Any) -> None:
    """Shows that the role is checked first: parsing is work that not every token may ask for."""
    dli = Dli()
    dli.create()
    if body is not None:
        answer = dli.call(method, path, token="reader", content=b'{"a": 1, "a": 2}')
        assert "operate" in refused(answer, 403, "APIGW.0302")


@_CHANGES
def test_who_may_only_read_changes_nothing(method: str, path: str, body: Any) -> None:
    dli = Dli()
    dli.create()
    before = dli.gateway.service.rows[1]
    answer = dli.call(method, path, token="reader", json=body)
    assert "operate" in refused(answer, 403, "APIGW.0302")
    assert dli.gateway.service.rows == {1: before}
    entry = dli.gateway.audit.entries[-1]
    assert (entry["who"], entry["result"], entry["status"]) == ("reader", "APIGW.0302", 403)


def test_a_job_of_a_queue_without_a_role_is_not_there() -> None:
    dli = Dli()
    number = dli.create(queue_name="other")
    answer = dli.call("GET", f"/jobs/{number}", token="reader")
    refused(answer, 400, "DLI.16001")


@pytest.mark.parametrize("number", ["7", "0", "9" * 19, "9" * 40])
def test_a_job_that_is_not_there_has_a_code_of_its_own(number: str) -> None:
    refused(Dli().call("GET", f"/jobs/{number}"), 400, "DLI.16001")


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣"])
def test_an_id_that_is_none_is_a_bad_parameter(number: str) -> None:
    refused(Dli().call("GET", f"/jobs/{number}"), 400, "DLI.0001")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/jobs/run", {}, "job_ids is required"),
        ("/jobs/run", {"job_ids": []}, "job_ids must not be empty"),
        ("/jobs/run", {"job_ids": [1, 1]}, "job_ids must not hold an entry twice"),
        ("/jobs/run", {"job_ids": ["x"]}, "job_ids.0"),
        ("/jobs/run", {"job_ids": [True]}, "job_ids.0"),
        ("/jobs/run", {"job_ids": [1], "resume_savepoint": "yes"}, "must be true or false"),
        ("/jobs/stop", {"job_ids": [1], "resume_savepoint": True}, "resume_savepoint is not"),
        ("/jobs/1/savepoint", {"action": "STOP"}, 'action must be "TRIGGER"'),
        ("/jobs/1/savepoint", {}, "action is required"),
        ("/jobs/1/import-savepoint", {"job_id": 1}, "savepoint_path is required"),
        (
            "/jobs/1/import-savepoint",
            {"job_id": 2, "savepoint_path": "bucket/a"},
            "job_id must be the one in the path",
        ),
        (
            "/jobs/1/import-savepoint",
            {"job_id": 1, "savepoint_path": "http://host/a"},
            "savepoint_path must be",
        ),
        (
            "/jobs/1/import-savepoint",
            {"job_id": 1, "savepoint_path": "bucket/../a"},
            "savepoint_path must not hold",
        ),
        ("/jobs/run", [], "body must be an object"),
    ],
)
def test_a_wrong_body_is_refused_by_name(path: str, body: Any, says: str) -> None:
    dli = Dli()
    dli.create()
    assert says in refused(dli.call("POST", path, json=body), 400, "DLI.0001")


def test_refusals_of_the_service_have_the_codes_of_this_api() -> None:
    dli = Dli()
    number = dli.create()
    cases: dict[RefusalCode, tuple[int, str]] = {
        "JobStatusConflict": (400, "DLI.0007"),
        "ActionInProgress": (400, "DLI.0007"),
        "JobNotFound": (400, "DLI.16001"),
        "TooManyActions": (429, "APIGW.0308"),
        "RecordsUnavailable": (503, "DLI.0999"),
        "InternalServerError": (500, "DLI.0999"),
    }
    for code, (answered, theirs) in cases.items():
        dli.gateway.service.refuses_with = Refusal(code, "Because.", retry_after=2.2)
        answer = dli.act("run", number)
        refused(answer, answered, theirs)
        assert answer.headers.get("Retry-After") == ("3" if answered == 429 else None)


def test_a_refusal_names_the_field_as_this_api_does() -> None:
    dli = Dli()
    number = dli.create()
    dli.gateway.service.refuses_with = Refusal("InvalidParameter", "It is gone.", target="jar")
    said = refused(dli.act("run", number), 400, "DLI.0001")
    assert said == "entrypoint: It is gone."


def test_a_fault_is_told_without_its_reason() -> None:
    dli = Dli()
    number = dli.create()
    dli.gateway.service.refuses_with = RuntimeError("secret")
    with capture_logs() as logs:
        said = refused(dli.act("run", number), 500, "DLI.0999")
    assert isinstance(logs[-1]["exc_info"], RuntimeError)
    assert "secret" not in said
    assert "X-Request-Id" in said


def test_a_fault_in_a_batch_is_no_success() -> None:
    """Shows that nobody is told that jobs run of which that is not known."""
    dli = Dli()
    first, second = dli.create(name="one"), dli.create(name="two")
    dli.gateway.service.refuses_with = RuntimeError("secret")
    with capture_logs() as logs:
        refused(dli.act("run", first, second), 500, "DLI.0999")
    assert isinstance(logs[-1]["exc_info"], RuntimeError)


def test_what_is_no_route_no_json_too_large_or_too_fast() -> None:
    dli = Dli(Gateway(limits=Limits(body_bytes=1024)))
    refused(dli.call("GET", "/sql-jobs"), 404, "APIGW.0101")
    refused(dli.call("PATCH", "/jobs"), 405, "APIGW.0101")
    refused(dli.call("POST", "/flink-jobs", content=b"{"), 400, "DLI.0001")
    refused(dli.call("POST", "/flink-jobs", content=b"x" * 2000), 413, "APIGW.0201")
    headers = {"Content-Type": "text/plain"}
    answer = dli.call("POST", "/flink-jobs", content=b"{}", headers=headers)
    refused(answer, 415, "APIGW.0201")
    dli.gateway.rate_limit.refuses = 1.0
    assert "Retry-After" in dli.call("GET", "/jobs").headers


def test_what_is_done_and_refused_is_in_the_audit_log() -> None:
    dli = Dli()
    number = dli.running()
    dli.act("run", number, 77)
    entries = [
        (entry["what"], entry["job"], entry["has_action"], entry["result"], entry["status"])
        for entry in dli.gateway.audit.entries
    ]
    assert entries == [
        ("CREATE", "orders", False, "ACCEPTED", 200),
        ("NEW", "orders", True, "ACCEPTED", 200),
        ("RUN", "orders", False, "DLI.0007", 400),
        ("RUN", "77", False, "DLI.16001", 400),
    ]


def test_requests_are_counted_by_the_templates_of_their_paths() -> None:
    dli = Dli()
    dli.detail(dli.create())
    routes = {route for _, route, _ in dli.gateway.metrics.counted}
    assert routes == {
        "/v1.0/{project_id}/streaming/flink-jobs",
        "/v1.0/{project_id}/streaming/jobs/{job_id}",
    }


def test_a_refusal_names_a_jar_as_its_caller_does() -> None:
    """Shows that the real place behind a mount is not told."""
    dli = Dli()
    number = dli.create()
    reason = "cannot open s3://mirror/jars/job.jar: no such file"
    dli.gateway.service.refuses_with = Refusal("InvalidParameter", reason, target="jar")
    message = refused(dli.act("run", number), 400, "DLI.0001")
    assert "cannot open obs://bucket/jars/job.jar: no such file" in message
    assert "mirror" not in message
