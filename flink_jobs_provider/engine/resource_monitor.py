"""The SDK's resource monitor and engine protocols, served to the program."""

# ruff: noqa: ARG002, N802 - names and signatures are those of the protocols

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf import empty_pb2

from flink_jobs_provider.engine.backend import ORGANIZATION
from flink_jobs_provider.engine.child_process import CHANNEL_OPTIONS
from flink_jobs_provider.engine.errors import (
    EngineError,
    OperationCancelled,
    ProviderError,
    ResourceError,
    UnsupportedError,
)
from flink_jobs_provider.engine.goals import goal_of
from flink_jobs_provider.engine.protocols import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    resource_pb2,
    resource_pb2_grpc,
)
from flink_jobs_provider.engine.refresh import Reads
from flink_jobs_provider.engine.resource_state import (
    BUILTIN_PACKAGE,
    DYNAMIC_PACKAGE,
    package_of,
)
from flink_jobs_provider.engine.run import Run, Severity
from flink_jobs_provider.engine.step_generator import StepGenerator
from flink_jobs_provider.engine.values import (
    UNKNOWN_STRING,
    contains_unknowns,
    from_struct,
    to_struct,
)

# What gRPC logs on its own is of connections that end, in words for its developers; its errors are
# reported by the calls that fail. Read when its first server or channel is made.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

# What is announced decides what the SDK sends. Aliases come as URNs and outputs as plain values or
# secrets; transforms and hooks are announced so that the refusal is ours, with what to do.
_FEATURES = {
    "secrets": resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    "resourceReferences": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    "deletedWith": resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    "replaceWith": resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    "transforms": resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    "invokeTransforms": resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    "parameterization": resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    "resourceHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    "errorHooks": resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
}
_SEVERITIES = {
    engine_pb2.DEBUG: Severity.DEBUG,
    engine_pb2.INFO: Severity.INFO,
    engine_pb2.WARNING: Severity.WARNING,
    engine_pb2.ERROR: Severity.ERROR,
}


