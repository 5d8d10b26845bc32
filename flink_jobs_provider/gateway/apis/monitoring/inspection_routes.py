"""What Flink reports of a job's latest submission: exceptions, checkpoints, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.monitoring.job_query import metrics_query
from flink_jobs_provider.gateway.apis.monitoring.presenter import mask_for
from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import ClusterUnavailable
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.documents import checkpoint_document, exception_document
from flink_jobs_provider.observing.health import JobHealth
from flink_jobs_provider.observing.named_metrics import MetricRow, UnknownMetric

#: Seconds that an observation of one job may be old.
JOB_AGE = 2.0


class InspectionRoutes:
    """Serves the details of one job.

    Args:
        monitors: What observes the clusters.
        found: Returns the job that a request names, if its caller may read it.
    """

    def __init__(self, monitors: Monitors, found: Callable[[Request], Awaitable[JobRow]]) -> None:
        self._monitors = monitors
        self._found = found

    async def exceptions(self, request: Request) -> Response:
        """List the exceptions of a job's latest submission, newest first."""
        row = await self._found(request)
        mask = mask_for(operates=caller(request).may(Role.OPERATE, row.cluster))
        health = await self._observed(row)
        found = [exception_document(each) for each in health.exceptions] if health else []
        masked = [
            each | {"cause": mask(each["cause"]), "trace": mask(each["trace"])} for each in found
        ]
        return JSONResponse({"value": masked})

    async def checkpoints(self, request: Request) -> Response:
        """List the last checkpoints and savepoints of a job's latest submission, newest first."""
        row = await self._found(request)
        mask = mask_for(operates=caller(request).may(Role.OPERATE, row.cluster))
        health = await self._observed(row)
        found = [checkpoint_document(each) for each in health.checkpoints] if health else []
        masked = [each | {"failure": each["failure"] and mask(each["failure"])} for each in found]
        return JSONResponse({"value": masked})

    async def metrics(self, request: Request) -> Response:
        """List metrics of a job's latest submission: its own, and those of its vertices."""
        row = await self._found(request)
        wanted, names = metrics_query(query(request))
        if not (job_id := row.record.job_id):
            return JSONResponse({"value": []})

        async def look(monitor: ClusterMonitor) -> list[MetricRow]:
            if names:
                return await monitor.metric_names(job_id, JOB_AGE)
            return await monitor.metrics(job_id, wanted, JOB_AGE)

        seen = await self._monitors.observe(row.cluster, look)
        if isinstance(seen, UnknownMetric):
            raise RefusedProperties([Problem("get", seen.happened)])
        if isinstance(seen, JobError):
            raise ClusterUnavailable(seen)
        return JSONResponse({"value": [each.plain() for each in seen]})

    async def _observed(self, row: JobRow) -> JobHealth | None:
        """Return a job's latest submission in detail; None where its cluster does not list it.

        Raises:
            ClusterUnavailable: Its cluster cannot be observed now.
        """
        job_id = row.record.job_id
        if job_id is None:
            return None
        seen = await self._monitors.observe(
            row.cluster, lambda each: each.observed(job_id, JOB_AGE)
        )
        if isinstance(seen, JobError):
            raise ClusterUnavailable(seen)
        newest = seen[-1]
        return newest if isinstance(newest, JobHealth) else None
