"""The engine's log: each line goes to the resource that it is about.

Lines are written by the threads and the event loop in which the work is done; one task sends them,
in order. What is of interest only while an operation lasts is sent as ephemeral, which the CLI
shows in the resource's row and nowhere else.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import grpc
import grpc.aio

from flink_jobs_provider.engine.child_process import CHANNEL_OPTIONS
from flink_jobs_provider.engine.protocols import engine_pb2, engine_pb2_grpc
from flink_jobs_provider.plugin.engine_calls import current_call
from flink_jobs_provider.provider.run_output import print_line
from flink_jobs_provider.reconciling.waiter import is_progress

#: What a line of warning begins with; the engine writes the word by the severity.
_WARNING = re.compile(r"([^ ]+: )?warning: ")
#: Between two reports of how long an operation has lasted, in seconds.
_TICK_S = 1.0


class EngineLog:
    """The lines of a run, as its engine shows them; without an engine they are printed."""

    def __init__(self) -> None:
        self._stub: Any = None
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None

    def connect(self, address: str) -> None:
        """Send lines to the engine at an address from now on. Called in the server's loop."""
        self._loop = asyncio.get_running_loop()
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stub = engine_pb2_grpc.EngineStub(self._channel)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())

    def emit(self, line: str) -> None:
        """Take a line, in any thread."""
        call = current_call.get()
        if self._loop is None:
            print_line(line)
            return
        if call is not None:
            call.last_line = line
        warns = _WARNING.match(line)
        self._put(
            engine_pb2.LogRequest(
                severity=engine_pb2.WARNING if warns else engine_pb2.INFO,
                message=_WARNING.sub(r"\1", line, count=1) if warns else line,
                urn=call.urn if call else "",
                ephemeral=is_progress(line),
            )
        )

    async def tick(self) -> None:
        """Report again and again what the present call does, and for how long. Ends by a cancel."""
        call = current_call.get()
        while call is not None:
            await asyncio.sleep(_TICK_S)
            if call.last_line:
                message = f"{call.last_line}, {call.seconds():.0f} s"
                self._put(
                    engine_pb2.LogRequest(
                        severity=engine_pb2.INFO, message=message, urn=call.urn, ephemeral=True
                    )
                )

    async def flush(self) -> None:
        """Wait until all lines were sent."""
        if self._sender is not None:
            await asyncio.sleep(0)  # those of other threads arrive by the loop
            await self._queue.join()

    def _put(self, request: object) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, request)

    async def _send(self) -> None:
        while True:
            request = await self._queue.get()
            try:
                await self._stub.Log(request)
            except grpc.RpcError:
                pass  # the engine has ended, which the watch over it notices
            finally:
                self._queue.task_done()
