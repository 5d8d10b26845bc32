"""The dynamic provider: `python -m pulumi.dynamic`, by the provider protocol.

The process is left alone when the engine dies, as under the CLI: it is for the provider to notice
that its engine (its parent process) is gone, and to end.
"""

import asyncio
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from flink_jobs_provider.engine.child_process import (
    CHANNEL_OPTIONS,
    LineHandler,
    end,
    forward_lines,
    kill,
    start,
)
from flink_jobs_provider.engine.errors import (
    InitFailedError,
    ProviderError,
    ProviderGoneError,
    short_reason,
)
from flink_jobs_provider.engine.protocols import provider_pb2, provider_pb2_grpc, status_pb2
from flink_jobs_provider.engine.resource_state import (
    DYNAMIC_PACKAGE,
    ResourceState,
    name_of,
    type_of,
)
from flink_jobs_provider.engine.steps import DiffAnswer
from flink_jobs_provider.engine.values import (
    PropertyMap,
    from_struct,
    marked_like,
    masked,
    plain,
    to_struct,
)
from flink_jobs_provider.model.redaction import mask_foreign

_START_TIMEOUT_S = 60.0
_KEPT_ERROR_LINES = 200
_ENDS_WITH_ENGINE = "flink_jobs_provider.provider.process"


@dataclass(frozen=True)
class CheckFailure:
    """One reason why inputs were refused."""

    property: str
    reason: str


def refused(failure: CheckFailure, inputs: PropertyMap) -> str:
    """Return the message for an invalid property: its masked value, and the reason."""
    if not failure.property:
        return failure.reason
    value: Any = inputs.get(failure.property)
    whole = isinstance(value, dict | list)  # the reason names the part that is wrong
    shown = f" value {mask_foreign(repr(masked(value)))}" if value is not None and not whole else ""
    return f"property {failure.property}{shown} has a problem: {failure.reason}"


@dataclass(frozen=True)
class ReadAnswer:
    """A resource as it was read; without an id it no longer exists."""

    id: str
    outputs: PropertyMap
    inputs: PropertyMap | None


