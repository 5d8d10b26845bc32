"""The provider protocol without its resources: the plugin, its configuration, and how it is called.

Each call runs in a thread of its own; the work itself is done in the one event loop of the service.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty

from flink_jobs_provider.engine.protocols import provider_pb2, provider_pb2_grpc, status_pb2
from flink_jobs_provider.engine.values import contains_unknowns, equal
from flink_jobs_provider.plugin import package_schema
from flink_jobs_provider.plugin.engine_calls import Cancellation, EngineCall, current_call
from flink_jobs_provider.plugin.engine_log import EngineLog
from flink_jobs_provider.plugin.property_values import (
    is_unknown,
    outputs_message,
    plain_properties,
    properties_of,
    secret_texts,
)
from flink_jobs_provider.plugin.provider_configuration import (
    ConfigurationValues,
    ProviderConfiguration,
    owner_of_urn,
    problems_of_configuration,
)
from flink_jobs_provider.provider.process import EngineLiveness
from flink_jobs_provider.provider.run_output import FlinkJobError, RunOutput
from flink_jobs_provider.provider.service import ProviderService

#: `Any` to the type checker, as the SDK's other modules are: see `engine.protocols`.
_plugin_pb2: Any = import_module("flink_jobs_provider.engine.protocols.plugin_pb2")

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

#: Each call waits in a thread for what is done in the service's loop. An engine calls no more at
#: once than its `--parallel` says, whose default is four times the CPUs.
_THREADS = 256
_DETAILS = "grpc-status-details-bin"
_UNKNOWN_CODE = 2


class PackageServicer(provider_pb2_grpc.ResourceProviderServicer):
    """The provider of one run of an engine."""

    def __init__(self, liveness: EngineLiveness) -> None:
        self._liveness = liveness
        self._log = EngineLog()
        self._cancellation = Cancellation()
        self._configuration = ProviderConfiguration()
        #: The stack's own, as far as it is known: functions have no URN that would tell it.
        self._owners: tuple[str, ...] = ()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine-call")
        self._begin_run()
        self.service.watch(self._liveness)

    def _begin_run(self) -> None:
        self.service = ProviderService(is_unknown, output=RunOutput(self._log.emit))

    def connect_log(self, address: str) -> None:
        """Send the lines of the run to an engine's log."""
        self._log.connect(address)

    async def Handshake(self, request: Any, _context: Context) -> Any:
        """Answer what this plugin can take."""
        del request
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    async def Attach(self, request: Any, _context: Context) -> Empty:
        """Go on for another engine, which has not started this process."""
        self._liveness = EngineLiveness([request.address])
        self._cancellation = Cancellation()
        self._begin_run()
        self.connect_log(request.address)
        return Empty()

    async def GetPluginInfo(self, _request: Any, _context: Context) -> Any:
        """Answer the version."""
        return _plugin_pb2.PluginInfo(version=package_schema.version())

    async def GetSchema(self, request: Any, context: Context) -> Any:
        """Answer the schema of the package."""
        if request.version not in (0, 1):
            await self._refuse(context, f"there is no version {request.version} of the schema")
        return provider_pb2.GetSchemaResponse(schema=package_schema.text_with_version())

    async def CheckConfig(self, request: Any, _context: Context) -> Any:
        """Validate the provider's configuration."""
        problems = problems_of_configuration(_known(properties_of(request.news)))
        failures = [provider_pb2.CheckFailure(property=path, reason=why) for path, why in problems]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    async def DiffConfig(self, request: Any, _context: Context) -> Any:
        """Answer which settings differ; none replaces the provider, or the jobs that it manages.

        The CLI configures a provider with the recorded settings where the answer is that nothing
        differs (`SameStep.Apply`, Pulumi 3.260): a new one would be unknown to the run.
        """
        before = properties_of(request.old_inputs) or properties_of(request.olds)
        now = properties_of(request.news)
        changed = sorted(
            name
            for name in before.keys() | now.keys()
            if contains_unknowns(now.get(name)) or not equal(before.get(name), now.get(name))
        )
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some if changed else none, diffs=changed)

    async def Configure(self, request: Any, context: Context) -> Any:
        """Prepare the clusters' clients."""
        given = properties_of(request.args)
        self.service.output.hide(*secret_texts(given))
        values = _known(given)
        if problems := problems_of_configuration(values):
            await self._refuse(context, "; ".join(f"{path}: {why}" for path, why in problems))
        self._configuration = ProviderConfiguration.model_validate(values)
        owner = owner_of_urn(request.urn, self._configuration.organization) if request.urn else None
        self._owners = (owner,) if owner else ()
        references = ConfigurationValues(values, self._configuration)
        self.service.configure(
            references.get,
            self._liveness,
            lambda: self._cancellation.guard(self._liveness.check),
            self._configuration.max_concurrent_submissions,
        )
        self.service.jobs.is_cancelled = lambda: self._cancellation.is_requested
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    async def Cancel(self, _request: Any, _context: Context) -> Empty:
        """Begin nothing more; what has begun goes on to its end, or comes up by itself."""
        self._cancellation.request()
        return Empty()

    async def Parameterize(self, _request: Any, context: Context) -> NoReturn:
        """Refuse: there is nothing to choose."""
        await self._unimplemented(context, "takes no parameters")

    async def Call(self, request: Any, context: Context) -> NoReturn:
        """Refuse: there is no method."""
        await self._unimplemented(context, f"has no method {request.tok}")

    async def Construct(self, request: Any, context: Context) -> NoReturn:
        """Refuse: there is no component."""
        await self._unimplemented(context, f"has no component {request.type}")

    async def List(self, _request: Any, context: Context) -> AsyncIterator[Any]:
        """Refuse: resources are read by their ids."""
        await self._unimplemented(context, "lists no resources")
        yield  # what makes this a stream, as the protocol wants it

    async def GetMapping(self, _request: Any, _context: Context) -> Any:
        """Answer that the package stands for no other tool's provider."""
        return provider_pb2.GetMappingResponse()

    async def GetMappings(self, _request: Any, _context: Context) -> Any:
        """Answer the same."""
        return provider_pb2.GetMappingsResponse()

    # -- calls

    def _hide(self, *properties: Mapping[str, Any]) -> None:
        for each in properties:
            self.service.output.hide(*secret_texts(each))

    async def _call(
        self, request: Any, context: Context, work: Callable[[], T], inputs: Any = None
    ) -> T:
        """Do the work of a call in a thread, and answer its error in one line.

        Where the error leaves a resource for the next run to go on with, that is answered with
        these `inputs`.
        """
        current_call.set(EngineCall(getattr(request, "urn", "")))
        ticker = asyncio.create_task(self._log.tick())
        in_context = contextvars.copy_context()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, in_context.run, work)
        except FlinkJobError as error:
            await self._fail(context, request, error, inputs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine is answered one line
            await self._fail(context, request, self.service.output.error(error), inputs)
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
            await self._log.flush()

    async def _fail(
        self, context: Context, request: Any, error: FlinkJobError, inputs: Any
    ) -> NoReturn:
        reason = str(error)
        metadata: tuple[tuple[str, bytes], ...] = ()
        if error.partial is not None and inputs is not None:
            detail, given = AnyMessage(), properties_of(inputs)
            wanted = properties_of(getattr(request, "news", inputs))
            detail.Pack(
                provider_pb2.ErrorResourceInitFailed(
                    id=getattr(request, "id", "") or error.partial.id,
                    properties=outputs_message(error.partial.outputs, given, wanted),
                    inputs=inputs,
                    reasons=[reason],
                )
            )
            status = status_pb2.Status(code=_UNKNOWN_CODE, message=reason, details=[detail])
            metadata = ((_DETAILS, status.SerializeToString()),)
        await context.abort(grpc.StatusCode.UNKNOWN, reason, metadata)

    async def _refuse(self, context: Context, reason: str) -> NoReturn:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)

    async def _unimplemented(self, context: Context, what: str) -> NoReturn:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the plugin flink-jobs {what}")


def _known(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are known: in a preview some may not be."""
    return {
        name: each for name, each in plain_properties(properties).items() if not is_unknown(each)
    }
