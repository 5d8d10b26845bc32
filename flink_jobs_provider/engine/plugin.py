"""A running provider, the dynamic one or a plugin, by the provider protocol."""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf import empty_pb2

from flink_jobs_provider.engine.errors import (
    InitFailedError,
    PartialResource,
    ProviderError,
    ProviderGoneError,
    short_reason,
)
from flink_jobs_provider.engine.plugin_process import PluginProcess
from flink_jobs_provider.engine.protocols import provider_pb2, provider_pb2_grpc, status_pb2
from flink_jobs_provider.engine.provider_answers import CheckFailure, ReadAnswer
from flink_jobs_provider.engine.resource_state import ResourceState, name_of, type_of
from flink_jobs_provider.engine.steps import Change, ChangeKind, DiffAnswer
from flink_jobs_provider.engine.values import (
    PLAIN,
    Marks,
    PropertyMap,
    contains_unknowns,
    from_struct,
    marked_like,
    plain,
    to_struct,
)

_EMPTY = empty_pb2.Empty()
_CANCEL_TIMEOUT_S = 5.0
_CHANGES = {
    provider_pb2.DiffResponse.DIFF_NONE: False,
    provider_pb2.DiffResponse.DIFF_SOME: True,
}


class Provider:
    """A running provider, which is configured once.

    Every call raises ProviderError when the provider does. What it does not implement is answered
    as the real engine answers it.
    """

    def __init__(self, process: PluginProcess) -> None:
        self._process = process
        self._stub: Any = provider_pb2_grpc.ResourceProviderStub(process.channel)
        self._marks = PLAIN
        self._handshaken = False
        self.previews = False
        self.configuration: PropertyMap | None = None

    @property
    def name(self) -> str:
        """Return what the provider is called in messages."""
        return self._process.launch.name

    @property
    def is_plugin(self) -> bool:
        """Return whether this is a plugin, and not the dynamic provider."""
        return self._process.launch.executable is not None

    @property
    def is_unknown(self) -> bool:
        """Return whether the configuration is unknown yet, in a preview; nothing is asked then."""
        return self.configuration is not None and contains_unknowns(dict(self.configuration))

    async def shake_hands(self, engine_address: str) -> None:
        """Exchange what engine and plugin can do."""
        executable = self._process.launch.executable
        response = await self._call_if_there(
            "Handshake",
            provider_pb2.ProviderHandshakeRequest(
                engine_address=engine_address,
                root_directory=str(executable.parent) if executable else "",
                program_directory=str(executable.parent) if executable else "",
                configure_with_urn=True,
                invoke_with_preview=True,
            ),
        )
        if response is not None:
            self._handshaken = True
            self._marks = Marks(response.accept_secrets, response.accept_resources)

    async def check_configuration(
        self, urn: str, olds: PropertyMap, news: PropertyMap
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Validate a configuration; return it with what the provider adds, and what is invalid."""
        response = await self._call_if_there(
            "CheckConfig",
            provider_pb2.CheckRequest(**_identity(urn), olds=to_struct(olds), news=to_struct(news)),
        )
        if response is None:
            return news, []
        failures = [CheckFailure(item.property, item.reason) for item in response.failures]
        return marked_like(from_struct(response.inputs), news), failures

    async def diff_configuration(
        self, urn: str, old: ResourceState, inputs: PropertyMap, ignored: Iterable[str] = ()
    ) -> DiffAnswer:
        """Ask what a new configuration means to a provider's resource, and to those it manages."""
        response = await self._call_if_there(
            "DiffConfig",
            provider_pb2.DiffRequest(
                **_identity(urn),
                id=old.id,
                old_inputs=to_struct(old.inputs),
                olds=to_struct(old.outputs),
                news=to_struct(inputs),
                ignoreChanges=tuple(ignored),
            ),
        )
        return DiffAnswer(None) if response is None else _diff_answer(response)

    async def configure(self, urn: str, id_: str, inputs: PropertyMap, namespace: str) -> None:
        """Configure the provider; with what is not known yet it is not asked.

        `namespace` is that of the deprecated `variables`, which hold the same in plain text.
        """
        self.configuration = inputs
        if self.is_unknown:
            return
        response = await self._call(
            "Configure",
            provider_pb2.ConfigureRequest(
                **(_identity(urn) if self._handshaken else {}),
                id=id_ if self._handshaken else None,
                args=to_struct(inputs),
                variables={
                    f"{namespace}:config:{key}": _text(plain(value))
                    for key, value in inputs.items()
                },
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
        )
        self.previews = self._handshaken or response.supportsPreview
        if not self._handshaken:
            self._marks = Marks(response.acceptSecrets, response.acceptResources)

    def kill(self) -> None:
        """End the process at once, whatever is in flight."""
        self._process.kill()

    async def cancel(self) -> None:
        """Ask the provider to end what is in flight in good order, and to begin nothing more."""
        # One that fails has no such method, is busy, or is gone.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._stub.Cancel(_EMPTY, timeout=_CANCEL_TIMEOUT_S)

    async def close(self) -> None:
        """End the process; nothing may be in flight any more."""
        if self.is_plugin:
            await self.cancel()
        await self._process.close()

    async def check(
        self, urn: str, olds: PropertyMap, news: PropertyMap
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Validate inputs; return them with what the provider adds, and what is invalid."""
        if self.is_unknown:
            return news, []
        response = await self._call(
            "Check",
            provider_pb2.CheckRequest(
                **_identity(urn),
                olds=self._struct(olds),
                news=self._struct(news),
                randomSeed=os.urandom(32),
            ),
        )
        failures = [CheckFailure(item.property, item.reason) for item in response.failures]
        return self._marked(response.inputs, news), failures

    async def diff(
        self, old: ResourceState, urn: str, inputs: PropertyMap, ignored: Iterable[str]
    ) -> DiffAnswer:
        """Ask the provider what new inputs mean to a resource, which may have a new URN."""
        if self.is_unknown:
            return DiffAnswer(None)
        change = self._change(old, urn, inputs, ignored)
        return _diff_answer(await self._call("Diff", provider_pb2.DiffRequest(**change)))

    async def create(self, new: ResourceState, *, preview: bool = False) -> tuple[str, PropertyMap]:
        """Create a resource, or tell what would be created; return its id and outputs.

        In a preview the id may be empty, and outputs that are not known yet are missing.
        """
        if preview and (self.is_unknown or not self.previews):
            return "", new.inputs
        response = await self._call(
            "Create",
            provider_pb2.CreateRequest(
                **_identity(new.urn),
                properties=self._struct(new.inputs),
                timeout=new.custom_timeouts.create,
                preview=preview,
            ),
        )
        if not response.id and not preview:
            raise ProviderError("the provider gave no id for what it created")
        return response.id, self._marked(response.properties, new.inputs)

    async def update(
        self,
        old: ResourceState,
        new: ResourceState,
        ignored: Iterable[str],
        *,
        preview: bool = False,
    ) -> PropertyMap:
        """Update a resource, or tell what it would be; return its outputs."""
        if preview and (self.is_unknown or not self.previews):
            return new.inputs
        response = await self._call(
            "Update",
            provider_pb2.UpdateRequest(
                **self._change(old, new.urn, new.inputs, ignored),
                timeout=new.custom_timeouts.update,
                preview=preview,
            ),
        )
        return self._marked(response.properties, new.inputs)

    async def read(self, state: ResourceState) -> ReadAnswer:
        """Read a resource as it is; that of others has no inputs in the request."""
        inputs = None if state.external else self._struct(state.inputs)
        request = provider_pb2.ReadRequest(
            **_identity(state.urn),
            id=state.id,
            properties=self._struct(state.outputs),
            inputs=inputs,
            timeout=state.custom_timeouts.read,
        )
        try:
            response = await self._call_if_there("Read", request)
        except InitFailedError as error:
            left = error.left
            return ReadAnswer(
                left.id,
                marked_like(left.outputs, state.outputs),
                None if left.inputs is None else marked_like(left.inputs, state.inputs),
                left.reasons or (error.message,),
            )
        if response is None:
            return ReadAnswer(state.id, state.outputs, None)
        return ReadAnswer(
            response.id,
            self._marked(response.properties, state.outputs),
            self._marked(response.inputs, state.inputs) if response.HasField("inputs") else None,
        )

    async def invoke(
        self, token: str, args: PropertyMap, *, preview: bool
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Call a function; return what it answers, and which of its arguments are invalid."""
        response = await self._call(
            "Invoke",
            provider_pb2.InvokeRequest(tok=token, args=self._struct(args), preview=preview),
        )
        failures = [CheckFailure(item.property, item.reason) for item in response.failures]
        return self._marked(getattr(response, "return"), {}), failures

    async def delete(self, state: ResourceState) -> None:
        """Delete a resource."""
        await self._call(
            "Delete",
            provider_pb2.DeleteRequest(
                **_identity(state.urn),
                id=state.id,
                properties=self._struct(state.outputs),
                old_inputs=self._struct(state.inputs),
                timeout=state.custom_timeouts.delete,
            ),
        )

    async def _call_if_there(self, method: str, request: object) -> Any:
        """Return the answer, or None where the provider has no such method."""
        try:
            return await self._call(method, request)
        except ProviderError as error:
            cause = error.__cause__
            if (
                isinstance(cause, grpc.aio.AioRpcError)
                and cause.code() is grpc.StatusCode.UNIMPLEMENTED
            ):
                return None
            raise

    async def _call(self, method: str, request: object) -> Any:
        try:
            return await getattr(self._stub, method)(request)
        except grpc.aio.AioRpcError as error:
            details = error.details() or str(error.code())
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise ProviderGoneError(
                    f"{self.name}'s process is gone (during {method})", details
                ) from error
            if failed := _init_failed(error):
                raise InitFailedError(short_reason(details), details, failed) from error
            raise ProviderError(short_reason(details), details) from error

    def _struct(self, properties: PropertyMap) -> Any:
        return to_struct(properties, self._marks)

    def _marked(self, answered: Any, given: Mapping[str, Any]) -> PropertyMap:
        """Return what a provider answered; what one that sees no secrets was given stays secret."""
        properties = from_struct(answered)
        return properties if self._marks.secrets else marked_like(properties, given)

    def _change(
        self, old: ResourceState, urn: str, inputs: PropertyMap, ignored: Iterable[str]
    ) -> dict[str, Any]:
        """Return the fields in which requests for a diff and for an update are alike."""
        return {
            **_identity(urn),
            "id": old.id,
            "old_inputs": self._struct(old.inputs),
            "olds": self._struct(old.outputs),
            "news": self._struct(inputs),
            "ignoreChanges": tuple(ignored),
        }


def _diff_answer(response: provider_pb2.DiffResponse) -> DiffAnswer:
    detail = tuple(
        Change(path, ChangeKind(change.kind), inputs=change.inputDiff)
        for path, change in sorted(response.detailedDiff.items())
    )
    return DiffAnswer(
        _CHANGES.get(response.changes),
        tuple(response.replaces),
        tuple(response.diffs),
        response.deleteBeforeReplace,
        detail if response.hasDetailedDiff else (),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _init_failed(error: grpc.aio.AioRpcError) -> PartialResource | None:
    """Return the resource that a failed call leaves for the next run, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            failed = provider_pb2.ErrorResourceInitFailed()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(failed):
                    return PartialResource(
                        failed.id,
                        from_struct(failed.properties),
                        from_struct(failed.inputs) if failed.HasField("inputs") else None,
                        tuple(failed.reasons),
                    )
    return None


def _identity(urn: str) -> dict[str, Any]:
    return {"urn": urn, "name": name_of(urn), "type": type_of(urn)}
