"""A line in the log for each request."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flink_jobs_provider.gateway.ops.log import RequestLog, configure_logging

pytestmark = pytest.mark.usefixtures("logging_as_it_was")


async def _answer(request: Request) -> Response:
    if "fails" in request.url.path:
        raise ValueError("defect")
    return PlainTextResponse("", 202, {"x-ms-request-id": "r-1"})


def lines(method: str, path: str, **options: Any) -> list[dict[str, Any]]:
    """Make a request; return what was logged of it."""
    stream = StringIO()
    configure_logging("info", "json", stream)
    app = RequestLog(Starlette(routes=[Route("/{rest:path}", _answer, methods=["GET", "POST"])]))

    async def call() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            await client.request(method, path, **options)

    anyio.run(call)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_is_logged_without_its_query_headers_or_body() -> None:
    (line,) = lines(
        "POST",
        "/runJob?api-version=1&token=MARKER",
        headers={"Authorization": "Bearer MARKER"},
        json={"args": "MARKER"},
    )
    assert (line["method"], line["path"], line["status"]) == ("POST", "/runJob", 202)
    assert line["request_id"] == "r-1"
    assert line["seconds"] >= 0
    assert "MARKER" not in json.dumps(line)


def test_a_request_that_fails_is_logged_too() -> None:
    (line,) = lines("GET", "/fails")
    assert (line["path"], line["status"]) == ("/fails", 500)


def test_probes_are_not_logged() -> None:
    assert lines("GET", "/healthz") == []


def test_a_path_cannot_forge_a_line() -> None:
    (line,) = lines("GET", "/a%0a%7b%22event%22%3a1%7d")
    assert "\n" not in line["path"]


def test_a_long_path_does_not_fill_the_log() -> None:
    (line,) = lines("GET", "/" + "[parameter: " * 2000)
    assert len(line["path"]) == 512
