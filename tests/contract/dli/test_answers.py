"""Answers of the service, as they were recorded or documented: what each means."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.action_plane import Busy, OrderRefused, Unanswered
from flink_jobs_provider.control_planes.dli import DliPlane
from flink_jobs_provider.control_planes.dli.access import open_client
from flink_jobs_provider.control_planes.step_plane import NotOffered, StepJob
from flink_jobs_provider.model.errors import (
    ClusterRefused,
    ClusterUnreachable,
    JobError,
    PermanentError,
)
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.target import DliTarget
from tests.contract.dli.fake_dli import FIRST_ID, PREFIX
from tests.contract.dli.stack import TARGET, Stack, running, spec

RUN = str(FIRST_ID)
OK = {"is_success": "true", "message": ""}
TOKEN = "hunter2"


class Service:
    """Answers each request with the next of some answers, the last one again and again."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        number = min(len(self.requests), len(self._answers)) - 1
        answer = self._answers[number]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def ask(self, method: str, *args: Any) -> Any:
        """Call a method of a plane that has this service."""

        async def asked() -> Any:
            target = DliTarget.model_validate(TARGET)
            client = open_client(target, lambda _reference: TOKEN, httpx.MockTransport(self))
            plane = DliPlane(target, client, sleep=self._sleep)
            try:
                return await getattr(plane, method)(*args)
            finally:
                await plane.close()

        return asyncio.run(asked())


