"""Whatever answers at the address: Flink, something else, or nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.bodies import last_cause
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.http import TRIES
from flink_jobs_provider.model.errors import ActionFailed, ClusterRefused, ClusterUnreachable
from tests.contract.flink.scripted import (
    ADAPTIVE,
    JOB_ID,
    VERSIONS,
    ScriptedFlink,
    ok,
    recorded,
)
from tests.unit.model.made_up_jobs import URL

HTML = httpx.Response(200, html="<html>Welcome</html>")


def look(flink: ScriptedFlink) -> object:
    return asyncio.run(flink.plane().jobs())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(401), "refused the credentials (401)"),
        (httpx.Response(403, html="<html>"), "refused the credentials (403)"),
        (httpx.Response(407), "refused the credentials (407)"),
        (
            httpx.Response(302, headers={"location": "https://login.example"}),
            "redirects to https://login.example",
        ),
        (httpx.Response(404, text="404 page not found"), "answers 404, and not as a Flink"),
        (httpx.Response(404, json={"detail": "Not Found"}), "answers 404, and not as a Flink"),
        (ok(**{"flink-version": "1.16.3"}), "runs Flink 1.16.3"),
        (ok(**{"flink-version": "<unknown>"}), "none of Flink's"),
    ],
)
def test_what_is_no_flink_is_told_and_not_tried_again(answer: httpx.Response, words: str) -> None:
    flink = ScriptedFlink()
    flink.answer("GET config", answer)
    with pytest.raises(ClusterRefused) as caught:
        look(flink)
    assert words in caught.value.happened
    assert caught.value.remedy or "none of Flink's" in words
    assert flink.count("GET config") == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.ConnectError("All connection attempts failed"), f"no connection to {URL}"),
        (httpx.ReadTimeout(""), "did not answer in time"),
        (httpx.RemoteProtocolError("closed"), "no connection to"),
        (httpx.Response(502, html="<html>Bad gateway"), "answers 502, and not as Flink does"),
        (httpx.Response(503), "answers 503"),
        (httpx.Response(504, json={"message": "upstream"}), "answers 504"),
        (httpx.Response(429, text="slow down"), "answers 429"),
        (httpx.Response(500, text="oops"), "answers 500, and not as Flink does"),
        (httpx.Response(408, text="too slow"), "answers 408, and not as Flink does"),
        (HTML, "answers 200, and not as a Flink REST API does"),
        (httpx.Response(200, text="maintenance"), "answers 200, and not as a Flink"),
        (httpx.Response(200), "answers 200, and not as a Flink"),
        (httpx.Response(200, text='{"flink-version": "2.3'), "answers 200, and not as a Flink"),
        (httpx.Response(200, json=["something", "else"]), "answers 200, and not as a Flink"),
        (httpx.Response(200, json={"version": 1}), "answers 200, and not as a Flink"),
        (
            httpx.Response(500, json={"errors": ["a.b.SomeException: no"]}),
            "answered 500: SomeExc",
        ),
    ],
)
def test_what_may_pass_is_tried_again_and_then_told(
    answer: httpx.Response | Exception, words: str
) -> None:
    flink = ScriptedFlink()
    flink.answer("GET config", answer)
    with pytest.raises(ClusterUnreachable) as caught:
        look(flink)
    assert words in caught.value.happened
    assert caught.value.remedy
    assert flink.count("GET config") == TRIES


def test_what_is_in_front_of_flink_says_when_to_come_back() -> None:
    flink = ScriptedFlink()
    busy = httpx.Response(429, text="slow down", headers={"Retry-After": "17"})
    flink.answer("GET config", busy, ok(**{"flink-version": "2.3.0"}))
    began = flink.clock.time
    look(flink)
    assert flink.clock.time - began >= 17


READS: dict[str, Callable[[FlinkRest], Awaitable[object]]] = {
    "config": lambda plane: plane.facts(),
    "jobs/overview": lambda plane: plane.jobs(),
    "overview": lambda plane: plane.task_slots(),
    "jars": lambda plane: plane.job_names(),
    f"jobs/{JOB_ID}": lambda plane: plane.parallelism(JOB_ID),
    f"jobs/{JOB_ID}/checkpoints": lambda plane: plane.checkpoints(JOB_ID),
    f"jobs/{JOB_ID}/checkpoints/config": lambda plane: plane.checkpointing(JOB_ID),
    f"jobs/{JOB_ID}/resource-requirements": lambda plane: plane.parallelism_bounds(JOB_ID),
}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    "other",
    [
        HTML,
        httpx.Response(200, json={"status": "UP"}),
        httpx.Response(200, json=None),
        httpx.Response(404, text="404 page not found"),
    ],
    ids=["page", "json", "null", "no page"],
)
def test_a_proxy_in_a_known_clusters_place_is_temporary(path: str, other: httpx.Response) -> None:
    """Shows each read of a cluster that has answered before, while something else answers."""
    flink = ScriptedFlink()
    flink.answer("GET jobmanager/config", ADAPTIVE)
    plane = flink.plane()

    async def work() -> None:
        await plane.jobs()
        plane._facts = None
        flink.answer(f"GET {path}", other)
        with pytest.raises(ClusterUnreachable, match="not as a Flink REST API does"):
            await READS[path](plane)

    asyncio.run(work())


def test_a_read_that_fails_once_is_tried_again() -> None:
    flink = ScriptedFlink()
    flink.answer("GET jobs/overview", httpx.ReadError("reset"), recorded("overview"))
    look(flink)
    assert flink.count("GET jobs/overview") == 2


def test_a_cancel_does_no_harm_twice_and_is_tried_again() -> None:
    flink = ScriptedFlink()
    cancel = f"PATCH jobs/{JOB_ID}?mode=cancel"
    flink.answer(cancel, httpx.ReadError("reset"), httpx.Response(202, json={}))
    asyncio.run(flink.plane().cancel(JOB_ID))
    assert flink.changes() == [cancel, cancel]


def test_tls_failure_is_told_as_such() -> None:
    """Shows that a certificate that is not trusted is no passing trouble."""
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLError(1, "certificate verify failed: self-signed certificate")
    flink = ScriptedFlink()
    flink.answer("GET config", error)
    with pytest.raises(ClusterRefused, match="no TLS connection") as caught:
        look(flink)
    assert "target.tls" in caught.value.remedy
    assert flink.count("GET config") == 1


def test_the_cluster_is_asked_for_its_version_once() -> None:
    flink = ScriptedFlink()
    plane = flink.plane()

    async def work() -> None:
        await asyncio.gather(*(plane.jobs() for _ in range(5)))
        await plane.facts()

    asyncio.run(work())
    assert flink.count("GET config") == 1


def test_a_failed_question_for_the_version_is_asked_again() -> None:
    flink = ScriptedFlink()
    flink.answer("GET config", httpx.Response(401), recorded("config"))
    plane = flink.plane()

    async def work() -> None:
        with pytest.raises(ClusterRefused):
            await plane.facts()
        assert (await plane.facts()).version == (2, 3, 0)

    asyncio.run(work())


def test_credentials_and_headers_go_with_each_request() -> None:
    seen: list[httpx.Headers] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return recorded("config")

    flink = ScriptedFlink()
    flink.answer("GET config", handle)
    for target in (
        {"bearer_token": "config:token"},
        {"basic_auth": {"username": "me", "password": "env:PASSWORD"}},
        {"headers": {"X-Team": "shop"}, "secret_headers": {"X-Key": "env:PASSWORD"}},
    ):
        asyncio.run(flink.plane(**target).facts())
    assert seen[0]["authorization"] == "Bearer abc"
    assert seen[1]["authorization"] == httpx.BasicAuth("me", "hunter2")._auth_header
    assert (seen[2]["x-team"], seen[2]["x-key"]) == ("shop", "hunter2")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"bearer_token": "env:NOPE"}, "target.bearer_token refers to env:NOPE"),
        (
            {"basic_auth": {"username": "me", "password": "config:nope"}},
            "target.basic_auth.password refers to config:nope",
        ),
        ({"secret_headers": {"X-Key": "env:NOPE"}}, "target.secret_headers.X-Key refers to"),
        ({"tls": {"ca_file": "/no/such.pem"}}, "target.tls.ca_file /no/such.pem cannot be used"),
        (
            {"tls": {"certificate_file": "/no/such.pem"}},
            "target.tls.certificate_file /no/such.pem cannot be used",
        ),
    ],
)
def test_references_that_lead_nowhere(target: dict[str, Any], words: str) -> None:
    with pytest.raises(ClusterRefused) as caught:
        ScriptedFlink().plane(**target)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", ["cancel-ended", "cancel-unknown"])
def test_a_cancel_of_what_has_ended_needs_nothing(version: str, case: str) -> None:
    flink = ScriptedFlink(version)
    flink.answer(f"PATCH jobs/{JOB_ID}?mode=cancel", recorded(case, version))
    asyncio.run(flink.plane().cancel(JOB_ID))


def test_a_cancel_that_is_refused_is_told() -> None:
    flink = ScriptedFlink()
    flink.answer(f"PATCH jobs/{JOB_ID}?mode=cancel", httpx.Response(500, json={"errors": ["no"]}))
    with pytest.raises(ActionFailed, match="the cancel was refused: no"):
        asyncio.run(flink.plane().cancel(JOB_ID))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", ""),
        ("plain words", "plain words"),
        ("java.lang.IllegalStateException\n\tat a.B.c(B.java:1)", "IllegalStateException"),
        (
            "a.b.OuterException: outer\n\tat x.Y.z(Y.java:1)\n"
            "Caused by: a.b.InnerException: inner\n\tat x.Y.z(Y.java:1)\n\t... 3 more",
            "InnerException: inner",
        ),
        (
            "<Exception on server side:\na.b.WrapException: a.b.RealException: no\n"
            "\tat x.Y.z(Y.java:1)\n\nEnd of exception on server side>",
            "WrapException: a.b.RealException: no",
        ),
        (
            "Caused by: a.b.RealException: over\nseveral\nlines\n\tat x.Y.z(Y.java:1)",
            "RealException: over several lines",
        ),
        (
            # the answers of 1.20.5 and 2.3.0, to a plan and to a run
            "Internal server error.\n<Exception on server side:\norg.apache.flink.client.program."
            "ProgramInvocationException: The program plan could not be fetched - the program "
            "aborted pre-maturely. The root cause may be that the main method doesn't call "
            "`env.execute()` or `env.executeAsync()`.\n\tat org.apache.flink.A.b(A:1)",
            "main has started no job: it must call execute() (Flink says: "
            "ProgramInvocationException: The program plan could not be fetched - the program "
            "aborted pre-maturely. The root cause may be that the main method doesn't call "
            "`env.execute()` or `env.executeAsync()`.)",
        ),
        (
            "org.apache.flink.runtime.rest.handler.RestHandlerException: No jobs included in "
            "application.\n\tat org.apache.flink.A.b(A.java:1)",
            "main has started no job: it must call execute() (Flink says: RestHandlerException: No "
            "jobs included in application.)",
        ),
        ("Caused by: a.b.LongException: " + "x" * 900, "LongException: " + "x" * 485 + "…"),
    ],
)
def test_last_cause(text: str, cause: str) -> None:
    assert last_cause(text) == cause
