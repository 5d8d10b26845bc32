"""A relay of bytes that notes when its clients send any, and costs hardly any time.

A proxy that reads requests takes a good part of a core from what is measured, where there are few.
"""

from __future__ import annotations

import asyncio
import threading
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 1 << 16


class ActivityRelay:
    """A relay on a free loopback port.

    Args:
        upstream: The cluster's address, such as http://127.0.0.1:8081.
    """

    def __init__(self, upstream: str) -> None:
        address = urlsplit(upstream)
        assert address.hostname
        assert address.port
        self._upstream = address.hostname, address.port
        self._first: float | None = None
        self._last = 0.0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        begun = asyncio.run_coroutine_threadsafe(self._begin(), self._loop)
        self.url = f"http://127.0.0.1:{begun.result()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def forget(self) -> None:
        """Note from nothing again."""
        self._first = None

    def busy_seconds(self) -> float:
        """Return the time from the first bytes of a client to the last ones."""
        if self._first is None:
            raise RuntimeError("no client sent anything")
        return self._last - self._first

    async def _begin(self) -> int:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)

        async def pump(
            source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, noted: bool
        ) -> None:
            try:
                while chunk := await source.read(_CHUNK):
                    if noted:
                        self._last = time.monotonic()
                        self._first = self._first or self._last
                    sink.write(chunk)
                    await sink.drain()
            except ConnectionError:
                pass  # either end is gone, and hears nothing more
            finally:
                sink.close()

        await asyncio.gather(
            pump(reader, up_writer, noted=True), pump(up_reader, writer, noted=False)
        )
