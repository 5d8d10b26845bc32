"""`pulumirpc.Analyzer` of the policies: an adapter of an engine's calls to `judging`.

Pulumi's own SDK for policies is not used: it hands secrets on as plain values, so that nothing
could tell an argument that is a secret of Pulumi's from one that is written in the program; it
passes on unknown names in a configuration; and it holds a whole environment to one older protobuf
(measured on pulumi-policy 1.21.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict

from flink_jobs_provider.engine.protocols import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2
from flink_jobs_provider.engine.values import from_struct
from flink_jobs_provider.plugin import package_schema
from flink_jobs_provider.policy.declared_job import JOB_TYPES, DeclaredJob
from flink_jobs_provider.policy.judging import Verdict, judge, judge_stack
from flink_jobs_provider.policy.policy_configuration import (
    Enforced,
    InvalidPolicyConfiguration,
    configured,
    defaults,
    parameter_schemas,
)
from flink_jobs_provider.policy.rules import POLICIES, Policy

PACK = "flink-jobs"
_DESCRIPTION = "What an organization permits of the Flink jobs of its stacks."
_LEVELS = {
    "advisory": analyzer_pb2.ADVISORY,
    "mandatory": analyzer_pb2.MANDATORY,
    "disabled": analyzer_pb2.DISABLED,
    "remediate": analyzer_pb2.REMEDIATE,
}
_LEVEL_NAMES = {number: name for name, number in _LEVELS.items()}

Context = grpc.aio.ServicerContext[Any, Any]


class PolicyAnalyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """The policy pack of one run of an engine."""

    def __init__(self) -> None:
        self._version = package_schema.version()
        self._enforced = defaults()

    async def Handshake(self, _request: Any, _context: Context) -> Any:
        """Accept the engine's address, of which nothing is asked."""
        return analyzer_pb2.AnalyzerHandshakeResponse()

    async def ConfigureStack(self, _request: Any, _context: Context) -> Any:
        """Accept the stack's configuration, which no policy reads."""
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    async def GetPluginInfo(self, _request: Any, _context: Context) -> Any:
        """Return the version."""
        return plugin_pb2.PluginInfo(version=self._version)

    async def GetAnalyzerInfo(self, _request: Any, _context: Context) -> Any:
        """Return what policies there are, and the schemas of their parameters."""
        return analyzer_pb2.AnalyzerInfo(
            name=PACK,
            displayName="Flink jobs",
            description=_DESCRIPTION,
            version=self._version,
            supportsConfig=True,
            policies=[_information(each) for each in POLICIES],
        )

    async def Configure(self, request: Any, context: Context) -> Any:
        """Enforce the policies as they are configured; refuse what is invalid, by name."""
        entries = {
            name: (_LEVEL_NAMES[entry.enforcementLevel], MessageToDict(entry.properties))
            for name, entry in request.policyConfig.items()
        }
        try:
            self._enforced = configured(entries)
        except InvalidPolicyConfiguration as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return Empty()

    async def Analyze(self, request: Any, _context: Context) -> Any:
        """Judge one resource before it is changed."""
        response = analyzer_pb2.AnalyzeResponse()
        if request.type not in JOB_TYPES:
            return response
        job = _job(request)
        for each in self._in_force():
            if each.policy.of_job:
                verdict = judge(each.policy, job, each.parameters)
                self._report(response, each, request.urn, verdict)
        return response

    async def AnalyzeStack(self, request: Any, _context: Context) -> Any:
        """Judge all resources of a stack together."""
        response = analyzer_pb2.AnalyzeResponse()
        jobs = _jobs(request.resources)
        for each in self._in_force():
            if each.policy.of_stack:
                verdict = judge_stack(each.policy, jobs, each.parameters)
                self._report(response, each, "", verdict)
        return response

    async def Remediate(self, _request: Any, _context: Context) -> Any:
        """Change nothing: no policy decides what a job should be instead."""
        return analyzer_pb2.RemediateResponse()

    async def Cancel(self, _request: Any, _context: Context) -> Any:
        """Accept the end of a run, of which nothing lasts long enough to be ended."""
        return Empty()

    def _in_force(self) -> Iterator[Enforced]:
        return (each for each in self._enforced.values() if each.level != "disabled")

    def _report(self, response: Any, enforced: Enforced, urn: str, verdict: Verdict) -> None:
        policy = enforced.policy
        if verdict.not_applicable:
            response.not_applicable.append(
                analyzer_pb2.PolicyNotApplicable(
                    policy_name=policy.name, reason=verdict.not_applicable
                )
            )
        told = [(each, enforced.level) for each in verdict.violations]
        if verdict.unjudged:
            told.append((verdict.unjudged, "advisory"))
        for message, level in told:
            response.diagnostics.append(
                analyzer_pb2.AnalyzeDiagnostic(
                    policyName=policy.name,
                    policyPackName=PACK,
                    policyPackVersion=self._version,
                    description=policy.description,
                    message=message,
                    enforcementLevel=_LEVELS[level],
                    urn=urn,
                )
            )


def _information(policy: Policy) -> Any:
    information = analyzer_pb2.PolicyInfo(
        name=policy.name,
        displayName=policy.name,
        description=policy.description,
        enforcementLevel=_LEVELS[policy.level],
        policy_type=analyzer_pb2.POLICY_TYPE_STACK
        if policy.of_stack
        else analyzer_pb2.POLICY_TYPE_RESOURCE,
    )
    information.configSchema.properties.update(parameter_schemas(policy))
    return information


def _job(resource: Any) -> DeclaredJob:
    return DeclaredJob(resource.urn, from_struct(resource.properties))


def _jobs(resources: Sequence[Any]) -> list[DeclaredJob]:
    return [_job(each) for each in resources if each.type in JOB_TYPES]
