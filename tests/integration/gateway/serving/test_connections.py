"""Connections that are held open, and requests that end in two ways: over real sockets."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import pytest
import trustme

from flink_jobs_provider.gateway.configuration import Limits
from flink_jobs_provider.gateway.ops import http_protocol
from flink_jobs_provider.gateway.ops.http_protocol import ConnectionLimits
from flink_jobs_provider.gateway.ops.server import StopSignals, open_socket, serve_http
from flink_jobs_provider.gateway.web_app import make_conventions, refused_unread
from tests.contract.gateway.calling import NEWEST, ByName, Gateway
from tests.contract.gateway.memory_service import CLUSTER_ID, PROJECT

_JOBS = f"{CLUSTER_ID}/jobs?api-version={NEWEST}"
_RUN = f"{CLUSTER_ID}/runJob?api-version={NEWEST}"
_DLI = f"/v1.0/{PROJECT}/streaming/jobs/run"
_HEAD = "Host: gateway\r\nAuthorization: Bearer operator\r\n"
#: Longer than anything here takes on a machine that is not stuck.
_PATIENCE = 60


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class _Client:
    """A connection on which bytes are sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(self, sent: str) -> _Answer:
        """Send a request and return its answer."""
        self.writer.write(sent.encode())
        return await self.answer()

    async def answer(self) -> _Answer:
        """Return the next answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(re.findall(r"(?m)^([\w-]+): (.*?)\r$", head.lower()))
        body = await self._reader.readexactly(int(headers["content-length"]))
        return _Answer(int(head.split()[1]), headers, json.loads(body))

    async def ended(self) -> bool:
        """Wait until the other side ends the connection; whether it said nothing more."""
        try:
            return await self._reader.read() == b""
        except ConnectionError:
            return True


class _Served(NamedTuple):
    connect: Callable[..., Awaitable[_Client]]
    port: int


@asynccontextmanager
async def _served(
    limits: ConnectionLimits | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[_Served]:
    gateway, stop, ready = Gateway(), StopSignals(), asyncio.Event()
    channel = open_socket("127.0.0.1", 0)
    port = channel.getsockname()[1]
    refused = partial(refused_unread, make_conventions(ByName(), None, Limits()))
    serving = asyncio.create_task(
        serve_http(gateway.app(), channel, tls, stop, ready.set, refused, limits)
    )
    await ready.wait()
    async with AsyncExitStack() as opened:

        async def connect(address: str = "127.0.0.1", **options: Any) -> _Client:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(address, 0), **options
            )
            opened.callback(writer.close)
            return _Client(reader, writer)

        yield _Served(connect, port)
    stop.stop()
    await serving
    channel.close()


def _run(work: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        await asyncio.wait_for(work(), _PATIENCE)

    asyncio.run(in_time())


def _refusal(answer: _Answer, status: int, code: str) -> str:
    """Return the message of a refusal in the envelope of either API."""
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    if "error_code" in answer.body:
        assert answer.headers["x-request-id"]
        return str(answer.body["error_msg"])
    assert answer.headers["x-ms-request-id"]
    assert answer.body["error"]["code"] == code
    return str(answer.body["error"]["message"])


_BODY = '{"properties": {}}'
_CHUNKED = f"{len(_BODY):x}\r\n{_BODY}\r\n0\r\n\r\n"


@pytest.mark.parametrize("path", [_RUN, _DLI], ids=["hdinsight", "dli"])
@pytest.mark.parametrize(
    "request_of",
    [
        "POST {path} HTTP/1.1\r\n{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        "{chunked}",
        "POST {path} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
        "{chunked}",
        "POST {path} HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n{chunked}",
        "POST {path} HTTP/1.1\r\n{head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{body}",
        "GET {path} HTTP/1.1\nHost: gateway\n\n",
        "GET {path} HTTP/1.1\r\nHost: gateway\r\nX-A: b\nX-C: d\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: gateway\r\nX-A: b\r\n c\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: gateway\r\nX-A: b\r\n\tc\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: gateway\r\nX-A : b\r\n\r\n",
        "GET {path} HTTP/1.1\r\n\r\n",
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(request_of: str, path: str) -> None:
    """Shows 400 in the API's own envelope, and the end of the connection, smuggled rest and all."""
    smuggled = f"GET {_JOBS} HTTP/1.1\r\n{_HEAD}\r\n"
    sent = request_of.format(path=path, head=_HEAD, chunked=_CHUNKED, body=_BODY) + smuggled

    async def work() -> None:
        async with _served() as server:
            client = await server.connect()
            _refusal(await client.ask(sent), 400, "BadRequest")
            assert await client.ended()

    _run(work)


