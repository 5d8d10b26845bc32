"""A gRPC server that an engine starts as a process of its own, from its port to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import grpc.aio

#: Calls in progress have timeouts of their own; in seconds.
_LONGEST_S = 30 * 24 * 3600.0


async def serve_until_asked(server: grpc.aio.Server) -> None:
    """Print the server's port, as an engine expects it, and serve until the process is to end.

    An engine sends SIGINT when its run is over. What is in progress then is answered first; a
    second signal ends the process at once.
    """
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    asked = _Asked()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asked.once.wait()
    answered = asyncio.create_task(server.stop(_LONGEST_S))
    again = asyncio.create_task(asked.twice.wait())
    await asyncio.wait({answered, again}, return_when=asyncio.FIRST_COMPLETED)
    if not answered.done():
        os._exit(1)
    again.cancel()


class _Asked:
    """How often the process was asked to end, by SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self.once, self.twice = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        (self.twice if self.once.is_set() else self.once).set()
