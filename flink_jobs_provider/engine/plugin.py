"""The dynamic provider: `python -m pulumi.dynamic`, by the provider protocol.

The process is left alone when the engine dies, as under the CLI: it is for the provider to notice
that its engine (its parent process) is gone, and to end.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from flink_jobs_provider.engine import urns
from flink_jobs_provider.engine.child_process import (
    CHANNEL_OPTIONS,
    LineHandler,
    end,
    forward_lines,
    kill,
)
from flink_jobs_provider.engine.errors import (
    InitFailedError,
    ProviderError,
    ProviderGoneError,
    short_reason,
)
from flink_jobs_provider.engine.protocols import provider_pb2, provider_pb2_grpc, status_pb2
from flink_jobs_provider.engine.steps import DiffAnswer
from flink_jobs_provider.engine.values import (
    PropertyMap,
    Value,
    from_struct,
    marked_like,
    plain,
    to_struct,
)

_START_TIMEOUT_S = 60.0
_KEPT_ERROR_LINES = 200
_ENDS_WITH_ENGINE = "flink_jobs_provider.provider.process"


@dataclass(frozen=True)
class CheckFailure:
    """One reason why inputs were refused."""

    property: str
    reason: str


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
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-m", _ENDS_WITH_ENGINE, "pulumi.dynamic", engine_address),
            cwd=working_directory,
            env={**os.environ, "PULUMI_PROJECT": project},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        errors: list[str] = []

        def on_error_line(line: str) -> None:
            if len(errors) < _KEPT_ERROR_LINES:
                errors.append(line)
            on_line(line)

        stderr = asyncio.create_task(forward_lines(process.stderr, on_error_line))
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                port = await process.stdout.readline()
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
        provider._readers = [stderr, asyncio.create_task(forward_lines(process.stdout, on_line))]
        await provider._call(
            "Configure",
            provider_pb2.ConfigureRequest(
                args=to_struct(configuration),
                variables={
                    f"{urns.DYNAMIC_PACKAGE}:config:{key}": text
                    for key, text in _plain_texts(configuration).items()
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
        """Validate inputs; give them with what the provider adds, and what is wrong."""
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
        self,
        urn: str,
        id_: str,
        *,
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        new_inputs: PropertyMap,
        ignore_changes: Sequence[str],
    ) -> DiffAnswer:
        """Ask what a change of inputs means."""
        response = await self._call(
            "Diff",
            provider_pb2.DiffRequest(
                **_identity(urn),
                id=id_,
                old_inputs=to_struct(old_inputs, to_provider=True),
                olds=to_struct(old_outputs, to_provider=True),
                news=to_struct(new_inputs, to_provider=True),
                ignoreChanges=ignore_changes,
            ),
        )
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
        """Create a resource; give its id and outputs."""
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
        self,
        urn: str,
        id_: str,
        *,
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        new_inputs: PropertyMap,
        ignore_changes: Sequence[str],
    ) -> PropertyMap:
        """Update a resource; give its outputs."""
        response = await self._call(
            "Update",
            provider_pb2.UpdateRequest(
                **_identity(urn),
                id=id_,
                old_inputs=to_struct(old_inputs, to_provider=True),
                olds=to_struct(old_outputs, to_provider=True),
                news=to_struct(new_inputs, to_provider=True),
                ignoreChanges=ignore_changes,
            ),
        )
        return marked_like(from_struct(response.properties), new_inputs)

    async def read(
        self, urn: str, id_: str, inputs: PropertyMap | None, outputs: PropertyMap
    ) -> ReadAnswer:
        """Read a resource as it is."""
        response = await self._call(
            "Read",
            provider_pb2.ReadRequest(
                **_identity(urn),
                id=id_,
                properties=to_struct(outputs, to_provider=True),
                inputs=None if inputs is None else to_struct(inputs, to_provider=True),
            ),
        )
        found_inputs = from_struct(response.inputs) if response.HasField("inputs") else None
        return ReadAnswer(
            response.id,
            marked_like(from_struct(response.properties), outputs),
            None if found_inputs is None else marked_like(found_inputs, inputs or {}),
        )

    async def delete(self, urn: str, id_: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        """Delete a resource."""
        await self._call(
            "Delete",
            provider_pb2.DeleteRequest(
                **_identity(urn),
                id=id_,
                properties=to_struct(outputs, to_provider=True),
                old_inputs=to_struct(inputs, to_provider=True),
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
    return {"urn": urn, "name": urns.name_of(urn), "type": urns.type_of(urn)}


def _plain_texts(configuration: Mapping[str, Value]) -> dict[str, str]:
    return {key: str(plain(value)) for key, value in configuration.items()}
