"""The one request of this API that changes a job: the way back to an earlier version of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.monitoring.presenter import action_document, mask_for
from flink_jobs_provider.gateway.http.api_answers import Audit, AuditedCall, audited, status_of
from flink_jobs_provider.gateway.http.requests import caller, json_body
from flink_jobs_provider.gateway.job_service import JobRow, JobService
from flink_jobs_provider.gateway.jobs.transitions import back_to_version
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.savepoint import same_path

#: What a body may hold, and what it must.
_VERSION, _SAVEPOINT, _SEEN = "version", "savepoint", "seen"
_NAMES = frozenset({_VERSION, _SAVEPOINT, _SEEN})


class RollbackRoute:
    """Starts earlier versions of jobs again. Each request is audited, also one that is refused.

    Args:
        jobs: The jobs on record.
        clusters: Their clusters, by key.
        found: Returns the job of a request that its caller may read.
        audit: Where requests are recorded.
        body_bytes: How long a body may be.
    """

    def __init__(
        self,
        jobs: JobService,
        clusters: Mapping[str, ClusterConfiguration],
        found: Callable[[Request], Awaitable[JobRow]],
        audit: Audit,
        body_bytes: int,
    ) -> None:
        self._jobs = jobs
        self._clusters = clusters
        self._found = found
        self._audit = audit
        self._body_bytes = body_bytes

    async def rollback(self, request: Request) -> Response:
        """Begin to run an earlier version of a job again; returns the action."""
        principal = caller(request)
        call = AuditedCall(principal, "rollback")
        async with audited(self._audit, request, call, _answer_to, 202):
            row = await self._found(request)
            call.cluster, call.job = row.cluster, row.job_name
            if not principal.may(Role.OPERATE, row.cluster):
                raise Refusal(
                    "AuthorizationFailed",
                    f"The client '{principal.name}' does not have the role 'operate' on the "
                    "cluster of this job.",
                )
            given = _checked(await json_body(request, self._body_bytes))
            wanted = back_to_version(
                row,
                given[_VERSION],
                principal.name,
                savepoint=await self._savepoint(row, given),
                seen=given.get(_SEEN, ""),
            )
            try:
                action = await self._jobs.submit(wanted)
            except Refusal as refusal:
                refusal.mask(self._clusters[row.cluster].storage.in_callers_words)
                raise
            call.action_id = action.id
        return JSONResponse(action_document(action, mask_for(operates=True)), 202)

    async def _savepoint(self, row: JobRow, given: Mapping[str, str]) -> str | None:
        """Return the savepoint that is to be started from; None for the newest state."""
        path = given.get(_SAVEPOINT)
        if path is None:
            return None
        recorded = [*await self._jobs.savepoints(row.cluster, row.number), *row.record.savepoints]
        if not any(same_path(each.path, path) for each in recorded):
            raise Refusal(
                "InvalidParameter",
                "savepoint must be the path of one of the job's savepoints on record.",
                target=_SAVEPOINT,
            )
        return path


def _checked(body: Any) -> dict[str, str]:
    """Return the properties of a body; all texts.

    Raises:
        Refusal: It holds others, or lacks the version.
    """
    if not isinstance(body, dict):
        raise Refusal("InvalidParameter", "The body must be an object with the property version.")
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in _NAMES:
            raise Refusal("InvalidParameter", f"There is no property {name[:40]!r}.", target=name)
        if not isinstance(value, str) or not value:
            raise Refusal("InvalidParameter", f"{name} must be a text.", target=name)
    if _VERSION not in given:
        raise Refusal(
            "InvalidParameter",
            "version must be given: the action_id of one of the job's versions.",
            target=_VERSION,
        )
    return given


def _answer_to(error: Exception) -> tuple[int, str]:
    if isinstance(error, Refusal):
        return status_of(error), error.code
    return 500, "InternalServerError"
