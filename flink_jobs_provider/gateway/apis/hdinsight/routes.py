"""The routes of the HDInsight on AKS API, and what each does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.apis.hdinsight import list_query, openapi
from flink_jobs_provider.gateway.apis.hdinsight.conventions import FAULT, ArmResponse
from flink_jobs_provider.gateway.apis.hdinsight.mapping import Translator, in_arm_words
from flink_jobs_provider.gateway.apis.hdinsight.operation_status import (
    FAIL_OPERATION,
    action_id,
    entity_tag,
    fails_with_action,
    operation_name,
    status_document,
    status_url,
)
from flink_jobs_provider.gateway.apis.hdinsight.presenter import job_row, masked_row, savepoint_rows
from flink_jobs_provider.gateway.apis.hdinsight.schema import validated
from flink_jobs_provider.gateway.apis.hdinsight.versions import api_version
from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.http.masking import masked_text
from flink_jobs_provider.gateway.http.middleware import Audit
from flink_jobs_provider.gateway.http.printed_json import parse
from flink_jobs_provider.gateway.http.requests import base_url, caller, json_text, query
from flink_jobs_provider.gateway.http.routing import AnyCaseRoute
from flink_jobs_provider.gateway.http.status_codes import status_of
from flink_jobs_provider.gateway.job_service import ActionRow, JobService
from flink_jobs_provider.gateway.mounts import Mounts
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.wire.hdinsight import ApiVersion

CLUSTER_PATH = (
    "/subscriptions/{subscription}/resourceGroups/{resource_group}"
    "/providers/Microsoft.HDInsight/clusterpools/{pool}/clusters/{cluster}"
)
RUN_JOB_PATH = f"{CLUSTER_PATH}/runJob"
JOBS_PATH = f"{CLUSTER_PATH}/jobs"
SAVEPOINTS_PATH = f"{JOBS_PATH}/{{job_name}}/savepoints"
STATUS_PATH = "/providers/Microsoft.HDInsight/locations/{location}/operationStatuses/{operation}"


class ArmFace:
    """Serves the API for the clusters of a gateway.

    Args:
        service: What executes the actions.
        clusters: The clusters that are served.
        audit: Where each runJob is recorded, also one that is refused.
        body_bytes: Largest body.
        public_url: What addresses in answers begin with; else the request's own Host.
    """

    def __init__(
        self,
        service: JobService,
        clusters: Iterable[ClusterConfiguration],
        audit: Audit,
        body_bytes: int,
        public_url: str | None,
    ) -> None:
        self._service = service
        self._clusters = {cluster.key: cluster for cluster in clusters if cluster.id}
        self._mounts = {key: Mounts(cluster.mounts) for key, cluster in self._clusters.items()}
        self._translators = {
            key: Translator(cluster, service) for key, cluster in self._clusters.items()
        }
        self._audit = audit
        self._body_bytes = body_bytes
        self._public_url = public_url

    def routes(self) -> list[AnyCaseRoute]:
        """Return the routes of the API."""
        return [
            AnyCaseRoute(RUN_JOB_PATH, self._run_job, ["POST"], openapi.run_job),
            # One of the two printed descriptions lists by POST.
            AnyCaseRoute(JOBS_PATH, self._jobs, ["GET", "POST"], openapi.jobs),
            AnyCaseRoute(SAVEPOINTS_PATH, self._savepoints, ["GET"], openapi.savepoints),
            AnyCaseRoute(STATUS_PATH, self._operation_status, ["GET"], openapi.operation_status),
        ]

    async def _run_job(self, request: Request) -> Response:
        """Begin an action on a job."""
        principal = caller(request)
        cluster = self._cluster(request, principal)
        values = query(request)
        version = api_version(values.get("api-version", []))
        fails = fails_with_action(values.get(FAIL_OPERATION.lower(), []))
        about = {"what": "runJob", "job": ""}
        try:
            action = await self._accepted(request, cluster, principal, version, about)
        except Exception as error:
            request.scope["audited"] = True
            told = error if isinstance(error, Refusal) else FAULT
            self._write(principal, cluster, about, told.code, status_of(told))
            raise
        self._write(principal, cluster, about, "ACCEPTED", 202, action)
        url = status_url(base_url(request, self._public_url), action, version, fails=fails)
        return ArmResponse(None, 202, {"Location": url, "Azure-AsyncOperation": url})

    async def _accepted(
        self,
        request: Request,
        cluster: ClusterConfiguration,
        principal: Principal,
        version: ApiVersion,
        about: dict[str, str],
    ) -> ActionRow:
        # Before the body is read: parsing is work that only callers who may act can ask for.
        _authorize(principal, Role.OPERATE, cluster.key)
        properties = validated(parse(await json_text(request, self._body_bytes)), version)
        about.update(what=properties["action"], job=properties["jobName"])
        translator = self._translators[cluster.key]
        wanted = await translator.request(properties, principal.name)
        try:
            return await self._service.submit(wanted)
        except Refusal as refusal:
            refusal.mask(self._mounts[cluster.key].in_callers_words)
            raise in_arm_words(refusal) from None

    async def _jobs(self, request: Request) -> Response:
        """List the jobs of a cluster."""
        principal = caller(request)
        cluster = self._cluster(request, principal)
        values = query(request)
        version = api_version(values.get("api-version", []))
        filters = values.get("$filter", [])
        top = list_query.at_most(values.get("$top", []))
        size = list_query.PAGE if top is None else min(top, list_query.PAGE)
        rows = await self._service.jobs(
            cluster.key,
            after=list_query.begins_after(values.get("$skiptoken", [])),
            limit=size + 1,
            **list_query.filtered(filters, version),
        )
        page = rows[:size]
        mounts, place = self._mounts[cluster.key], str(cluster.id)
        shown = [job_row(row, place, mounts, version) for row in page]
        if not principal.may(Role.OPERATE, cluster.key):
            shown = [masked_row(entry) for entry in shown]
        answer: dict[str, Any] = {"value": shown}
        left = None if top is None else top - len(page)
        if len(rows) > len(page) and left != 0:
            url = f"{base_url(request, self._public_url)}{place}/jobs"
            answer["nextLink"] = list_query.next_link(url, version, filters, page[-1].number, left)
        return ArmResponse(answer)

    async def _savepoints(self, request: Request) -> Response:
        """List the savepoints on record of a job, the newest first; without an action.

        So a job is not changed by callers who may only read. LIST_SAVEPOINT also looks into the
        job's directory, and replaces the job's last action.
        """
        cluster = self._cluster(request, caller(request))
        api_version(query(request).get("api-version", []))
        job_name = request.path_params["job_name"].lower()
        row = next(iter(await self._service.jobs(cluster.key, job_name=job_name)), None)
        if row is None:
            message = f"There is no job {job_name[:63]!r} on this cluster."
            raise Refusal("ResourceNotFound", message)
        on_record = await self._service.savepoints(cluster.key, row.number)
        return ArmResponse({"value": savepoint_rows([*on_record, *row.record.savepoints])})

    async def _operation_status(self, request: Request) -> Response:
        """Return how far an action is."""
        values = query(request)
        version = api_version(values.get("api-version", []))
        fails = fails_with_action(values.get(FAIL_OPERATION.lower(), []))
        name = request.path_params["operation"]
        number = action_id(name)
        action = await self._service.operation(number) if number else None
        known = action is not None and operation_name(action) == name
        if action is None or not known or not caller(request).may(Role.READ, action.cluster):
            raise Refusal(
                "ResourceNotFound",
                "There is no such operation: it never was, or its record is older than the "
                "gateway keeps them. The list of jobs says how the last action ended.",
            )
        if not caller(request).may(Role.OPERATE, action.cluster):
            action = replace(action, output=masked_text(action.output))
        cluster = self._clusters.get(action.cluster)
        resource = str(cluster.id) if cluster else action.cluster
        document = status_document(action, resource, version, fails=fails)
        return ArmResponse(document, headers={"ETag": entity_tag(document)})

    def _cluster(self, request: Request, principal: Principal) -> ClusterConfiguration:
        """Return the cluster that a path names.

        A caller who may not read it gets the same answer whether there is such a cluster or not.
        """
        path = request.path_params
        key = CLUSTER_PATH.format_map(path).lower()
        request.scope["cluster_key"] = key
        _authorize(principal, Role.READ, key)
        if key not in self._clusters:
            raise Refusal(
                "ResourceNotFound",
                f"The Resource 'Microsoft.HDInsight/clusterpools/{path['pool']}/clusters/"
                f"{path['cluster']}' under resource group '{path['resource_group']}' was not "
                "found. The gateway's configuration names the clusters that it serves.",
            )
        return self._clusters[key]

    def _write(
        self,
        principal: Principal,
        cluster: ClusterConfiguration,
        about: Mapping[str, str],
        result: str,
        status: int,
        action: ActionRow | None = None,
    ) -> None:
        self._audit.write(
            who=principal.name,
            what=about["what"],
            cluster=cluster.key,
            job=about["job"] or None,
            action_id=action.id if action else None,
            result=result,
            status=status,
        )


def _authorize(principal: Principal, role: Role, cluster: str) -> None:
    if not principal.may(role, cluster):
        raise Refusal(
            "AuthorizationFailed",
            f"The client '{principal.name}' does not have the role '{role}' over scope "
            f"'{cluster[:500]}', or the scope is invalid.",
        )