class DynamicProvider:
    """A running dynamic provider.

    Every call raises ProviderError when the provider does.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        self._stub: Any = provider_pb2_grpc.ResourceProviderStub(self._channel)
        self._readers: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        *,
        engine_address: str,
        working_directory: Path,
        project: str,
        configuration: PropertyMap,
        on_line: LineHandler,
    ) -> "DynamicProvider":
        """Start the process and configure it.

        Raises ProviderError when it does not come up.
        """
        process, output, error_output = await start(
            *(sys.executable, "-u", "-m", _ENDS_WITH_ENGINE, "pulumi.dynamic", engine_address),
            directory=working_directory,
            environment={**os.environ, "PULUMI_PROJECT": project},
        )
        errors: list[str] = []

        def on_error_line(line: str) -> None:
            if len(errors) < _KEPT_ERROR_LINES:
                errors.append(line)
            on_line(line)

        stderr = asyncio.create_task(forward_lines(error_output, on_error_line))
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                port = await output.readline()
            provider = cls(process, int(port))
        except (TimeoutError, ValueError) as error:
            await end(process)
            await stderr
            raise ProviderError(
                "the dynamic provider (python -m pulumi.dynamic) did not start", "\n".join(errors)
            ) from error
        except BaseException:
            await end(process)
            raise
        provider._readers = [stderr, asyncio.create_task(forward_lines(output, on_line))]
        await provider._call(
            "Configure",
            provider_pb2.ConfigureRequest(
                args=to_struct(configuration),
                variables={
                    f"{DYNAMIC_PACKAGE}:config:{key}": str(plain(value))
                    for key, value in configuration.items()
                },
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
        )
        return provider

    def kill(self) -> None:
        """End the process at once, whatever is in flight."""
        kill(self._process)

    async def close(self) -> None:
        """End the process; nothing may be in flight any more."""
        await self._channel.close()
        await end(self._process)
        await asyncio.gather(*self._readers)

    async def check(
        self, urn: str, olds: PropertyMap, news: PropertyMap
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Validate inputs; return them with what the provider adds, and what is invalid."""
        response = await self._call(
            "Check",
            provider_pb2.CheckRequest(
                **_identity(urn),
                olds=to_struct(olds, to_provider=True),
                news=to_struct(news, to_provider=True),
                randomSeed=os.urandom(32),
            ),
        )
        failures = [CheckFailure(item.property, item.reason) for item in response.failures]
        return marked_like(from_struct(response.inputs), news), failures

    async def diff(
        self, old: ResourceState, urn: str, inputs: PropertyMap, ignored: Iterable[str]
    ) -> DiffAnswer:
        """Ask what new inputs mean to a resource, which may have a new URN."""
        change = _change(old, urn, inputs, ignored)
        response = await self._call("Diff", provider_pb2.DiffRequest(**change))
        changes = {
            provider_pb2.DiffResponse.DIFF_NONE: False,
            provider_pb2.DiffResponse.DIFF_SOME: True,
        }.get(response.changes)
        return DiffAnswer(
            changes,
            tuple(response.replaces),
            tuple(response.diffs),
            response.deleteBeforeReplace,
        )

    async def create(self, urn: str, inputs: PropertyMap) -> tuple[str, PropertyMap]:
        """Create a resource; return its id and outputs."""
        response = await self._call(
            "Create",
            provider_pb2.CreateRequest(
                **_identity(urn), properties=to_struct(inputs, to_provider=True)
            ),
        )
        if not response.id:
            raise ProviderError("the provider gave no id for what it created")
        return response.id, marked_like(from_struct(response.properties), inputs)

    async def update(
        self, old: ResourceState, urn: str, inputs: PropertyMap, ignored: Iterable[str]
    ) -> PropertyMap:
        """Update a resource; return its outputs."""
        change = _change(old, urn, inputs, ignored)
        response = await self._call("Update", provider_pb2.UpdateRequest(**change))
        return marked_like(from_struct(response.properties), inputs)

    async def read(self, state: ResourceState) -> ReadAnswer:
        """Read a resource as it is."""
        response = await self._call(
            "Read",
            provider_pb2.ReadRequest(
                **_identity(state.urn),
                id=state.id,
                properties=to_struct(state.outputs, to_provider=True),
                inputs=to_struct(state.inputs, to_provider=True),
            ),
        )
        inputs = from_struct(response.inputs) if response.HasField("inputs") else None
        return ReadAnswer(
            response.id,
            marked_like(from_struct(response.properties), state.outputs),
            None if inputs is None else marked_like(inputs, state.inputs),
        )

    async def delete(self, state: ResourceState) -> None:
        """Delete a resource."""
        await self._call(
            "Delete",
            provider_pb2.DeleteRequest(
                **_identity(state.urn),
                id=state.id,
                properties=to_struct(state.outputs, to_provider=True),
                old_inputs=to_struct(state.inputs, to_provider=True),
            ),
        )

    async def _call(self, method: str, request: object) -> Any:
        try:
            return await getattr(self._stub, method)(request)
        except grpc.aio.AioRpcError as error:
            details = error.details() or str(error.code())
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise ProviderGoneError(
                    f"the dynamic provider's process is gone (during {method})", details
                ) from error
            if failed := _init_failed(error):
                raise InitFailedError(
                    short_reason(details), details, failed.id, from_struct(failed.properties)
                ) from error
            raise ProviderError(short_reason(details), details) from error


def _init_failed(error: grpc.aio.AioRpcError) -> Any:
    """Return the resource that a failed call leaves for the next run, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            failed = provider_pb2.ErrorResourceInitFailed()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(failed):
                    return failed
    return None


def _identity(urn: str) -> dict[str, Any]:
    return {"urn": urn, "name": name_of(urn), "type": type_of(urn)}


def _change(
    old: ResourceState, urn: str, inputs: PropertyMap, ignored: Iterable[str]
) -> dict[str, Any]:
    """Return the fields in which requests for a diff and for an update are alike."""
    return {
        **_identity(urn),
        "id": old.id,
        "old_inputs": to_struct(old.inputs, to_provider=True),
        "olds": to_struct(old.outputs, to_provider=True),
        "news": to_struct(inputs, to_provider=True),
        "ignoreChanges": tuple(ignored),
    }
