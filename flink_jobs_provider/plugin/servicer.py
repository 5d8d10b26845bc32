"""`pulumirpc.ResourceProvider`: an adapter of the engine's calls to `ProviderService`.

It decides nothing: it translates. Each call runs in a thread of its own; the work itself is done in
the one event loop of the service.
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
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.plugin import package_schema
from flink_jobs_provider.plugin.engine_calls import Cancellation, EngineCall, current_call
from flink_jobs_provider.plugin.engine_log import EngineLog
from flink_jobs_provider.plugin.property_values import (
    inputs_message,
    is_unknown,
    outputs_message,
    plain_properties,
    properties_of,
    secret_names,
    secret_texts,
)
from flink_jobs_provider.plugin.provider_configuration import (
    ConfigurationValues,
    ProviderConfiguration,
    owner_of_urn,
    problems_of_configuration,
)
from flink_jobs_provider.provider.input_checks import CheckRequest
from flink_jobs_provider.provider.process import EngineLiveness
from flink_jobs_provider.provider.run_output import FlinkJobError, RunOutput
from flink_jobs_provider.provider.service import Difference, ProviderService

#: `Any` to the type checker, as the SDK's other modules are: see `engine.protocols`.
_plugin_pb2: Any = import_module("flink_jobs_provider.engine.protocols.plugin_pb2")

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

#: Each call waits in a thread for what is done in the service's loop. An engine calls no more at
#: once than its `--parallel` says, whose default is four times the CPUs.
_THREADS = 256
_DETAILS = "grpc-status-details-bin"
_UNKNOWN_CODE = 2
_NO_OWNER = (
    "is required: the plugin is not told the organization of the stack, which is part of the "
    "default. Give it as organization/project/stack; or set flink-jobs:organization in the stack's "
    "configuration, which is 'organization' where the state is in files or a bucket"
)


class FlinkJobsServicer(provider_pb2_grpc.ResourceProviderServicer):
    """The provider of one run of an engine."""

    def __init__(self, liveness: EngineLiveness) -> None:
        self._liveness = liveness
        self._log = EngineLog()
        self._cancellation = Cancellation()
        self._configuration = ProviderConfiguration()
        self._in_progress: set[asyncio.Future[Any]] = set()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine-call")
        self.service = self._new_service()

    def _new_service(self) -> ProviderService:
        service = ProviderService(is_unknown, output=RunOutput(self._log.emit))
        service.watch(self._liveness)
        return service

    def connect_log(self, address: str) -> None:
        """Send the lines of the run to an engine's log."""
        self._log.connect(address)

    async def until_answered(self) -> None:
        """Return when no call is in progress."""
        while self._in_progress:
            await asyncio.wait(self._in_progress)

    # -- the plugin

    async def Handshake(self, request: Any, _context: Context) -> Any:
        """Answer what this plugin can take."""
        del request
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    async def Attach(self, request: Any, _context: Context) -> Empty:
        """Go on for another engine, which has not started this process."""
        self._liveness = EngineLiveness([request.address])
        self._cancellation = Cancellation()
        self.service = ProviderService(is_unknown, output=RunOutput(self._log.emit))
        self.connect_log(request.address)
        return Empty()

    async def GetPluginInfo(self, _request: Any, _context: Context) -> Any:
        """Answer the version."""
        return _plugin_pb2.PluginInfo(version=package_schema.version())

    async def GetSchema(self, request: Any, context: Context) -> Any:
        """Answer the schema of the package."""
        if request.version not in (0, 1):
            await self._refuse(context, f"there is no version {request.version} of the schema")
        return provider_pb2.GetSchemaResponse(schema=package_schema.text())

    async def CheckConfig(self, request: Any, _context: Context) -> Any:
        """Validate the provider's configuration."""
        problems = problems_of_configuration(_known(properties_of(request.news)))
        failures = [provider_pb2.CheckFailure(property=path, reason=why) for path, why in problems]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    async def DiffConfig(self, _request: Any, _context: Context) -> Any:
        """Answer that nothing is to be replaced: a provider keeps the jobs that it is to manage."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    async def Configure(self, request: Any, context: Context) -> Any:
        """Prepare the clusters' clients."""
        given = properties_of(request.args)
        self.service.output.hide(*secret_texts(given))
        values = _known(given)
        if problems := problems_of_configuration(values):
            await self._refuse(context, "; ".join(f"{path}: {why}" for path, why in problems))
        self._configuration = ProviderConfiguration.model_validate(values)
        references = ConfigurationValues(values, self._configuration)
        self.service.configure(
            references.get,
            self._liveness,
            lambda: self._cancellation.guard(self._liveness.check),
        )
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    async def Cancel(self, _request: Any, _context: Context) -> Empty:
        """Begin nothing more; what has begun goes on to its end."""
        self._cancellation.request()
        return Empty()

    async def Parameterize(self, _request: Any, context: Context) -> NoReturn:
        """Refuse: there is nothing to choose."""
        await self._unimplemented(context, "takes no parameters")

    async def Invoke(self, request: Any, context: Context) -> NoReturn:
        """Refuse: there is no function."""
        await self._unimplemented(context, f"has no function {request.tok}")

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

    # -- a job

    async def Check(self, request: Any, context: Context) -> Any:
        """Validate all inputs, and fill in defaults."""
        news, olds = properties_of(request.news), properties_of(request.olds)
        recorded = plain_properties(olds)
        inputs = self._with_defaults(request.urn, plain_properties(news), recorded)
        self._hide(news)
        checking = CheckRequest(
            inputs=inputs,
            recorded=recorded,
            resource=request.urn,
            secret=secret_names(news),
            plans=False,
        )
        checked = await self._call(request, context, lambda: self.service.check(checking))
        reasons = {} if "owner" in inputs else {"owner": _NO_OWNER}
        failures = [
            provider_pb2.CheckFailure(property=path, reason=reasons.get(path, why))
            for path, why in checked.failures
        ]
        return provider_pb2.CheckResponse(
            inputs=inputs_message(checked.inputs, news), failures=failures
        )

    def _with_defaults(
        self, urn: str, inputs: dict[str, Any], recorded: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return inputs with those of the provider's configuration, and with the owner."""
        configured = self._configuration
        defaults: dict[str, Any] = {}
        if configured.target is not None:
            defaults["target"] = configured.target.model_dump(mode="json", exclude_none=True)
        owner = recorded.get("owner") or owner_of_urn(urn, configured.organization)
        if owner:
            defaults["owner"] = owner
        return defaults | {name: value for name, value in inputs.items() if value is not None}

    async def Diff(self, request: Any, context: Context) -> Any:
        """Compare what is recorded with what is wanted."""
        olds, news = properties_of(request.olds), properties_of(request.news)
        self._hide(olds, news)
        recorded, inputs = plain_properties(olds), plain_properties(news)
        found = await self._call(
            request,
            context,
            lambda: self.service.diff(request.id, recorded, inputs, prints=False),
        )
        return _diff_response(found, recorded, inputs)

    async def Create(self, request: Any, context: Context) -> Any:
        """Start the job, or adopt it; in a preview, print its plan."""
        news = properties_of(request.properties)
        self._hide(news)
        inputs = plain_properties(news)
        if request.preview:
            await self._call(request, context, lambda: self.service.foresee_creation(inputs))
            unknown = set(JobRecord.output_names()) - inputs.keys()
            return provider_pb2.CreateResponse(
                properties=outputs_message(inputs, news, unknown=unknown)
            )
        timeout = request.timeout or None
        id_, outputs = await self._call(
            request,
            context,
            lambda: self.service.create(inputs, timeout=timeout),
            request.properties,
        )
        return provider_pb2.CreateResponse(id=id_, properties=outputs_message(outputs, news))

    async def Update(self, request: Any, context: Context) -> Any:
        """Bring the job to what is wanted; in a preview, print the plan."""
        olds, news = properties_of(request.olds), properties_of(request.news)
        self._hide(olds, news)
        recorded, inputs = plain_properties(olds), plain_properties(news)
        provider = {name: value for name, value in olds.items() if name.startswith("__")}
        if request.preview:
            same = await self._call(
                request, context, lambda: self.service.foresee_update(request.id, recorded, inputs)
            )
            unknown = set(JobRecord.output_names()) - inputs.keys() - same.keys()
            properties = outputs_message({**inputs, **same}, news, provider, unknown=unknown)
            return provider_pb2.UpdateResponse(properties=properties)
        timeout = request.timeout or None

        def work() -> dict[str, Any]:
            self.service.announce_update(request.id, recorded, inputs)
            return self.service.update(request.id, recorded, inputs, timeout=timeout)

        outputs = await self._call(request, context, work, request.old_inputs)
        return provider_pb2.UpdateResponse(properties=outputs_message(outputs, news, provider))

    async def Read(self, request: Any, context: Context) -> Any:
        """Return the job as its cluster shows it."""
        olds, inputs = properties_of(request.properties), properties_of(request.inputs)
        self._hide(olds, inputs)
        recorded = plain_properties(olds)
        seen = await self._call(request, context, lambda: self.service.read(request.id, recorded))
        if seen is None:
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=outputs_message(seen.outputs, olds, inputs),
            inputs=inputs_message(seen.inputs, {**olds, **inputs}),
        )

    async def Delete(self, request: Any, context: Context) -> Empty:
        """End the job."""
        olds = properties_of(request.properties)
        self._hide(olds)
        recorded, timeout = plain_properties(olds), request.timeout or None
        await self._call(
            request, context, lambda: self.service.delete(request.id, recorded, timeout=timeout)
        )
        return Empty()

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
        current_call.set(EngineCall(request.urn))
        ticker = asyncio.create_task(self._log.tick())
        in_context = contextvars.copy_context()
        try:
            done = asyncio.get_running_loop().run_in_executor(self._threads, in_context.run, work)
            self._in_progress.add(done)
            done.add_done_callback(self._in_progress.discard)
            return await done
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
            detail.Pack(
                provider_pb2.ErrorResourceInitFailed(
                    id=getattr(request, "id", "") or error.partial.id,
                    properties=outputs_message(error.partial.outputs, given),
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


def _diff_response(
    found: Difference, recorded: Mapping[str, Any], inputs: Mapping[str, Any]
) -> Any:
    if not found.needed:
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_NONE, hasDetailedDiff=True
        )
    changed = dict.fromkeys([*found.changed, *found.replaces])
    detailed = {
        path: provider_pb2.PropertyDiff(
            kind=_kind(path, recorded, inputs, replaces=path in found.replaces), inputDiff=True
        )
        for path in changed
    } or {"status": provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE)}
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME,
        replaces=found.replaces,
        deleteBeforeReplace=bool(found.replaces),
        stables=["job_name", "owner"],
        diffs=list(dict.fromkeys(path.partition(".")[0] for path in detailed)),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def _kind(
    path: str, recorded: Mapping[str, Any], inputs: Mapping[str, Any], *, replaces: bool
) -> Any:
    name = path.partition(".")[0]
    what = "UPDATE"
    if recorded.get(name) is None:
        what = "ADD"
    elif inputs.get(name) is None:
        what = "DELETE"
    return getattr(provider_pb2.PropertyDiff, f"{what}_REPLACE" if replaces else what)