def answer(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    """Return an answer with a JSON body."""
    return httpx.Response(status, json=body, headers=headers)


def error(code: str, status: int = 400, message: str = "no", **headers: str) -> httpx.Response:
    """Return an error as the service writes it."""
    return answer({"error_code": code, "error_msg": message}, status, **headers)


def job(**detail: Any) -> httpx.Response:
    """Return the details of a job."""
    return answer({**OK, "job_detail": {"job_id": FIRST_ID, "name": "orders", **detail}})


# Whether it succeeded


@pytest.mark.parametrize("said", [True, "true", "True", "TRUE"])
def test_success_in_all_its_spellings(said: Any) -> None:
    Service(answer([{"is_success": said}])).ask("run", RUN, False)
    stack = Stack(success=said)
    stack.up(spec())
    stack.up(spec("New"))
    assert len(stack.dli.launches) == 2


@pytest.mark.parametrize(
    "body",
    [
        [{"is_success": "false", "message": "no queue"}],
        [{"is_success": False, "message": "no queue"}],
        [{"message": "no queue"}],
        {"is_success": None, "message": "no queue"},
        {"is_success": "true", "message": '{"is_success": "false", "message": "no queue"}'},
    ],
)
def test_a_200_that_is_no_success_is_a_refusal(body: Any) -> None:
    with pytest.raises(OrderRefused, match="no queue"):
        Service(answer(body)).ask("run", RUN, False)


def test_an_answer_within_an_answer_counts() -> None:
    inner = json.dumps({"is_success": True, "message": "begun"})
    service = Service(answer({"is_success": "true", "message": inner}))
    service.ask("take_savepoint", RUN, "obs://b/d")
    body = json.loads(service.requests[0].content)
    assert body == {"action": "TRIGGER", "savepoint_path": "b/d/"}


@pytest.mark.parametrize("body", [[], [OK, OK]])
def test_an_answer_for_no_job_or_for_two_says_nothing_of_one(body: Any) -> None:
    with pytest.raises(Unanswered, match=f"answered for {len(body)} jobs"):
        Service(answer(body)).ask("stop", RUN, True)


def test_a_stop_names_one_job_by_its_exact_number() -> None:
    service = Service(answer([OK]))
    service.ask("stop", RUN, True)
    (request,) = service.requests
    assert request.url.path == f"{PREFIX}/jobs/stop"
    assert json.loads(request.content) == {"job_ids": [2**53 + 1], "trigger_savepoint": True}
    assert request.headers["X-Language"] == "en-us"
    assert request.headers["X-Auth-Token"] == TOKEN


def test_an_import_names_its_job_twice() -> None:
    service = Service(answer(OK))
    service.ask("import_savepoint", RUN, "obs://bucket-name/dir/savepoint")
    assert service.requests[0].url.path == f"{PREFIX}/jobs/{RUN}/import-savepoint"
    body = json.loads(service.requests[0].content)
    assert body == {"job_id": FIRST_ID, "savepoint_path": "bucket-name/dir/savepoint/"}


# Jobs that are not there


@pytest.mark.parametrize(
    "missing", [error("DLI.16001"), error("DLI.0002"), error("DLI.0002", 404)], ids=str
)
def test_a_missing_job(missing: httpx.Response) -> None:
    assert Service(missing).ask("job", RUN) is None
    Service(missing).ask("delete", RUN)
    with pytest.raises(PermanentError):
        Service(missing).ask("run", RUN, False)


@pytest.mark.parametrize(
    "other",
    [
        error("APIGW.0101", 404, "The API does not exist"),
        httpx.Response(404, text="<html>not found</html>"),
        answer({"detail": "Not Found"}, 404),
        answer({**OK, "job_detail": None}),
        httpx.Response(200, text="<html>log in</html>"),
    ],
    ids=str,
)
def test_an_address_that_is_wrong_is_no_missing_job(other: httpx.Response) -> None:
    """Shows that no job is taken for lost, and created again, since something else answers."""
    with pytest.raises(ClusterRefused):
        Service(other).ask("job", RUN)
    with pytest.raises(ClusterRefused):
        Service(other).ask("named", "orders")


def test_a_missing_queue_is_no_missing_job() -> None:
    with pytest.raises(OrderRefused, match="no queue"):
        Service(error("DLI.0002", message="no queue")).ask("create", "orders", {})


def test_a_creation_that_does_not_say_what_it_has_created() -> None:
    with pytest.raises(Unanswered):
        Service(answer({**OK, "job": {}})).ask("create", "orders", {})


# Trouble that passes


@pytest.mark.parametrize(
    "trouble",
    [
        error("DLI.0999"),
        error("DLI.0999", 500),
        httpx.Response(502, text="<html>bad gateway</html>"),
        httpx.Response(503),
        error("APIGW.0308", 429),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=str,
)
def test_a_read_is_tried_again(trouble: httpx.Response | Exception) -> None:
    service = Service(trouble, trouble, job(status="job_running"))
    found = service.ask("job", RUN)
    assert isinstance(found, StepJob)
    assert len(service.slept) == 2
    with pytest.raises(ClusterUnreachable):
        Service(trouble).ask("job", RUN)


def test_the_service_says_when_to_ask_again() -> None:
    service = Service(error("APIGW.0308", 429, **{"Retry-After": "7"}), job(status="job_running"))
    service.ask("job", RUN)
    assert service.slept == [7.0]
    with pytest.raises(Busy) as caught:
        Service(error("APIGW.0308", 429, **{"Retry-After": "7"})).ask("run", RUN, False)
    assert caught.value.seconds == 7.0


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (error("DLI.0999"), Unanswered),
        (error("DLI.0999", 500), Unanswered),
        (httpx.Response(504), Unanswered),
        (httpx.ReadTimeout("slow"), Unanswered),
        (httpx.RemoteProtocolError("cut"), Unanswered),
        (httpx.ConnectError("refused"), ClusterUnreachable),
        (error("APIGW.0308", 429), Busy),
        (error("DLI.0001"), OrderRefused),
        (error("DLI.0006"), OrderRefused),
        (error("DLI.0007"), OrderRefused),
        (error("DLI.1028"), OrderRefused),
        (error("APIGW.0101", 404), NotOffered),
        (httpx.Response(405), NotOffered),
    ],
    ids=str,
)
def test_a_step_is_sent_once(trouble: httpx.Response | Exception, kind: type[JobError]) -> None:
    service = Service(trouble)
    with pytest.raises(kind) as caught:
        service.ask("create", "orders", {})
    assert type(caught.value) is kind
    assert len(service.requests) == 1


