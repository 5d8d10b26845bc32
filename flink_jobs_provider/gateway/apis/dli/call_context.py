"""What all calls of the API have in common: project, job, body, roles, audit, envelope."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.dli.conventions import (
    FAULT,
    code_of,
    in_call_words,
    no_such_job,
)
from flink_jobs_provider.gateway.apis.dli.runtime_config import obs_uri
from flink_jobs_provider.gateway.apis.dli.schema import IN_WORDS, SHOWN
from flink_jobs_provider.gateway.apis.job_inputs import place_on_flink
from flink_jobs_provider.gateway.http.api_answers import Audit, AuditedCall, audited
from flink_jobs_provider.gateway.http.property_problems import Checker, Problem, RefusedProperties
from flink_jobs_provider.gateway.http.requests import caller, json_body
from flink_jobs_provider.gateway.http.routing import Operation
from flink_jobs_provider.gateway.job_service import JobRow, JobService
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

_LARGEST_ID = 2**63 - 1


class Calls:
    """Reads calls to the clusters that are queues of a project.

    Each call that changes something is audited, also one that is refused.
    """

    def __init__(
        self,
        service: JobService,
        clusters: Iterable[ClusterConfiguration],
        audit: Audit,
        body_bytes: int,
    ) -> None:
        self.service = service
        self._clusters = {cluster.key: cluster for cluster in clusters if cluster.dli}
        self._audit = audit
        self._body_bytes = body_bytes

    def project(self, request: Request, principal: Principal) -> dict[str, ClusterConfiguration]:
        """Return the clusters of a project that a caller may read, by key.

        A caller who may read none gets the same answer whether there is such a project or not: a
        job that is searched for in the wrong place must not seem to be deleted.
        """
        project = request.path_params["project_id"]
        request.scope["cluster_key"] = f"dli/{project[:64]}"
        found = {
            key: cluster
            for key, cluster in self._clusters.items()
            if cluster.dli and cluster.dli.project_id == project and principal.may(Role.READ, key)
        }
        if not found:
            raise Refusal(
                "AuthorizationFailed",
                f"The caller '{principal.name}' has no role in project '{project[:64]}', or this "
                "gateway serves no such project.",
            )
        return found

    def operable(self, request: Request, principal: Principal) -> dict[str, ClusterConfiguration]:
        """Return the clusters of a project that a caller may read, if they may operate on any.

        Which cluster is meant may depend on a body; `authorize` is asked for that one.
        """
        found = self.project(request, principal)
        may = (one for one in found.values() if principal.may(Role.OPERATE, one.key))
        authorize(principal, next(may, next(iter(found.values()))))
        return found

    def first_queue(self, request: Request) -> str:
        """Return the queue of a project that is meant where none is named."""
        project = request.path_params["project_id"]
        places = (cluster.dli for cluster in self._clusters.values())
        return next(place.queues[0] for place in places if place and place.project_id == project)

    async def readable(
        self, request: Request, principal: Principal, number: str
    ) -> tuple[JobRow, ClusterConfiguration]:
        """Return a job of the project that the caller may read, and its cluster."""
        clusters = self.project(request, principal)
        if not number.isascii() or not number.isdigit():
            text = "job_id must be a whole number."
            raise RefusedProperties([Problem("job_id", text)])
        if len(number) > 19 or not 0 < int(number) <= _LARGEST_ID:
            raise no_such_job(number)
        key = await self.service.cluster_of(int(number))
        row = await self.service.job(key, int(number)) if key in clusters else None
        if key is None or row is None:
            raise no_such_job(number)
        return row, clusters[key]

    async def job(
        self, request: Request, call: AuditedCall, number: str | None = None
    ) -> tuple[JobRow, ClusterConfiguration]:
        """Return a job that the caller may change."""
        wanted = number or request.path_params["job_id"]
        row, cluster = await self.readable(request, call.principal, wanted)
        call.cluster, call.job = cluster.key, row.job_name
        authorize(call.principal, cluster)
        return row, cluster

    async def body(self, request: Request, call: AuditedCall) -> dict[str, Any]:
        """Return the fields of a body, without those that are null.

        Parsing is work that only callers who may act can ask for.

        Raises:
            Refusal: The caller may not act; or the body is not as the route's operation has it.
        """
        self.operable(request, call.principal)
        content = await json_body(request, self._body_bytes)
        operation: Operation = request.scope["operation"]
        checker = Checker(operation.body or {}, "this request", IN_WORDS, SHOWN)
        if problems := checker.problems(content):
            raise RefusedProperties(problems)
        return {name: value for name, value in content.items() if value is not None}

    def audited(
        self, request: Request, what: str, *, only_refusals: bool = False
    ) -> AbstractAsyncContextManager[AuditedCall]:
        """Record what a call asks for, and whether it was refused."""
        call = AuditedCall(caller(request), what)
        accepted = None if only_refusals else 200
        return audited(self._audit, request, call, _answer_to, accepted)


def _answer_to(error: Exception) -> tuple[int, str]:
    """Return the status and the code of an error; a refusal gets the words of this API."""
    return code_of(in_call_words(error) if isinstance(error, Refusal) else FAULT)


def place_of(path: str, cluster: ClusterConfiguration) -> str:
    """Return where a cluster finds a savepoint, or a directory of them, that a caller names."""
    place = place_on_flink(obs_uri(path), cluster.storage, "savepoint_path")
    return place.rstrip("/")


def authorize(principal: Principal, cluster: ClusterConfiguration) -> None:
    """Refuse a caller who may not change anything on a cluster."""
    if not principal.may(Role.OPERATE, cluster.key):
        queues = ", ".join(cluster.dli.queues if cluster.dli else ())
        raise Refusal(
            "AuthorizationFailed",
            f"The caller '{principal.name}' does not have the role 'operate' on queue {queues}.",
        )


def done(message: str, **content: Any) -> Response:
    """Return an answer in the service's envelope; Go's clients read `is_success` as a text only."""
    return JSONResponse({"is_success": "true", "message": message, **content})
