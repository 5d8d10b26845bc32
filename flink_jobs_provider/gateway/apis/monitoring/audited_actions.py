"""The requests of this API that change something, or tell what a change would do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.action_plans import ActionPlans
from flink_jobs_provider.gateway.apis.hdinsight.conventions import NEWEST
from flink_jobs_provider.gateway.apis.hdinsight.schema import validated
from flink_jobs_provider.gateway.apis.hdinsight.translation import (
    Translator,
    in_arm,
    in_arm_words,
)
from flink_jobs_provider.gateway.apis.monitoring.list_query import check_no_query
from flink_jobs_provider.gateway.apis.monitoring.presenter import action_document, mask_for
from flink_jobs_provider.gateway.http.api_answers import Audit, AuditedCall, audited, status_of
from flink_jobs_provider.gateway.http.requests import caller, json_body, query
from flink_jobs_provider.gateway.job_service import ActionRequest, JobRow, JobService
from flink_jobs_provider.gateway.jobs.transitions import (
    adopting,
    back_to_version,
    releasing,
)
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.wire.hdinsight import JOB_TYPE

#: What a body may hold, and what it must.
_VERSION, _SAVEPOINT, _SEEN = "version", "savepoint", "seen"
_NAMES = frozenset({_VERSION, _SAVEPOINT, _SEEN})
#: The input of a job that the savepoint is.
_RESTORE_FROM = "restore_from"
_CLUSTER, _ADOPT, _PROPERTIES = "cluster", "adopt", "properties"
_NO_WAY_BACK = "allow_no_way_back"
_OF_ADOPTION = {_CLUSTER: str, _ADOPT: str, _PROPERTIES: dict, _NO_WAY_BACK: bool}


@dataclass(frozen=True)
class AskedOfJob:
    """What a caller who may act on a job asks of it.

    Attributes:
        call: The request, as it is audited.
        row: The job on record.
        body: The JSON value that was sent.
    """

    call: AuditedCall
    row: JobRow
    body: Any


class AuditedActions:
    """Begins actions on jobs. Each request is audited, also one that is refused.

    Args:
        jobs: The jobs on record.
        plans: Tells what actions would do.
        clusters: Their clusters, by key.
        found: Returns the job of a request that its caller may read.
        audit: Where requests are recorded.
        body_bytes: How long a body may be.
    """

    def __init__(
        self,
        jobs: JobService,
        plans: ActionPlans,
        clusters: Mapping[str, ClusterConfiguration],
        found: Callable[[Request], Awaitable[JobRow]],
        audit: Audit,
        body_bytes: int,
    ) -> None:
        self._jobs = jobs
        self._plans = plans
        self._clusters = clusters
        self._found = found
        self._audit = audit
        self._body_bytes = body_bytes

    async def rollback(self, request: Request) -> Response:
        """Begin to run an earlier version of a job again; returns the action."""
        async with self._of_job(request, "rollback", 202) as asked:
            given = _checked(asked.body)
            wanted = await self._back(asked.row, given, asked.call.principal)
            with _of_way_back():
                return await self._begun(asked.call, wanted)

    async def release(self, request: Request) -> Response:
        """Begin to take a running job off the record, which goes on; returns the action."""
        async with self._of_job(request, "release", 202) as asked:
            given = _checked_release(asked.body)
            wanted = releasing(asked.row, asked.call.principal.name, seen=given.get(_SEEN, ""))
            return await self._begun(asked.call, wanted)

    async def plan(self, request: Request) -> Response:
        """Return what an action on a job would do; nothing of it is done.

        The program's `main` may run on the cluster for it: so it takes the role that acts.
        """
        async with self._of_job(request, "plan", 200) as asked:
            wanted = await self._asked(asked.row, asked.body, asked.call.principal)
            with _of_way_back() if wanted.version else nullcontext():
                plan = await self._plans.of(asked.row, wanted)
        return JSONResponse(asdict(plan))

    @asynccontextmanager
    async def _of_job(self, request: Request, name: str, status: int) -> AsyncIterator[AskedOfJob]:
        """Audit what is asked of a job, and yield it where the caller may act on that job."""
        call = AuditedCall(caller(request), name)
        async with audited(self._audit, request, call, _answer_to, status):
            row = await self._found(request)
            call.cluster, call.job = row.cluster, row.job_name
            _authorize(call.principal, row.cluster)
            yield AskedOfJob(call, row, await json_body(request, self._body_bytes))

    async def _asked(self, row: JobRow, body: Any, principal: Principal) -> ActionRequest:
        """Return the request that a body is of: for a version, or by properties of a runJob."""
        if not (isinstance(body, dict) and _PROPERTIES in body):
            return await self._back(row, _checked(body), principal)
        others = [name for name in body if name != _PROPERTIES]
        if others or not isinstance(body[_PROPERTIES], dict):
            raise Refusal(
                "InvalidParameter",
                "The body must be an object with properties alone, those of a runJob; or with "
                "version, and savepoint.",
                target=others[0] if others else _PROPERTIES,
            )
        of_job = {"jobType": JOB_TYPE, "jobName": row.job_name, "runId": row.run_id}
        properties = validated({_PROPERTIES: body[_PROPERTIES] | of_job}, NEWEST)
        cluster = self._clusters[row.cluster]
        return await Translator(cluster, self._jobs).request(properties, principal.name)

    async def _back(
        self, row: JobRow, given: Mapping[str, str], principal: Principal
    ) -> ActionRequest:
        return back_to_version(
            row,
            given[_VERSION],
            principal.name,
            savepoint=await self._savepoint(row, given),
            seen=given.get(_SEEN, ""),
        )

    async def adopt(self, request: Request) -> Response:
        """Begin to take a running job over as it is; returns the action."""
        principal = caller(request)
        call = AuditedCall(principal, "adopt")
        async with audited(self._audit, request, call, _answer_to, 202):
            if not any(principal.may(Role.OPERATE, key) for key in self._clusters):
                _authorize(principal, "")
            check_no_query(query(request))
            given = _checked_adoption(await json_body(request, self._body_bytes))
            cluster = self._clusters.get(given[_CLUSTER].lower())
            if cluster is None or not principal.may(Role.READ, cluster.key):
                raise Refusal("NotFound", "There is no such cluster.", target=_CLUSTER)
            call.cluster = cluster.key
            _authorize(principal, cluster.key)
            asked = {**given[_PROPERTIES], "action": str(Action.NEW), "jobType": JOB_TYPE}
            properties = validated({_PROPERTIES: asked}, NEWEST)
            call.job = properties["jobName"]
            wanted = await Translator(cluster, self._jobs).request(properties, principal.name)
            allowed = given.get(_NO_WAY_BACK, False)
            wanted = adopting(wanted, given[_ADOPT], allow_no_way_back=allowed)
            try:
                return await self._begun(call, wanted)
            except Refusal as refusal:
                raise in_arm_words(refusal) from None

    async def _begun(self, call: AuditedCall, wanted: ActionRequest) -> Response:
        """Submit an action, and answer with it."""
        try:
            action = await self._jobs.submit(wanted)
        except Refusal as refusal:
            refusal.mask(self._clusters[wanted.cluster].storage.in_callers_words)
            raise
        call.action_id = action.id
        return JSONResponse(action_document(action, mask_for(operates=True)), 202)

    async def _savepoint(self, row: JobRow, given: Mapping[str, str]) -> str | None:
        """Return the savepoint that is to be started from; None for the newest state."""
        path = given.get(_SAVEPOINT)
        if path is None:
            return None
        recorded = [*await self._jobs.savepoints(row.cluster, row.number), *row.record.savepoints]
        # Of these it is said that they are gone.
        disposed = await self._jobs.disposed_savepoints(row.cluster, row.number)
        recorded += [each.savepoint for each in disposed]
        if not any(same_path(each.path, path) for each in recorded):
            raise Refusal(
                "InvalidParameter",
                "savepoint must be the path of one of the job's savepoints on record.",
                target=_SAVEPOINT,
            )
        return path


@contextmanager
def _of_way_back() -> Iterator[None]:
    """Have refusals of a way back name the savepoint as its body does."""
    try:
        yield
    except Refusal as refusal:
        if refusal.target in (_RESTORE_FROM, in_arm(_RESTORE_FROM)):
            refusal.target = _SAVEPOINT
        raise


def _authorize(principal: Principal, cluster: str) -> None:
    """Check that a caller may act.

    Raises:
        Refusal: They may not.
    """
    if not principal.may(Role.OPERATE, cluster):
        raise Refusal(
            "AuthorizationFailed",
            f"The client '{principal.name}' does not have the role 'operate' on the cluster of "
            "this job.",
        )


def _checked_adoption(body: Any) -> dict[str, Any]:
    """Return the properties of a body.

    Raises:
        Refusal: It holds others, or lacks one.
    """
    if not isinstance(body, dict):
        names = ", ".join((_CLUSTER, _ADOPT, _PROPERTIES))
        raise Refusal("InvalidParameter", f"The body must be an object with {names}.")
    for name, value in body.items():
        kind = _OF_ADOPTION.get(name)
        if kind is None:
            raise Refusal("InvalidParameter", f"There is no property {name[:40]!r}.", target=name)
        if not isinstance(value, kind) or value == "":
            words = {str: "a text that is not empty", dict: "an object", bool: "true or false"}
            raise Refusal("InvalidParameter", f"{name} must be {words[kind]}.", target=name)
    for name in (_CLUSTER, _ADOPT, _PROPERTIES):
        if name not in body:
            raise Refusal("InvalidParameter", f"{name} must be given.", target=name)
    if body[_PROPERTIES].get("action", Action.NEW) != Action.NEW:
        raise Refusal(
            "InvalidParameter",
            f"{_PROPERTIES}.action must be NEW, or not be given: a job is adopted as a new one.",
            target=f"{_PROPERTIES}.action",
        )
    return body


def _checked(body: Any) -> dict[str, str]:
    """Return the properties of a body; all texts.

    Raises:
        Refusal: It holds others, or lacks the version.
    """
    if not isinstance(body, dict):
        raise Refusal("InvalidParameter", "The body must be an object with the property version.")
    given = _texts(body, _NAMES)
    if _VERSION not in given:
        raise Refusal(
            "InvalidParameter",
            "version must be given: the action_id of one of the job's versions.",
            target=_VERSION,
        )
    return given


def _checked_release(body: Any) -> dict[str, str]:
    """Return the properties of a body, which may hold none.

    Raises:
        Refusal: It holds others.
    """
    if not isinstance(body, dict):
        raise Refusal("InvalidParameter", "The body must be an object; it may be empty.")
    return _texts(body, frozenset({_SEEN}))


def _texts(body: Mapping[str, Any], names: frozenset[str]) -> dict[str, str]:
    """Return the properties of a body, which are all texts.

    Raises:
        Refusal: One is not, or is unknown.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in names:
            raise Refusal("InvalidParameter", f"There is no property {name[:40]!r}.", target=name)
        if not isinstance(value, str) or not value:
            raise Refusal("InvalidParameter", f"{name} must be a text.", target=name)
    return given


def _answer_to(error: Exception) -> tuple[int, str]:
    if isinstance(error, Refusal):
        return status_of(error), error.code
    return 500, "InternalServerError"
