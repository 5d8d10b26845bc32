"""The lines of the plugin, as an engine gets them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty

from flink_jobs_provider.engine.protocols import engine_pb2, engine_pb2_grpc
from flink_jobs_provider.plugin.engine_log import EngineLog


class _Engine(engine_pb2_grpc.EngineServicer):
    """An engine that keeps what is logged."""

    def __init__(self) -> None:
        self.logged: list[Any] = []

    async def Log(self, request: Any, context: Any) -> Empty:  # noqa: N802 - Pulumi's name
        """Keep a line."""
        self.logged.append(request)
        return Empty()


@pytest.mark.parametrize(
    ("line", "severity", "message"),
    [
        ("orders: UPDATE", engine_pb2.INFO, "orders: UPDATE"),
        ("warning: orders: left", engine_pb2.WARNING, "orders: left"),
        ("orders: warning: unknown", engine_pb2.WARNING, "orders: unknown"),
        ("orders: a warning: is told of", engine_pb2.INFO, "orders: a warning: is told of"),
        ("warning: a: warning: b", engine_pb2.WARNING, "a: warning: b"),
    ],
)
def test_a_warning_is_one_by_its_severity(line: str, severity: int, message: str) -> None:
    """Shows that the word, which the engine writes before a warning, is not sent as well."""

    async def test() -> _Engine:
        server, engine, log = grpc.aio.server(), _Engine(), EngineLog()
        engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        log.connect(f"127.0.0.1:{port}")
        log.emit(line)
        await log.flush()
        await server.stop(None)
        return engine

    (logged,) = asyncio.run(test()).logged
    assert (logged.severity, logged.message) == (severity, message)
