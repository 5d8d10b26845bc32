"""`pulumi-resource-flink-jobs`: the process that an engine starts, and its end.

It prints its port, as an engine expects it, and serves until it is asked to end: an engine sends
SIGINT when its run is over. What is in progress then is answered first, so that it is recorded; a
second signal ends the process at once. After an engine that was killed it ends by itself.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys

import grpc.aio

from flink_jobs_provider.engine.child_process import CHANNEL_OPTIONS
from flink_jobs_provider.engine.protocols import provider_pb2_grpc
from flink_jobs_provider.plugin.servicer import FlinkJobsServicer
from flink_jobs_provider.provider.process import EngineLiveness, engine_argument

#: Calls in progress have timeouts of their own; in seconds.
_LONGEST_S = 30 * 24 * 3600.0


def main() -> None:
    """Serve the provider protocol to the engine at the address in the arguments."""
    # A short run's CPU goes into imports, and an eighth of it into garbage collections: Python's
    # default is one for each 700 new objects.
    gc.set_threshold(100_000)
    asyncio.run(_serve(sys.argv[1:]))


async def _serve(arguments: list[str]) -> None:
    servicer = FlinkJobsServicer(EngineLiveness(arguments))
    if address := engine_argument(arguments):
        servicer.connect_log(address)
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
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
