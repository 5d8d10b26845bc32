"""The routes of the HDInsight on AKS API, and what each does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.apis.hdinsight import conventions, openapi
from flink_jobs_provider.gateway.apis.hdinsight.conventions import (
    FAULT,
    ArmResponse,
    api_version,
    check_options,
    fails_with_action,
)
from flink_jobs_provider.gateway.apis.hdinsight.presenter import (
    action_id,
    entity_tag,
    job_row,
    masked_row,
    operation_name,
    savepoint_rows,
    status_document,
    status_url,
)
from flink_jobs_provider.gateway.apis.hdinsight.schema import validated
from flink_jobs_provider.gateway.apis.hdinsight.translation import Translator, in_arm_words
from flink_jobs_provider.gateway.apis.job_inputs import masked_text
from flink_jobs_provider.gateway.http.api_answers import Audit, AuditedCall, audited, status_of
from flink_jobs_provider.gateway.http.requests import base_url, caller, is_text, json_body, query
from flink_jobs_provider.gateway.http.routing import AnyCaseRoute
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS
from flink_jobs_provider.gateway.job_service import (
    JobService,
    JobsOfCluster,
)
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

_CLUSTER_PATH = (
    "/subscriptions/{subscription}/resourceGroups/{resource_group}"
    "/providers/Microsoft.HDInsight/clusterpools/{pool}/clusters/{cluster}"
)
_STATUS_PATH = "/providers/Microsoft.HDInsight/locations/{location}/operationStatuses/{operation}"


class ArmFace:
    """Serves the API for the clusters of a gateway.

    Each runJob is audited, also one that is refused. Addresses in answers begin with the public
    URL, else with the request's own Host.
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
        self._audit = audit
        self._body_bytes = body_bytes
        self._public_url = public_url

    def routes(self) -> list[AnyCaseRoute]:
        """Return the routes of the API."""
        jobs = f"{_CLUSTER_PATH}/jobs"
        savepoints = f"{jobs}/{{job_name}}/savepoints"
        return [
            AnyCaseRoute(f"{_CLUSTER_PATH}/runJob", self._run_job, ["POST"], openapi.run_job),
            # One of the two printed descriptions lists by POST.
            AnyCaseRoute(jobs, self._jobs, ["GET", "POST"], openapi.jobs),
            AnyCaseRoute(savepoints, self._savepoints, ["GET"], openapi.savepoints),
            AnyCaseRoute(_STATUS_PATH, self._operation_status, ["GET"], openapi.operation_status),
        ]

    async def _run_job(self, request: Request) -> Response:
        """Begin an action on a job."""
        principal = caller(request)
        cluster = self._cluster(request, principal)
        values = query(request)
        version = api_version(values)
        check_options(values)
        fails = fails_with_action(values)
        call = AuditedCall(principal, "runJob", cluster.key)
        async with audited(self._audit, request, call, _answer_to, 202):
            # Before the body is read: parsing is work that only callers who may act can ask for.
            _authorize(principal, Role.OPERATE, cluster.key)
            properties = validated(await json_body(request, self._body_bytes), version)
            call.what, call.job = properties["action"], properties["jobName"]
            wanted = await Translator(cluster, self._service).request(properties, principal.name)
            try:
                action = await self._service.submit(wanted)
            except Refusal as refusal:
                refusal.mask(cluster.storage.in_callers_words)
                raise in_arm_words(refusal) from None
            call.action_id = action.id
        url = status_url(base_url(request, self._public_url), action, version, fails=fails)
        return ArmResponse(None, 202, {"Location": url, "Azure-AsyncOperation": url})

    async def _jobs(self, request: Request) -> Response:
        """List the jobs of a cluster."""
        principal = caller(request)
        cluster = self._cluster(request, principal)
        values = query(request)
        version = api_version(values)
        check_options(values, "$filter", "$top", "$skipToken")
        top = conventions.at_most(values)
        size = conventions.PAGE if top is None else min(top, conventions.PAGE)
        rows = await self._service.jobs(
            JobsOfCluster(
                cluster.key,
                after=conventions.begins_after(values),
                limit=size + 1,
                **conventions.filtered(values, version),
            ),
        )
        page = rows[:size]
        shown = [job_row(row, cluster, version) for row in page]
        if not principal.may(Role.OPERATE, cluster.key):
            shown = [masked_row(entry) for entry in shown]
        answer: dict[str, Any] = {"value": shown}
        left = None if top is None else top - len(page)
        if len(rows) > len(page) and left != 0:
            url = f"{base_url(request, self._public_url)}{cluster.id}/jobs"
            last = page[-1].number
            answer["nextLink"] = conventions.next_link(url, version, values, last, left)
        return ArmResponse(answer)

    async def _savepoints(self, request: Request) -> Response:
        """List the newest savepoints on record of a job, newest first; without an action.

        So a job is not changed by callers who may only read. LIST_SAVEPOINT also reads the
        job's directory, and replaces the job's last action.
        """
        cluster = self._cluster(request, caller(request))
        values = query(request)
        api_version(values)
        check_options(values)
        job_name = request.path_params["job_name"].lower()
        usable = is_text(job_name)
        found = (
            await self._service.jobs(JobsOfCluster(cluster.key, job_name=job_name))
            if usable
            else ()
        )
        row = next(iter(found), None)
        if row is None:
            message = f"There is no job {job_name[:63]!r} on this cluster."
            raise Refusal("ResourceNotFound", message)
        on_record = await self._service.savepoints(cluster.key, row.number, MOST_SAVEPOINTS)
        gone = await self._service.disposed_savepoints(cluster.key, row.number, MOST_SAVEPOINTS)
        listed = savepoint_rows([*on_record, *row.record.savepoints], gone)
        return ArmResponse({"value": listed[:MOST_SAVEPOINTS]})

    async def _operation_status(self, request: Request) -> Response:
        """Return how far an action is."""
        values = query(request)
        version = api_version(values)
        check_options(values)
        fails = fails_with_action(values)
        name = request.path_params["operation"]
        number = action_id(name)
        action = await self._service.operation(number) if number else None
        known = action is not None and operation_name(action) == name
        if action is None or not known or not caller(request).may(Role.READ, action.cluster):
            raise Refusal(
                "ResourceNotFound",
                "There is no such operation: it never was, or its record is older than the "
                "gateway keeps them. The list of jobs shows how the last action ended.",
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
        key = _CLUSTER_PATH.format_map(path).lower()
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


def _answer_to(error: Exception) -> tuple[int, str]:
    refusal = error if isinstance(error, Refusal) else FAULT
    return status_of(refusal), refusal.code


def _authorize(principal: Principal, role: Role, cluster: str) -> None:
    if not principal.may(role, cluster):
        raise Refusal(
            "AuthorizationFailed",
            f"The client '{principal.name}' does not have the role '{role}' over scope "
            f"'{cluster[:500]}', or the scope is invalid.",
        )
