"""The policy packs of a run: their processes, and what they say of its resources.

They are asked in the order of the Pulumi CLI: of each resource once its inputs are checked and
before anything is done to it; of all of them once the program has ended. A preview goes on after a
mandatory violation, so that all are seen. An update does not begin what was judged so, and begins
nothing after it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from jsonschema import Draft202012Validator

from flink_jobs_provider.engine.backend import ORGANIZATION
from flink_jobs_provider.engine.errors import OperationCancelled, OptionError, ProviderError
from flink_jobs_provider.engine.plugin_process import Launch, PluginProcess
from flink_jobs_provider.engine.policy_pack_configuration import (
    PolicyEntry,
    PolicyPack,
    reconciled,
)
from flink_jobs_provider.engine.protocols import analyzer_pb2, analyzer_pb2_grpc
from flink_jobs_provider.engine.resource_state import ResourceState, name_of
from flink_jobs_provider.engine.run import Run, Severity
from flink_jobs_provider.engine.stack_configuration import configuration_environment
from flink_jobs_provider.engine.values import PropertyMap, to_struct

if TYPE_CHECKING:
    from flink_jobs_provider.engine.goals import Goal
    from flink_jobs_provider.engine.stacks import OpenStack

_LEVELS = analyzer_pb2.EnforcementLevel


class Analyzer:
    """The process of one policy pack."""

    def __init__(self, pack: PolicyPack, process: PluginProcess) -> None:
        self._pack = pack
        self._process = process
        self._stub = analyzer_pb2_grpc.AnalyzerStub(process.channel)

    async def prepare(self, stack: OpenStack, address: str, *, dry_run: bool) -> None:
        """Send it the facts of the stack, and configure its policies.

        Raises:
            OptionError: The configuration is invalid.
            ProviderError: A call failed.
        """
        directory = str(self._pack.directory)
        await self._call_if_there(
            "Handshake",
            analyzer_pb2.AnalyzerHandshakeRequest(
                engine_address=address, root_directory=directory, program_directory=directory
            ),
        )
        configuration = stack.configuration
        await self._call_if_there(
            "ConfigureStack",
            analyzer_pb2.AnalyzerStackConfigureRequest(
                stack=stack.files.stack,
                project=stack.files.project,
                organization=ORGANIZATION,
                dry_run=dry_run,
                config={name: value.text for name, value in configuration.items()},
                config_secret_keys=[name for name, value in configuration.items() if value.secret],
            ),
        )
        information = await self.call("GetAnalyzerInfo", Empty())
        entries = reconciled(
            {each.name: _default(each) for each in information.policies},
            {name: _entry(each) for name, each in information.initialConfig.items()},
            self._pack.entries,
        )
        _refuse_invalid(self._process.launch.name, information.policies, entries)
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        for name, entry in entries.items():
            message = request.policyConfig[name]
            message.enforcementLevel = _LEVELS.Value(entry.level.upper())
            message.properties.update(entry.parameters)
        try:
            await self.call("Configure", request)
        except ProviderError as error:
            raise OptionError(error.message) from error

    async def call(self, method: str, request: object) -> Any:
        """Return the answer to a call; raise ProviderError where it fails."""
        try:
            return await getattr(self._stub, method)(request)
        except grpc.aio.AioRpcError as error:
            details = error.details() or str(error.code())
            name = self._process.launch.name
            raise ProviderError(f"{name} failed ({method}): {details}") from error

    async def _call_if_there(self, method: str, request: object) -> None:
        try:
            await self.call(method, request)
        except ProviderError as error:
            cause = error.__cause__
            is_missing = isinstance(cause, grpc.aio.AioRpcError) and (
                cause.code() is grpc.StatusCode.UNIMPLEMENTED
            )
            if not is_missing:
                raise

    async def close(self) -> None:
        """End it."""
        await self._process.close()


class Policies:
    """The packs that a run is judged by; where there are none, everything is permitted."""

    def __init__(self, run: Run, analyzers: Sequence[Analyzer] = ()) -> None:
        self._run = run
        self._analyzers = analyzers

    async def judge(self, new: ResourceState, goal: Goal) -> None:
        """Judge a resource whose inputs are checked.

        Raises:
            OperationCancelled: An update must not do what it was about to; it was reported.
            ProviderError: A pack failed.
        """
        if not self._analyzers:
            return
        request = analyzer_pb2.AnalyzeRequest(
            urn=new.urn,
            type=new.type,
            name=new.name,
            properties=_struct(new.inputs),
            options=_options(new, delete_first=goal.delete_before_replace, aliases=goal.alias_urns),
            provider=self._provider(new),
        )
        violated = await self._report("Analyze", request, new.urn)
        if violated and not self._run.dry_run:
            self._run.stop()
            raise OperationCancelled(f"{new.name!r} is not permitted")

    async def judge_stack(self) -> None:
        """Judge all resources of the program together, by their outputs."""
        if not self._analyzers:
            return
        states = [record.state for record in self._run.books.settled.values()]
        request = analyzer_pb2.AnalyzeStackRequest(resources=[self._resource(s) for s in states])
        await self._report("AnalyzeStack", request, self._run.stack.root_urn)

    async def close(self) -> None:
        """End all packs."""
        await asyncio.gather(*(each.close() for each in self._analyzers))

    async def _report(self, method: str, request: object, urn: str) -> bool:
        """Report what the packs say, and return whether any of it is mandatory."""
        calls = (each.call(method, request) for each in self._analyzers)
        found = [each for answer in await asyncio.gather(*calls) for each in answer.diagnostics]
        mandatory = [each for each in found if each.enforcementLevel in _BINDING]
        for each in found:
            severity = Severity.ERROR if each in mandatory else Severity.WARNING
            level = "mandatory" if each in mandatory else "advisory"
            self._run.report(
                severity,
                f"[{level}] {each.policyName} ({each.policyPackName}): {each.message}",
                each.urn or urn,
            )
        if mandatory:
            self._run.failed = True
        return bool(mandatory)

    def _resource(self, state: ResourceState) -> Any:
        dependencies = (state.property_dependencies or {}).items()
        return analyzer_pb2.AnalyzerResource(
            urn=state.urn,
            type=state.type,
            name=state.name,
            properties=_struct(state.outputs),
            options=_options(state),
            provider=self._provider(state),
            parent=state.parent,
            dependencies=state.dependencies,
            propertyDependencies={
                key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
                for key, urns in dependencies
                if urns
            },
        )

    def _provider(self, state: ResourceState) -> Any:
        urn = state.provider.rpartition("::")[0]
        record = self._run.books.settled.get(urn)
        if record is None:
            return None
        provider = record.state
        return analyzer_pb2.AnalyzerProviderResource(
            urn=urn,
            type=provider.type,
            name=name_of(urn),
            properties=_struct(provider.inputs),
        )


#: What stops an update. A violation that a pack would have remedied is one that is left.
_BINDING = (analyzer_pb2.MANDATORY, analyzer_pb2.REMEDIATE)


async def start_policies(
    run: Run, stack: OpenStack, packs: Iterable[PolicyPack], address: str
) -> Policies:
    """Start and configure the packs of a run.

    Raises:
        OptionError: A configuration is invalid.
        ProviderError: A pack did not come up.
    """
    started: list[Analyzer] = []
    try:
        for pack in packs:
            launch = _launch(pack, stack, address, dry_run=run.dry_run)
            process = await PluginProcess.start(
                launch, lambda line: run.report(Severity.INFO, line)
            )
            run.packs.append(process)
            started.append(Analyzer(pack, process))
            await started[-1].prepare(stack, address, dry_run=run.dry_run)
    except BaseException:
        await Policies(run, started).close()
        raise
    return Policies(run, started)


def _launch(pack: PolicyPack, stack: OpenStack, address: str, *, dry_run: bool) -> Launch:
    """Return how a pack is started: as the CLI does, but by this Python, not the first of the PATH.

    Its environment tells what a program's does, for packs that ask Pulumi's SDK.
    """
    python = str(pack.virtualenv / "bin" / "python") if pack.virtualenv else sys.executable
    environment: Mapping[str, str] = {
        **os.environ,
        "PULUMI_PROJECT": stack.files.project,
        "PULUMI_STACK": stack.files.stack,
        "PULUMI_ORGANIZATION": ORGANIZATION,
        "PULUMI_DRY_RUN": "true" if dry_run else "false",
        **configuration_environment(stack.configuration),
    }
    return Launch(
        f"the policy pack {pack.directory}",
        (python, "-u", "-m", "pulumi.policy", address, str(pack.directory)),
        pack.directory,
        environment,
        signal.SIGTERM,
    )


def _default(policy: Any) -> PolicyEntry:
    """Return how a policy is enforced where nothing is configured."""
    properties = MessageToDict(policy.configSchema).get("properties", {})
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    return PolicyEntry(_LEVELS.Name(policy.enforcementLevel).lower(), defaults)


def _entry(message: Any) -> PolicyEntry:
    level = _LEVELS.Name(message.enforcementLevel).lower()
    return PolicyEntry(level, MessageToDict(message.properties))


def _refuse_invalid(pack: str, policies: Iterable[Any], entries: Mapping[str, PolicyEntry]) -> None:
    """Raise OptionError, which names each parameter that its policy's schema does not take.

    Names that no policy has are for the pack itself to refuse, as with the CLI.
    """
    problems = []
    for policy in policies:
        schema = MessageToDict(policy.configSchema)
        validator = Draft202012Validator({"type": "object", **schema})
        for error in validator.iter_errors(dict(entries[policy.name].parameters)):
            path = ".".join(map(str, [policy.name, *error.absolute_path]))
            problems.append(f"{path}: {error.message}")
    if problems:
        raise OptionError(f"invalid configuration of {pack}: {'; '.join(problems)}")


def _struct(properties: PropertyMap) -> Any:
    """Return properties with secrets and unknowns marked, without those internal to the SDK."""
    return to_struct({key: each for key, each in properties.items() if not key.startswith("__")})


def _options(
    state: ResourceState, *, delete_first: bool | None = None, aliases: Iterable[str] = ()
) -> Any:
    timeouts = state.custom_timeouts
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=state.protect,
        ignoreChanges=state.ignore_changes,
        deleteBeforeReplace=bool(delete_first),
        deleteBeforeReplaceDefined=delete_first is not None,
        additionalSecretOutputs=state.additional_secret_outputs,
        aliases=aliases,
        customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(
            create=timeouts.create, update=timeouts.update, delete=timeouts.delete
        ),
        parent=state.parent,
    )
