"""The guard before what changes something: asked once more right before a request is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.dli.client import DliClient
from flink_jobs_provider.control_planes.flink.client import FlinkClient
from flink_jobs_provider.control_planes.hdinsight.client import ArmClient
from flink_jobs_provider.control_planes.protocol import Guard
from flink_jobs_provider.model.errors import EngineGone

Change = Callable[[httpx.AsyncClient, Guard], Coroutine[Any, Any, Any]]

CHANGES: dict[str, Change] = {
    "flink": lambda http, guard: FlinkClient(http, guard).change("POST", "jars/a/run", json={}),
    "hdinsight": lambda http, guard: ArmClient(http, "v", guard).order("/jobs", {}),
    "dli": lambda http, guard: DliClient(http, "p", guard).step("POST", "/jobs", {}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_engine_that_dies_while_a_connection_is_made(change: Change) -> None:
    """Shows that nothing of the request is sent, though the first look found the engine alive."""
    received = bytearray()
    connected = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        received.extend(await reader.read())
        writer.close()

    looks = 0

    def guard() -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise EngineGone("gone")

    async def work() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with (
            server,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
        ):
            with pytest.raises(EngineGone):
                await change(http, guard)
            await asyncio.wait_for(connected.wait(), 10)

    asyncio.run(work())
    assert looks == 2
    assert bytes(received) == b""
