"""The HTTP server's stop: answers on their way arrive, idle connections hold nothing up."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio
import httpx
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flink_jobs_provider.gateway.configuration import Limits
from flink_jobs_provider.gateway.ops.server import (
    StopSignals,
    address_of,
    open_socket,
    serve_http,
)
from flink_jobs_provider.gateway.web_app import make_conventions, refused_unread
from tests.contract.gateway.calling import ByName

AUTHORITY = trustme.CA()


class _Served:
    """A server with a path that answers when it is told to."""

    client: httpx.AsyncClient
    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.stop = StopSignals()
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def slow(self, _request: Request) -> Response:
        """Answer late."""
        self.asked.set()
        await self.go_on.wait()
        return PlainTextResponse("late" * 100_000)

    async def fast(self, _request: Request) -> Response:
        """Answer at once."""
        return PlainTextResponse("fast")


@asynccontextmanager
async def served() -> AsyncIterator[_Served]:
    server = _Served()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(tls)
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    channel = open_socket("127.0.0.1", 0)
    ready = asyncio.Event()
    app = Starlette(routes=[Route("/slow", server.slow), Route("/fast", server.fast)])
    refused = partial(refused_unread, make_conventions(ByName(), None, Limits()))
    serving = serve_http(app, channel, tls, server.stop, ready.set, refused)
    server.task = asyncio.create_task(serving)
    await ready.wait()
    url = f"https://127.0.0.1:{channel.getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, verify=trust, trust_env=False) as client:
        server.client = client
        yield server
        await server.task


def test_addresses_are_urls() -> None:
    class Opened(socket.socket):
        name: tuple[str | int, ...] = ("127.0.0.1", 80)

        def getsockname(self) -> tuple[str | int, ...]:
            return self.name

    with Opened() as opened:
        assert address_of(opened, tls=False) == "http://127.0.0.1:80"
        opened.name = ("::1", 443, 0, 0)
        assert address_of(opened, tls=True) == "https://[::1]:443"


def test_who_is_told_that_it_is_ready_is_not_turned_away() -> None:
    async def run() -> None:
        async with served() as server:
            assert (await server.client.get("/fast")).text == "fast"
            server.stop.stop()

    anyio.run(run)


def test_an_idle_connection_does_not_hold_up_the_stop() -> None:
    """Shows it for a client that keeps its TLS connection open and says nothing."""

    async def run() -> float:
        async with served() as server:
            await server.client.get("/fast")
            began = time.monotonic()
            server.stop.stop()
            await server.task
            return time.monotonic() - began

    assert anyio.run(run) < 5


def test_an_answer_on_its_way_arrives_whole() -> None:
    async def run() -> str:
        async with served() as server:
            answer = asyncio.create_task(server.client.get("/slow"))
            await server.asked.wait()
            server.stop.stop()
            await asyncio.sleep(0.6)  # long enough for idle connections to be closed, twice
            server.go_on.set()
            return (await answer).text

    assert anyio.run(run) == "late" * 100_000


def test_a_second_signal_waits_for_no_answer() -> None:
    async def run() -> None:
        async with served() as server:
            answer = asyncio.create_task(server.client.get("/slow"))
            await server.asked.wait()
            server.stop.stop()
            server.stop.stop()
            await asyncio.wait_for(server.task, 5)
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            server.go_on.set()

    anyio.run(run)
