"""Answers of the service, as they were recorded or documented: what each means."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.service_planes import (
    Busy,
    NotOffered,
    OrderRefused,
    StepJob,
    Unanswered,
)
from flink_jobs_provider.model.errors import (
    ClusterRefused,
    ClusterUnreachable,
    JobError,
    PermanentError,
)
from flink_jobs_provider.model.savepoint import same_path
from tests.contract.dli.fake_dli import FIRST_ID, PREFIX
from tests.contract.dli.scripted import OK, RUN, TOKEN, Service, answer, error, job
from tests.contract.dli.stack import Stack, running, spec

# Whether it succeeded


@pytest.mark.parametrize("said", [True, "true", "True", "TRUE"])
def test_success_in_all_its_spellings(said: Any) -> None:
    Service(answer([{"is_success": said}])).ask("run", RUN, resume=False)
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
        Service(answer(body)).ask("run", RUN, resume=False)


@pytest.mark.parametrize("text", ["<html>maintenance</html>", '{"is_success": "tr', "OK"])
def test_a_page_does_not_tell_whether_a_step_was_taken(text: str) -> None:
    with pytest.raises(Unanswered, match="answers 200, and not as Data Lake Insight does"):
        Service(httpx.Response(200, text=text)).ask("run", RUN, resume=False)


def test_an_answer_within_an_answer_counts() -> None:
    inner = json.dumps({"is_success": True, "message": "begun"})
    service = Service(answer({"is_success": "true", "message": inner}))
    service.ask("take_savepoint", RUN, "obs://b/d")
    body = json.loads(service.requests[0].content)
    assert body == {"action": "TRIGGER", "savepoint_path": "b/d/"}


@pytest.mark.parametrize("body", [[], [OK, OK]])
def test_an_answer_for_no_job_or_for_two_says_nothing_of_one(body: Any) -> None:
    with pytest.raises(Unanswered, match=f"answered for {len(body)} jobs"):
        Service(answer(body)).ask("stop", RUN, savepoint=True)


def test_a_stop_names_one_job_by_its_exact_number() -> None:
    service = Service(answer([OK]))
    service.ask("stop", RUN, savepoint=True)
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
        Service(missing).ask("run", RUN, resume=False)


@pytest.mark.parametrize(
    "other",
    [
        error("APIGW.0101", 404, "The API does not exist"),
        httpx.Response(404, text="<html>not found</html>"),
        answer({"detail": "Not Found"}, 404),
        answer({**OK, "job_detail": None}),
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
        httpx.Response(200, text="<html>maintenance</html>"),
        httpx.Response(200, text='{"is_success": "tr'),
        answer({"status": "UP"}),
        answer([1]),
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
        Service(error("APIGW.0308", 429, **{"Retry-After": "7"})).ask("run", RUN, resume=False)
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
