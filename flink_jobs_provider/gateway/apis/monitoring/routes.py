"""The paths and routes of the monitoring API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.action_plans import ActionPlans
from flink_jobs_provider.gateway.apis.monitoring import openapi
from flink_jobs_provider.gateway.apis.monitoring.audited_actions import AuditedActions
from flink_jobs_provider.gateway.apis.monitoring.inspection_routes import JOB_AGE, InspectionRoutes
from flink_jobs_provider.gateway.apis.monitoring.job_events import job_events
from flink_jobs_provider.gateway.apis.monitoring.job_query import trend_query
from flink_jobs_provider.gateway.apis.monitoring.list_query import ACTIVE, check_no_query
from flink_jobs_provider.gateway.apis.monitoring.list_route import LIST_AGE, ListRoute
from flink_jobs_provider.gateway.apis.monitoring.presenter import (
    cluster_document,
    job_document,
    mask_for,
    point_document,
)
from flink_jobs_provider.gateway.apis.monitoring.record_attention import with_record
from flink_jobs_provider.gateway.apis.monitoring.record_routes import RecordRoutes
from flink_jobs_provider.gateway.apis.monitoring.series_query import series_query
from flink_jobs_provider.gateway.http.api_answers import Audit
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.http.routing import DescribedRoute
from flink_jobs_provider.gateway.job_board import PlannedJobs
from flink_jobs_provider.gateway.job_history import MINUTE
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.savepoint import iso_time
from flink_jobs_provider.observing.attention import Attention, Observation, needs_attention
from flink_jobs_provider.observing.documents import (
    health_document,
    trend_document,
)
from flink_jobs_provider.observing.health import JobHealth

MONITORING_PATHS = ("/api/",)
PREFIX = "/api/v1"
CLUSTERS_PATH = f"{PREFIX}/clusters"
JOBS_PATH = f"{PREFIX}/jobs"
JOB_PATH = f"{JOBS_PATH}/{{number}}"
EXCEPTIONS_PATH = f"{JOB_PATH}/exceptions"
SERIES_PATH = f"{JOB_PATH}/series"
ACTIONS_PATH = f"{JOB_PATH}/actions"
ROLLBACK_PATH = f"{JOB_PATH}/rollback"
RELEASE_PATH = f"{JOB_PATH}/release"
PLAN_PATH = f"{JOB_PATH}/plan"
VERSIONS_PATH = f"{JOB_PATH}/versions"
SAVEPOINTS_PATH = f"{JOB_PATH}/savepoints"
EVENTS_PATH = f"{JOB_PATH}/events"
CHECKPOINTS_PATH = f"{JOB_PATH}/checkpoints"
METRICS_PATH = f"{JOB_PATH}/metrics"
_LARGEST_NUMBER = 2**63 - 1


class MonitoringFace:
    """Serves the API for the clusters that a caller may read.

    Args:
        service: The jobs on record.
        clusters: The clusters that are served.
        monitors: What observes them.
        authenticate: Returns who asks, again and again while a stream goes on.
        stopping: Set when the gateway stops.
        audit: Where it is recorded who changed what.
        body_bytes: How long a body may be.
        page_of: Returns the address of a job's page of the portal, for who sent a request; None
            where there is no portal.
    """

    def __init__(
        self,
        service: PlannedJobs,
        clusters: Sequence[ClusterConfiguration],
        monitors: Monitors,
        authenticate: Callable[[str | None], Awaitable[Principal]],
        stopping: asyncio.Event,
        audit: Audit,
        body_bytes: int,
        page_of: Callable[[Request, int], str] | None = None,
    ) -> None:
        self._page_of = page_of
        self._service = service
        self._authenticate = authenticate
        self._stopping = stopping
        self._clusters = {cluster.key: cluster for cluster in clusters}
        self._monitors = monitors
        self._list = ListRoute(service, monitors, self._readable, self._page)
        self._inspection = InspectionRoutes(monitors, self._found)
        self._records = RecordRoutes(service, service, self._clusters, self._found)
        plans = ActionPlans(service, clusters)
        self._actions = AuditedActions(
            service, plans, self._clusters, self._found, audit, body_bytes
        )

    def routes(self) -> list[DescribedRoute]:
        """Return the routes of the API."""
        inspected = self._inspection
        return [
            DescribedRoute(CLUSTERS_PATH, self._list_clusters, ["GET"], openapi.CLUSTERS),
            DescribedRoute(JOBS_PATH, self._list.jobs, ["GET"], openapi.JOBS),
            DescribedRoute(JOBS_PATH, self._actions.adopt, ["POST"], openapi.ADOPT),
            DescribedRoute(JOB_PATH, self._job, ["GET"], openapi.JOB),
            DescribedRoute(EXCEPTIONS_PATH, inspected.exceptions, ["GET"], openapi.EXCEPTIONS),
            DescribedRoute(SERIES_PATH, self._series, ["GET"], openapi.SERIES),
            DescribedRoute(ACTIONS_PATH, self._records.actions, ["GET"], openapi.ACTIONS),
            DescribedRoute(VERSIONS_PATH, self._records.versions, ["GET"], openapi.VERSIONS),
            DescribedRoute(ROLLBACK_PATH, self._actions.rollback, ["POST"], openapi.ROLLBACK),
            DescribedRoute(RELEASE_PATH, self._actions.release, ["POST"], openapi.RELEASE),
            DescribedRoute(PLAN_PATH, self._actions.plan, ["POST"], openapi.PLAN),
            DescribedRoute(SAVEPOINTS_PATH, self._records.savepoints, ["GET"], openapi.SAVEPOINTS),
            DescribedRoute(EVENTS_PATH, self._events, ["GET"], openapi.EVENTS),
            DescribedRoute(CHECKPOINTS_PATH, inspected.checkpoints, ["GET"], openapi.CHECKPOINTS),
            DescribedRoute(METRICS_PATH, inspected.metrics, ["GET"], openapi.METRICS),
        ]

    async def _list_clusters(self, request: Request) -> Response:
        """List the clusters that the caller may read, with their slots, TaskManagers and memory."""
        check_no_query(query(request))
        keys = self._readable(caller(request))
        seen = await asyncio.gather(
            *(self._monitors.observe(key, lambda each: each.cluster(LIST_AGE)) for key in keys)
        )
        found = [
            cluster_document(self._clusters[key], each)
            for key, each in zip(keys, seen, strict=True)
        ]
        return JSONResponse({"value": found})

    async def _job(self, request: Request) -> Response:
        """Show a job with its health, and what needs attention."""
        row = await self._found(request)
        over = trend_query(query(request))
        page = self._page(request, row.number)
        return JSONResponse(await self._shown(row, caller(request), page, over))

    async def _events(self, request: Request) -> Response:
        """Stream a job with its health as server-sent events: one with each change of it."""
        number = (await self._found(request)).number
        page = self._page(request, number)
        authorization = request.headers.get("authorization")

        async def look() -> dict[str, Any]:
            principal = await self._authenticate(authorization)
            return await self._shown(await self._row(number, principal), principal, page)

        return job_events(look, self._stopping)

    async def _shown(
        self, row: JobRow, principal: Principal, page: str | None, over: int | None = None
    ) -> dict[str, Any]:
        mask = _mask(principal, row)
        health: dict[str, Any] | None = None
        changed: dict[str, Any] | None = None
        listed: ObservedJob | None = None
        problem: str | None = None
        attention: Sequence[Attention] | None = ()
        if job_id := row.record.job_id:
            seen = await self._monitors.observe(
                row.cluster, lambda each: each.observed(job_id, JOB_AGE)
            )
            if isinstance(seen, JobError):
                problem, attention = str(seen), None
            else:
                attention = needs_attention(seen, expected=row.status in ACTIVE)
                newest = seen[-1]
                if isinstance(newest, JobHealth):
                    health, listed = health_document(newest), newest.job
                changed = trend_document(_since(seen, over)) if over else None
        attention = with_record(row, attention)
        shown = job_document(row, attention, mask, listed, page, observed=problem is None)
        return {**shown, "health": health, "trend": changed, "problem": problem}

    async def _series(self, request: Request) -> Response:
        """Return how a job was, minute by minute or coarser, oldest first."""
        row = await self._found(request)
        span = series_query(query(request), time.time())
        found = await self._service.series(row.cluster, row.number, span)
        asked = {
            "from": iso_time(span.begin * MINUTE * 1000),
            "to": iso_time(span.end * MINUTE * 1000),
            "resolution_minutes": span.minutes,
        }
        return JSONResponse({**asked, "value": [point_document(each) for each in found]})

    def _page(self, request: Request, number: int) -> str | None:
        return self._page_of(request, number) if self._page_of else None

    def _readable(self, principal: Principal) -> list[str]:
        return [key for key in self._clusters if principal.may(Role.READ, key)]

    async def _found(self, request: Request) -> JobRow:
        """Return the job that a path names, if the caller may read it.

        A caller who may not read it gets the same answer whether there is such a job or not.
        """
        if not request.scope["operation"].query:
            check_no_query(query(request))
        number = request.path_params["number"]
        usable = number.isascii() and number.isdigit() and len(number) <= 19
        if usable and 0 < int(number) <= _LARGEST_NUMBER:
            row = await self._row(int(number), caller(request))
            request.scope["cluster_key"] = row.cluster
            return row
        raise _not_found(number)

    async def _row(self, number: int, principal: Principal) -> JobRow:
        key = await self._service.cluster_of(number)
        if key in self._clusters and principal.may(Role.READ, key):
            row = await self._service.job(key, number)
            if row is not None:
                return row
        raise _not_found(str(number))


def _since(seen: Sequence[Observation], seconds: int) -> Sequence[Observation]:
    """Return the observations of the last `seconds`, and one a little older."""
    oldest = seen[-1].at - (seconds + JOB_AGE) * 1000
    return [each for each in seen if each.at >= oldest]


def _not_found(number: str) -> Refusal:
    return Refusal("JobNotFound", f"There is no job {number[:40]!r}, or not for this caller.")


def _mask(principal: Principal, row: JobRow) -> Any:
    return mask_for(operates=principal.may(Role.OPERATE, row.cluster))
