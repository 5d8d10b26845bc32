"""`pulumirpc.ResourceProvider` of jobs: an adapter of an engine's calls to `ProviderService`.

It decides nothing: it translates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.empty_pb2 import Empty

from flink_jobs_provider.engine.protocols import provider_pb2
from flink_jobs_provider.engine.values import PropertyMap, to_struct
from flink_jobs_provider.model.errors import InvalidSpec, JarError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.validation import contains_unknown
from flink_jobs_provider.plugin.job_functions import (
    FUNCTIONS,
    NO_TARGET,
    Problems,
    answer,
    problems_of_call,
    with_target,
)
from flink_jobs_provider.plugin.package_servicer import Context, PackageServicer
from flink_jobs_provider.plugin.property_values import (
    inputs_message,
    is_unknown,
    outputs_message,
    plain_properties,
    properties_of,
    secret_names,
)
from flink_jobs_provider.plugin.provider_configuration import PACKAGE, owner_of_urn
from flink_jobs_provider.provider.input_checks import CheckRequest
from flink_jobs_provider.provider.job_import import (
    UNREAD,
    Imported,
    JobImport,
    adopting,
    completed,
    is_foreign,
    is_incomplete,
)
from flink_jobs_provider.provider.service import Difference

_NO_OWNER = (
    "is required: the plugin is not told the organization of the stack, which is part of the "
    "default. Give it as organization/project/stack; or set flink-jobs:organization in the stack's "
    "configuration, which is 'organization' where the state is in files or a bucket"
)
_NOT_TAKEN_OVER = (
    "it was imported, and no run has recorded its program since. Nothing was ended. Declare it and "
    "run up first; or take the resource out of the stack's state (pulumi state delete), which "
    "touches no job."
)


class FlinkJobsServicer(PackageServicer):
    """The provider of the jobs of one run of an engine."""

    def _begin_run(self) -> None:
        super()._begin_run()
        self._imports = JobImport(self.service.jobs)
        #: The inputs of what was read by its id alone, by URN: the engine's next calls are of that.
        self._imported: dict[str, Any] = {}

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
        if self._imported.get(request.urn) == inputs_message(plain_properties(news), news):
            # The inputs of an import itself: it has said what the program is to add.
            return provider_pb2.CheckResponse(inputs=request.news)
        checked = await self._call(request, context, lambda: self.service.check(checking))
        asked = {"owner": _NO_OWNER, "target": NO_TARGET}
        reasons = {name: why for name, why in asked.items() if name not in inputs}
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
        recorded, inputs = self._recorded(olds, request.old_inputs), plain_properties(news)

        def work() -> Difference:
            if is_incomplete(recorded):
                return self._imported_difference(request.urn, recorded, inputs)
            return self.service.diff(request.id, recorded, inputs, prints=False)

        return _diff_response(await self._call(request, context, work), recorded, inputs)

    def _recorded(self, olds: PropertyMap, old_inputs: Any) -> dict[str, Any]:
        """Return recorded outputs, those of an imported job as far as its inputs complete them."""
        recorded = plain_properties(olds)
        if not is_incomplete(recorded):
            return recorded
        return completed(recorded, plain_properties(properties_of(old_inputs)))

    def _imported_difference(
        self, urn: str, recorded: dict[str, Any], inputs: dict[str, Any]
    ) -> Difference:
        """Compare an imported job with its program, which no update has recorded yet.

        A refresh compares it with what the import has read, which is all that an engine has on
        record until then.
        """
        if "jar" not in inputs:
            return Difference(needed=False)
        if contains_unknown(inputs, is_unknown):
            return Difference(needed=True, changed=UNREAD)
        with self.service.calls.one():
            changed: tuple[str, ...] = ()
            if not is_foreign(recorded, inputs):
                changed = self._imports.changes(recorded, inputs)
        if changed or urn not in self._imported:
            return Difference(needed=True, changed=changed or ("jar",))
        return Difference(needed=False)  # the step of the import itself, which must find no change

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
        id_, outputs = await self._call(
            request, context, lambda: self._create(inputs, request.timeout), request.properties
        )
        return provider_pb2.CreateResponse(id=id_, properties=outputs_message(outputs, news))

    def _create(self, inputs: dict[str, Any], timeout: float) -> tuple[str, dict[str, Any]]:
        return self.service.create(inputs, timeout=timeout or None, announces=True)

    async def Update(self, request: Any, context: Context) -> Any:
        """Bring the job to what is wanted; in a preview, print the plan."""
        olds, news = properties_of(request.olds), properties_of(request.news)
        self._hide(olds, news)
        recorded, inputs = self._recorded(olds, request.old_inputs), plain_properties(news)
        provider = {name: value for name, value in olds.items() if name.startswith("__")}
        if is_incomplete(recorded):
            inputs = adopting(recorded, inputs)
        if request.preview:
            if is_incomplete(recorded):
                await self._call(request, context, lambda: self.service.foresee_creation(inputs))
                unknown = set(JobRecord.output_names()) - inputs.keys()
                properties = outputs_message(
                    plain_properties(news), news, provider, unknown=unknown
                )
                return provider_pb2.UpdateResponse(properties=properties)
            same = await self._call(
                request, context, lambda: self.service.foresee_update(request.id, recorded, inputs)
            )
            unknown = set(JobRecord.output_names()) - inputs.keys() - same.keys()
            properties = outputs_message({**inputs, **same}, news, provider, unknown=unknown)
            return provider_pb2.UpdateResponse(properties=properties)
        timeout = request.timeout or None

        def work() -> dict[str, Any]:
            if is_incomplete(recorded):
                _, taken = self._create(inputs, request.timeout)
                return taken | {"adopt": plain_properties(news).get("adopt")}
            self.service.announce_update(request.id, recorded, inputs)
            return self.service.update(request.id, recorded, inputs, timeout=timeout)

        outputs = await self._call(request, context, work, request.old_inputs)
        return provider_pb2.UpdateResponse(properties=outputs_message(outputs, news, provider))

    async def Read(self, request: Any, context: Context) -> Any:
        """Return the job as its cluster shows it."""
        olds, inputs = properties_of(request.properties), properties_of(request.inputs)
        self._hide(olds, inputs)
        recorded = self._recorded(olds, request.inputs)
        if not recorded or is_incomplete(recorded):
            return await self._read_running(request, context, recorded)
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

    async def _read_running(self, request: Any, context: Context, recorded: dict[str, Any]) -> Any:
        """Read a job by its id alone, or one that was so read and not taken over since."""
        configured = self._configuration
        target = configured.target
        owner = owner_of_urn(request.urn, configured.organization)
        name = request.urn.rpartition("::")[2]

        def work() -> Imported:
            with self.service.calls.one():
                if recorded:
                    seen = self._imports.refresh(recorded)
                    return Imported(request.id, seen, plain_properties(given))
                found = self._imports.read(request.id, owner, target, name)
            self._log.emit(found.line)
            return found

        given = properties_of(request.inputs)
        found = await self._call(request, context, work)
        inputs = inputs_message(found.inputs, given)
        if not recorded:
            self._imported[request.urn] = inputs
        properties = outputs_message(found.outputs, given)
        return provider_pb2.ReadResponse(id=found.id, properties=properties, inputs=inputs)

    async def Delete(self, request: Any, context: Context) -> Empty:
        """End the job."""
        olds = properties_of(request.properties)
        self._hide(olds)
        recorded, timeout = self._recorded(olds, request.old_inputs), request.timeout or None
        if is_incomplete(recorded):
            await self._refuse(context, f"{request.id}: {_NOT_TAKEN_OVER}")
        await self._call(
            request, context, lambda: self.service.delete(request.id, recorded, timeout=timeout)
        )
        return Empty()

    async def Invoke(self, request: Any, context: Context) -> Any:
        """Answer a function: what it asks of a cluster is only read."""
        name = request.tok.removeprefix(f"{PACKAGE}:index:")
        if name not in FUNCTIONS:
            await self._unimplemented(context, f"has no function {request.tok}")
        given = properties_of(request.args)
        self._hide(given)
        if contains_unknown(plain_properties(given), is_unknown):
            return provider_pb2.InvokeResponse()  # an engine asks again once all is known
        inputs = with_target(plain_properties(given), self._configuration.target)

        def work() -> dict[str, Any] | Problems:
            if problems := problems_of_call(name, inputs):
                return problems
            with self.service.calls.one():
                try:
                    return self.service.jobs.on_clusters(
                        lambda clusters: answer(name, inputs, clusters, self._owners)
                    )
                except InvalidSpec as error:
                    return error.problems
                except JarError as error:
                    return [("jar", str(error))]

        found = await self._call(request, context, work)
        if isinstance(found, dict):
            shown = self.service.output.without_secrets(found)
            response = provider_pb2.InvokeResponse()
            getattr(response, "return").CopyFrom(to_struct(shown))
            return response
        redact = self.service.output.redact
        failures = [
            provider_pb2.CheckFailure(property=path, reason=redact(why)) for path, why in found
        ]
        return provider_pb2.InvokeResponse(failures=failures)


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
