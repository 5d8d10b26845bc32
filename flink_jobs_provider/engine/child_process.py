"""The engine's children: their ends, the lines they print, the gRPC channels to them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

_LARGEST_MESSAGE = 1024 * 1024 * 400

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    # The children are on the same host: a proxy of the environment must not come between.
    ("grpc.enable_http_proxy", 0),
)


LineHandler = Callable[[str], None]
_GRACE_S = 5.0


async def forward_lines(stream: asyncio.StreamReader, on_line: LineHandler) -> None:
    """Pass on each line of a child's output until it ends, however long the line is."""
    pending = b""
    while chunk := await stream.read(65536):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            on_line(line.decode(errors="replace").rstrip("\r"))
    if pending:
        on_line(pending.decode(errors="replace"))


async def end(process: asyncio.subprocess.Process) -> None:
    """End a child that leads its own process group, and everything in that group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_S):  # `wait_for` of Python 3.11 can lose a cancel
            await process.wait()
    kill(process)
    await process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a child that leads its own process group, and everything in that group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