def test_a_step_that_is_not_taken_for_now_is_sent_again() -> None:
    """Shows throttling in the middle of an update: nothing is lost or done twice."""
    stack = running()
    turns = iter(range(100))

    def throttled(request: httpx.Request) -> httpx.Response | None:
        busy = request.method != "GET" and next(turns) % 2 == 0
        return error("APIGW.0308", 429) if busy else None

    stack.dli.unlike = throttled
    stack.up(spec("New"))
    assert stack.dli.steps[2:] == ["stop, saved", "change", "run, resumed"]
    assert same_path(stack.recorded.restored_from, stack.dli.savepoints[0])


@pytest.mark.parametrize("lost", ["run", "stop", "flink-jobs"])
def test_an_answer_that_was_lost(lost: str) -> None:
    """Shows that a step whose answer was lost is found done, or is done by the next run."""
    stack = running()
    first = [True]

    def losing(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" or lost not in request.url.path or not first.pop(0):
            first.append(False)
            return None
        first.append(False)
        stack.dli._answer(request)
        raise httpx.ReadTimeout("slow")

    stack.dli.unlike = losing
    for _ in range(2):
        try:
            stack.up(spec("New"))
            break
        except Unanswered:
            stack.time.time += 60
    assert [launch.main_class for launch in stack.dli.launches] == ["Old", "New"]
    assert same_path(stack.recorded.restored_from, stack.dli.savepoints[0])
    assert len(stack.dli.savepoints) == 1


def test_a_creation_whose_answer_was_lost_is_found_by_its_name() -> None:
    stack = Stack()

    def losing(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/flink-jobs"):
            stack.dli._answer(request)
            raise httpx.ReadTimeout("slow")
        return None

    stack.dli.unlike = losing
    stack.up(spec())
    assert stack.dli.steps == ["create", "run"]


def test_a_creation_that_never_arrived_is_not_sent_again() -> None:
    stack = Stack()
    posts: list[httpx.Request] = []

    def losing(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/flink-jobs"):
            posts.append(request)
            raise httpx.ReadTimeout("slow")
        return None

    stack.dli.unlike = losing
    with pytest.raises(Unanswered):
        stack.up(spec())
    assert len(posts) == 1
    stack.dli.unlike = lambda _request: None
    stack.up(spec())
    assert stack.dli.steps == ["create", "run"]


# Credentials


def test_refused_credentials() -> None:
    with pytest.raises(ClusterRefused) as caught:
        Service(error("APIGW.0301", 401, "Incorrect IAM authentication: token expired")).ask(
            "job", RUN
        )
    assert "refused the credentials (401): APIGW.0301" in str(caught.value)
    assert "24 hours" in caught.value.remedy
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(20, "20 minutes ahead of"), (-20, "20 minutes behind"), (0, "")],
)
def test_a_clock_that_goes_wrong_is_told(minutes: int, words: str) -> None:
    there = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)
    with pytest.raises(ClusterRefused) as caught:
        Service(error("APIGW.0301", 403, "no", date=there)).ask("run", RUN, False)
    assert words in str(caught.value)
    assert ("Set the clock" in str(caught.value)) is bool(words)


