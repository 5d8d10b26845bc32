"""Requests that no client library would send, to the application as uvicorn serves it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.contract.gateway.calling import NEWEST, Gateway
from tests.contract.gateway.memory_service import CLUSTER_ID
from tests.contract.gateway.serving import served

_JOBS = f"{CLUSTER_ID}/jobs?api-version={NEWEST}".encode()
_RUN = _JOBS.replace(b"/jobs?", b"/runJob?")
_TOKEN = b"Authorization: Bearer operator\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve a gateway; give its port."""
    with served(Gateway(public_url=None).app()) as url:
        yield int(url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        (b"GET " + _JOBS + b" HTTP/1.0", _TOKEN, 200),
        (b"GET " + _JOBS + b" HTTP/1.1", b"Host:\r\n" + _TOKEN, 200),
        (b"HEAD " + _JOBS + b" HTTP/1.1", b"Host: x\r\n" + _TOKEN, 200),
        (b"GET " + _JOBS + b"&$filter=jobName%20eq%20%ed%a0%80 HTTP/1.1", b"Host: x\r\n", 401),
        (b"GET " + _JOBS + b"&$filter=jobName%20eq%20%ff HTTP/1.1", b"Host: x\r\n" + _TOKEN, 200),
        (b"GET " + _JOBS.replace(b"/jobs", b"%ff/jobs") + b" HTTP/1.1", _TOKEN, 404),
        (b"GET " + _JOBS.replace(b"/jobs", b"%zz/jobs") + b" HTTP/1.1", _TOKEN, 404),
        (b"GET " + _JOBS.replace(b"/jobs", b"/../jobs") + b" HTTP/1.1", _TOKEN, 404),
        (b"GET " + _JOBS.replace(b"/jobs", b"%00/jobs") + b" HTTP/1.1", _TOKEN, 404),
        (b"GET http://evil" + _JOBS + b" HTTP/1.1", _TOKEN, 404),
        (b"GET * HTTP/1.1", _TOKEN, 404),
        (b"GET " + _JOBS + b" HTTP/1.1", b"Authorization: Bearer \xff\xfe\r\n", 401),
        (b"GET " + _JOBS + b" HTTP/1.1", b"x-ms-correlation-request-id: \xff\r\n" + _TOKEN, 200),
        (b"POST " + _RUN + b" HTTP/1.1", b"Content-Length: 999999999999\r\n" + _TOKEN, 413),
        (b"POST " + _RUN + b" HTTP/1.1", b"Content-Length: 0\r\n" + _TOKEN, 400),
        (
            b"POST " + _RUN + b" HTTP/1.1",
            b"Content-Type: application/json; charset=\xff\r\nContent-Length: 0\r\n" + _TOKEN,
            415,
        ),
    ],
)
def test_odd_requests_are_answered(port: int, line: bytes, headers: bytes, status: int) -> None:
    """Shows that each gets the status that fits, and none is a fault of the gateway."""
    if b"HTTP/1.1" in line and b"Host:" not in headers:
        headers = b"Host: x\r\n" + headers
    with socket.create_connection(("127.0.0.1", port), timeout=180) as connection:
        connection.sendall(line + b"\r\n" + headers + b"Connection: close\r\n\r\n")
        with connection.makefile("rb") as answer:
            assert int(answer.readline().split()[1]) == status


def test_a_caller_that_goes_away_does_no_harm(port: int) -> None:
    """Shows that a body which ends too early leaves the gateway as it was."""
    head = b"POST " + _RUN + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n" + _TOKEN + b"\r\n"
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=180) as connection:
            connection.sendall(head + b'{"properties"')
    test_odd_requests_are_answered(port, b"GET " + _JOBS + b" HTTP/1.1", _TOKEN, 200)