def _answered(method: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
    """Return a method of the protocol that answers with the outcome of one of the monitor's."""

    @wraps(method)
    async def answer(self: "ResourceMonitor", request: object, context: Context) -> Any:
        return await self._answer(context, method(self, request))

    return answer


def _refusing(what: Callable[[Any], str]) -> Any:
    """Return a method of the protocol that refuses each request, which `what` describes."""

    async def refuse(_monitor: object, request: object) -> None:
        raise UnsupportedError(what(request))

    return _answered(refuse)


class ResourceMonitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Serves the program's requests, once it has been given what to answer with."""

    def __init__(self, run: Run, *, root: str, parallel: int) -> None:
        self._run = run
        self._root = root
        self._parallel = parallel
        self._packages: dict[str, tuple[str, str]] = {}

    def answer_with(self, generator: StepGenerator, reads: Reads) -> None:
        """Take what a program's requests are answered with, before it is started."""
        self._generator = generator
        self._reads = reads

    async def GetDeploymentInfo(
        self, request: empty_pb2.Empty, context: Context
    ) -> resource_pb2.DeploymentInfo:
        """Return what this engine is running, and its features."""
        return resource_pb2.DeploymentInfo(
            project=self._run.stack.project,
            stack=self._run.stack.name,
            organization=ORGANIZATION,
            dryRun=self._run.dry_run,
            parallel=self._parallel,
            supportedFeatures=_FEATURES.values(),
        )

    async def SupportsFeature(
        self, request: resource_pb2.SupportsFeatureRequest, context: Context
    ) -> resource_pb2.SupportsFeatureResponse:
        """Return whether this engine has a feature, to SDKs before 3.272."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    @_answered
    async def RegisterResource(
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Bring a resource to what the program wants."""
        version = self._version(request.packageRef, package_of(request.type))
        state = await self._generator.register(goal_of(request, self._root, version))
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn,
            id="" if state.id == UNKNOWN_STRING else state.id,
            object=to_struct(state.outputs),
        )

    @_answered
    async def RegisterPackage(
        self, request: resource_pb2.RegisterPackageRequest
    ) -> resource_pb2.RegisterPackageResponse:
        """Return a reference to a package and its version, which registrations refer to then."""
        if request.HasField("parameterization") or request.HasField("extension"):
            raise UnsupportedError(f"parameterized packages ({request.name})")
        reference = f"{request.name}@{request.version}"
        self._packages[reference] = (request.name, request.version)
        return resource_pb2.RegisterPackageResponse(ref=reference)

    def _version(self, reference: str, package: str) -> str:
        """Return the version that a reference names of a package, or an empty text."""
        if not reference:
            return ""
        if reference not in self._packages:
            raise ResourceError(f"the package reference {reference!r} was not registered")
        name, version = self._packages[reference]
        return version if name == package else ""

    @_answered
    async def RegisterResourceOutputs(
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Record a component's outputs."""
        self._generator.register_outputs(request.urn, from_struct(request.outputs))
        return empty_pb2.Empty()

    @_answered
    async def ReadResource(
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        """Read a resource that is not this stack's, or another stack's outputs."""
        version = self._version(request.packageRef, package_of(request.type))
        state = await self._reads.read(request, self._root, version)
        return resource_pb2.ReadResourceResponse(
            urn=state.urn, id=state.id, properties=to_struct(state.outputs)
        )

    async def Invoke(
        self, request: resource_pb2.ResourceInvokeRequest, context: Context
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answer a function of a plugin; its error is the program's to handle."""
        answer = await self._answer(context, self._invoke(request))
        if isinstance(answer, ProviderError):
            message = f"invocation of {request.tok} returned an error: {answer}"
            await context.abort(grpc.StatusCode.UNKNOWN, message)
            raise AssertionError("`abort` does not return")
        return answer

    async def _invoke(
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse | ProviderError:
        package = package_of(request.tok)
        if package in (DYNAMIC_PACKAGE, BUILTIN_PACKAGE):
            raise UnsupportedError(f"functions of `{package}`, as {request.tok} is one")
        run, args = self._run, from_struct(request.args)
        run.refuse_when_stopping()
        version = self._version(request.packageRef, package) or request.version
        reference = await self._generator.provider_reference(package, version, request.provider)
        try:
            provider = await run.providers.get(reference)
            if provider.is_unknown or contains_unknowns(args):
                return resource_pb2.ResourceInvokeResponse(unknown=True)
            async with run.slots:
                run.refuse_when_stopping()
                found, failures = await provider.invoke(request.tok, args, preview=run.dry_run)
        except ProviderError as error:
            return error
        response = resource_pb2.ResourceInvokeResponse(
            failures=[
                provider_pb2.CheckFailure(property=each.property, reason=each.reason)
                for each in failures
            ]
        )
        getattr(response, "return").CopyFrom(to_struct(found))
        return response

    async def SignalAndWaitForShutdown(
        self, request: empty_pb2.Empty, context: Context
    ) -> empty_pb2.Empty:
        """Return at once: deletions after it need nothing of the program."""
        return empty_pb2.Empty()

    Call = _refusing(lambda request: f"methods of resources, as {request.tok} is one")
    RegisterStackTransform = _refusing(lambda _: "transforms (register_resource_transform)")
    RegisterStackInvokeTransform = _refusing(lambda _: "transforms (register_invoke_transform)")
    RegisterResourceHook = _refusing(lambda request: f"resource hooks ({request.name})")
    RegisterErrorHook = _refusing(lambda request: f"error hooks ({request.name})")

    async def _answer(self, context: Context, work: Coroutine[Any, Any, T]) -> T:
        """Answer with the outcome of work that goes on even if the program goes away.

        After a failure the program gets the CLI's answer: that the monitor has ended.
        """
        try:
            return await asyncio.shield(self._run.begin(work))
        except OperationCancelled:
            pass
        except EngineError as error:
            self._run.fail("", error)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the run is stopping")
        raise AssertionError("`abort` does not return")


class EngineServicer(engine_pb2_grpc.EngineServicer):
    """Receives the messages of program and provider."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._root_urn = ""

    async def Log(self, request: engine_pb2.LogRequest, context: Context) -> empty_pb2.Empty:
        """Pass on a message; errors that follow from a run that is stopping are dropped.

        An ephemeral one is what is being done to a resource, and is followed by others.
        """
        severity = _SEVERITIES.get(request.severity, Severity.INFO)
        if request.ephemeral:
            self._run.listener.status(request.urn, request.message.strip())
            return empty_pb2.Empty()
        if severity is Severity.ERROR:
            if self._run.stopping.is_set() and not request.urn:
                return empty_pb2.Empty()
            self._run.failed = True
        if severity is not Severity.DEBUG:
            self._run.report(severity, request.message.rstrip("\n"), request.urn)
        return empty_pb2.Empty()

    async def GetRootResource(
        self, request: engine_pb2.GetRootResourceRequest, context: Context
    ) -> engine_pb2.GetRootResourceResponse:
        """Return the URN of the stack's own resource."""
        return engine_pb2.GetRootResourceResponse(urn=self._root_urn)

    async def SetRootResource(
        self, request: engine_pb2.SetRootResourceRequest, context: Context
    ) -> engine_pb2.SetRootResourceResponse:
        """Record the URN of the stack's own resource."""
        self._root_urn = request.urn
        return engine_pb2.SetRootResourceResponse()

    async def RequirePulumiVersion(
        self, request: engine_pb2.RequirePulumiVersionRequest, context: Context
    ) -> engine_pb2.RequirePulumiVersionResponse:
        """Refuse to judge: this is no version of the CLI."""
        error = UnsupportedError("require_pulumi_version")
        self._run.fail("", error)
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return engine_pb2.RequirePulumiVersionResponse()


class MonitorServer:
    """The gRPC server, on a free port of the loopback interface."""

    def __init__(self) -> None:
        self._server = grpc.aio.server(options=CHANNEL_OPTIONS)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    async def start(self, monitor: ResourceMonitor, engine: EngineServicer) -> None:
        """Begin to serve."""
        self.monitor = monitor
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(engine, self._server)
        await self._server.start()

    async def stop(self) -> None:
        """Stop serving; requests still open are ended."""
        await self._server.stop(None)