def test_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows a signed request, as Huawei's own signer checks out, with a temporary key's token."""
    secrets = {"env:AK": "access", "env:SK": "secret", "env:ST": "temporary"}
    target = DliTarget.model_validate(
        {
            **{k: v for k, v in TARGET.items() if k != "token"},
            "access_key": "env:AK",
            "secret_key": "env:SK",
            "security_token": "env:ST",
        }
    )
    service = Service(answer([OK]), answer({**OK, "job_list": {"jobs": []}}))

    async def asked() -> None:
        client = open_client(target, secrets.__getitem__, httpx.MockTransport(service))
        plane = DliPlane(target, client)
        await plane.run(RUN, True)
        await plane.named("a b")
        await plane.close()

    asyncio.run(asked())
    for request in service.requests:
        given = request.headers["Authorization"]
        assert given.startswith("SDK-HMAC-SHA256 Access=access, SignedHeaders=content-type;host;x-")
        assert request.headers["X-Security-Token"] == "temporary"
        assert _signature(request, "secret") == given.rpartition("Signature=")[2]
        assert "secret" not in str(request.headers)


def _signature(request: httpx.Request, key: str) -> str:
    """Sign a request once more, by the documented steps."""
    import hashlib
    import hmac
    from urllib.parse import parse_qsl, quote

    names = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    headers = "".join(f"{name}:{request.headers[name]}\n" for name in names.split(";"))
    pairs = sorted(parse_qsl(request.url.query.decode()))
    query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
    body = hashlib.sha256(request.content).hexdigest()
    parts = (request.method, f"{request.url.path}/", query, headers, names, body)
    canonical = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n{request.headers['X-Sdk-Date']}\n{canonical}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_signing_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "huaweicloudsdkcore.sdk_request", None)
    target = DliTarget.model_validate(
        {
            "kind": "dli",
            "region": "a-b-1",
            "project_id": "p",
            "access_key": "env:A",
            "secret_key": "env:S",
        }
    )
    with pytest.raises(ClusterRefused, match=r"flink-jobs-provider\[dli\]"):
        open_client(target, lambda _reference: "x")


# How jobs are shown


@pytest.mark.parametrize(
    "path", ["bucket/dir/", "bucket/dir", "obs://bucket/dir/", "obs://bucket/dir/_metadata"]
)
def test_savepoint_paths_in_one_form(path: str) -> None:
    found = Service(job(status="job_init", savepoint_path=path)).ask("job", RUN)
    assert found.last_savepoint == "obs://bucket/dir"


@pytest.mark.parametrize("path", ["file:/a/b", "/a/b", "s3://b/d"])
def test_savepoint_paths_of_other_stores_stay(path: str) -> None:
    found = Service(job(status="job_init", savepoint_path=path)).ask("job", RUN)
    assert found.last_savepoint == path


def test_null_and_absent_are_the_same() -> None:
    empty = {"savepoint_path": None, "start_time": None, "status_desc": None, "job_config": None}
    assert Service(job(status="job_init", **empty)).ask("job", RUN) == Service(
        job(status="job_init")
    ).ask("job", RUN)


def test_a_word_that_nobody_knows_is_waited_on() -> None:
    stack = running()
    job = stack.dli.job()
    job.status = "job_pondering"
    asked = len(stack.dli.requests)

    def settle(_request: httpx.Request) -> None:
        if len(stack.dli.requests) > asked + 5:
            job.status = "job_running"

    stack.dli.unlike = settle
    stack.bring_about(spec())
    assert stack.dli.steps == ["create", "run"]
    job.status = "job_pondering"
    stack.dli.unlike = lambda _request: None
    with pytest.raises(JobError, match="nobody knows what it does: it is job_pondering"):
        stack.bring_about(spec())
    assert stack.refresh().status == "RUNNING", "no word is taken for an end"


def test_a_list_without_an_end_is_given_up() -> None:
    rows = [{"job_id": number, "name": f"orders-{number}"} for number in range(100)]
    service = Service(answer({**OK, "job_list": {"total_count": 10**6, "jobs": rows}}))
    assert service.ask("named", "orders") == []
    assert len(service.requests) == 2, "a service that ignores the offset"


@pytest.mark.parametrize(
    "written",
    [
        '{"k": "v", "flink-jobs.spec": "m"}',
        '[{"key": "k", "value": "v"}, {"key": "flink-jobs.spec", "value": "m"}]',
        {"k": "v", "flink-jobs.spec": "m"},
        [{"key": "k", "value": "v"}, {"key": "flink-jobs.spec", "value": "m"}, {}, None],
    ],
)
def test_options_in_all_their_forms(written: Any) -> None:
    found = Service(job(status="job_init", job_config={"runtime_config": written})).ask("job", RUN)
    assert found.version.mark == "m"
    assert found.shown["runtime_config"] == {"k": "v", "flink-jobs.spec": "m"}


@pytest.mark.parametrize("written", ["not JSON", "3", '["k"]', "", None])
def test_options_that_are_none(written: Any) -> None:
    found = Service(job(status="job_init", job_config={"runtime_config": written})).ask("job", RUN)
    assert found.version.mark == ""