def test_a_folded_trailer_is_refused_too() -> None:
    """Shows it for header lines that come after a chunked body: the connection is closed."""

    async def work() -> None:
        async with _served() as server:
            client = await server.connect()
            head = f"POST {_RUN} HTTP/1.1\r\n{_HEAD}Transfer-Encoding: chunked\r\n\r\n"
            client.writer.write(f"{head}0\r\nX-A: b\r\n c\r\n\r\n".encode())
            answer = await client.answer()
            assert answer.status == 400
            assert await client.ended()

    _run(work)


def test_what_clients_send_is_read() -> None:
    """Shows a chunked body, one with a length, and two requests at once on one connection."""

    async def work() -> None:
        async with _served() as server:
            client = await server.connect()
            post = f"POST {_RUN} HTTP/1.1\r\n{_HEAD}"
            for rest in (
                f"Transfer-Encoding: chunked\r\n\r\n{_CHUNKED}",
                f"Content-Length: {len(_BODY)}\r\n\r\n{_BODY}",
            ):
                answer = await client.ask(post + rest)
                assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidParameter")
            get = f"GET {_JOBS} HTTP/1.1\r\n{_HEAD}\r\n"
            assert (await client.ask(get + get)).status == 200
            assert (await client.answer()).status == 200

    _run(work)


def test_idle_connections_keep_nobody_from_being_answered() -> None:
    """Shows ten times as many as one address may have, and as many as all may have.

    Probes are answered, also to that address; its other requests are refused in the API's own
    envelope; another address is served as always.
    """
    get = f"GET {{path}} HTTP/1.1\r\n{_HEAD}\r\n"

    async def work() -> None:
        async with _served(ConnectionLimits(total=100, per_address=10)) as server:
            idle = [await server.connect() for _ in range(100)]
            for probe in ("/healthz", "/readyz"):
                answer = await (await server.connect()).ask(get.format(path=probe))
                assert answer.status == 200
            for path in (_JOBS, f"/v1.0/{PROJECT}/streaming/jobs"):
                answer = await (await server.connect()).ask(get.format(path=path))
                message = _refusal(answer, 503, "TooManyConnections")
                assert "Nothing of this request was executed" in message
            other = await server.connect("127.0.0.2")
            assert (await other.ask(get.format(path=_JOBS))).status == 200
            assert await idle[0].ended()  # the oldest gave way

    _run(work)


def test_a_busy_address_is_served_again() -> None:
    """Shows that a connection counts no more when it is closed."""
    get = f"GET {_JOBS} HTTP/1.1\r\n{_HEAD}\r\n"

    async def work() -> None:
        async with _served(ConnectionLimits(total=10, per_address=2)) as server:
            first, second = await server.connect(), await server.connect()
            assert [(await one.ask(get)).status for one in (first, second)] == [200, 200]
            _refusal(await (await server.connect()).ask(get), 503, "TooManyConnections")
            first.writer.close()
            status = 503
            while status == 503:  # until the server has seen it
                status = (await (await server.connect()).ask(get)).status
            assert status == 200
            assert (await second.ask(get)).status == 200

    _run(work)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time limits of the server."""
    monkeypatch.setattr(http_protocol, "HEADER_TIME", 0.5)
    monkeypatch.setattr(http_protocol, "_LINGER", 0.2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", [_RUN, _DLI], ids=["hdinsight", "dli"])
def test_headers_must_come_in_time(path: str) -> None:
    """Shows it for the first request of a connection and for a later one."""
    get = f"GET {_JOBS} HTTP/1.1\r\n{_HEAD}\r\n"
    begun = f"POST {path} HTTP/1.1\r\n{_HEAD}"

    async def work() -> None:
        async with _served() as server:
            silent = await server.connect()
            for asked_before in (False, True):
                client = await server.connect()  # just now: its time has begun
                if asked_before:
                    assert (await client.ask(get)).status == 200
                _refusal(await client.ask(begun), 408, "RequestTimeout")
                assert await client.ended()
            assert await silent.ended()

    _run(work)


@pytest.mark.usefixtures("impatient")
def test_a_body_that_nobody_reads_holds_no_connection() -> None:
    """Shows it for a caller without a token, who keeps sending."""
    head = f"POST {_RUN} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000000\r\n\r\n"

    async def work() -> None:
        async with _served() as server:
            client = await server.connect()
            assert (await client.ask(head)).status == 401

            async def drip() -> None:
                while not client.writer.is_closing():
                    client.writer.write(b" ")
                    await asyncio.sleep(0.01)

            dripping = asyncio.create_task(drip())
            assert await client.ended()
            dripping.cancel()

    _run(work)


@pytest.mark.usefixtures("impatient")
def test_a_tls_handshake_must_come_in_time() -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    async def work() -> None:
        async with _served(tls=tls) as server:
            silent = await server.connect()
            assert await silent.ended()
            client = await server.connect(ssl=trust)
            assert (await client.ask(f"GET {_JOBS} HTTP/1.1\r\n{_HEAD}\r\n")).status == 200

    _run(work)
