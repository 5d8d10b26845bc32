"""`pulumi-resource-flink-jobs`: the process that an engine starts, and its end.

What is in progress when a run is over is answered first, so that it is recorded. After an engine
that was killed the process ends by itself.
"""

from __future__ import annotations

import asyncio
import gc
import sys

import grpc.aio

from flink_jobs_provider.engine.child_process import CHANNEL_OPTIONS
from flink_jobs_provider.engine.protocols import provider_pb2_grpc
from flink_jobs_provider.plugin.servicer import FlinkJobsServicer
from flink_jobs_provider.provider.process import EngineLiveness, engine_argument
from flink_jobs_provider.provider.server_process import serve_until_asked


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
    await serve_until_asked(server)
