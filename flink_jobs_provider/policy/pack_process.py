"""The policy pack's process, which an engine starts by `pack/__main__.py`, and its end."""

from __future__ import annotations

import asyncio
import sys

import grpc.aio

from flink_jobs_provider.engine.child_process import CHANNEL_OPTIONS
from flink_jobs_provider.engine.protocols import analyzer_pb2_grpc
from flink_jobs_provider.policy.analyzer import PolicyAnalyzer
from flink_jobs_provider.provider.process import EngineLiveness, EngineWatch
from flink_jobs_provider.provider.server_process import serve_until_asked


def main() -> None:
    """Serve the analyzer protocol to the engine at the address in the arguments."""
    EngineWatch(EngineLiveness(sys.argv[1:]), busy=lambda: False).start()
    asyncio.run(_serve())


async def _serve() -> None:
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(PolicyAnalyzer(), server)
    await serve_until_asked(server)
