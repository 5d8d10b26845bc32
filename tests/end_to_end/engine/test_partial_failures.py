"""What a failed call leaves for the next run reaches the engine, however much is recorded of it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import grpc.aio
import pytest
from pulumi.runtime.proto import provider_pb2_grpc

from flink_jobs_provider.engine.child_process import CHANNEL_OPTIONS
from flink_jobs_provider.engine.errors import InitFailedError
from flink_jobs_provider.engine.plugin import Provider
from flink_jobs_provider.engine.plugin_process import PluginProcess
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.provider.dynamic import _add_partial
from flink_jobs_provider.provider.run_output import Partial

REASON = "orders: version 2 did not start. The previous version runs again as job 7548."

ORDERS = ResourceState(
    urn="urn:pulumi:dev::shop::a:b:C::orders", type="a:b:C", custom=True, inputs={"__provider": "p"}
)


def _record(size: int) -> dict[str, Any]:
    """Return outputs as large as a history of versions with long arguments."""
    return {"job_id": "7548", "history": ["x" * 1000] * (size // 1000)}


class _Failing(provider_pb2_grpc.ResourceProviderServicer):
    """A provider whose creates fail, and leave a resource."""

    def __init__(self, size: int) -> None:
        self._size = size

    async def Create(self, request: Any, context: Any) -> None:  # noqa: N802 - the protocol's name
        _add_partial(Partial("orders", _record(self._size)), REASON, request, context)
        await context.abort(grpc.StatusCode.UNKNOWN, REASON)


async def _failure(size: int) -> InitFailedError:
    server = grpc.aio.server()
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Failing(size), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
    provider = Provider(cast("PluginProcess", SimpleNamespace(channel=channel)))
    try:
        with pytest.raises(InitFailedError) as caught:
            await provider.create(ORDERS)
    finally:
        await channel.close()
        await server.stop(None)
    return caught.value


@pytest.mark.parametrize("size", [1_000, 100_000, 1_000_000])
def test_a_failed_call_hands_over_its_words_and_all_that_it_leaves(size: int) -> None:
    """Shows it of records above 8 and 16 kB, the limits that gRPC has by default."""
    failure = asyncio.run(_failure(size))
    assert failure.details == REASON
    assert dict(failure.left.outputs) == {**_record(size), "__provider": "p"}
