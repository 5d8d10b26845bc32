"""The calls that show jobs."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.apis.dli.call_context import Calls, done
from flink_jobs_provider.gateway.apis.dli.job_status import runs
from flink_jobs_provider.gateway.apis.dli.list_query import list_query
from flink_jobs_provider.gateway.apis.dli.presenter import detail, masked, now, summary
from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal


class ReadCalls:
    """Answers the calls that change nothing."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def list_jobs(self, request: Request) -> Response:
        """List the jobs of a project."""
        principal = caller(request)
        clusters = self._calls.project(request, principal)
        asked = list_query(query(request))
        page, total = await self._calls.service.found(
            asked.jobs(clusters),
            offset=asked.offset,
            limit=asked.limit,
            newest_first=asked.newest_first,
        )
        shown = detail if asked.show_detail else summary
        jobs = [_for(principal, row, shown(row, clusters[row.cluster])) for row in page]
        return done("The job list is queried.", job_list={"total_count": total, "jobs": jobs})

    async def show(self, request: Request) -> Response:
        """Show a job."""
        row, cluster = await self._job(request)
        shown = _for(caller(request), row, detail(row, cluster))
        return done("The job is queried.", job_detail=shown)

    async def show_graph(self, request: Request) -> Response:
        """Show the latest submission of a job."""
        row, _ = await self._job(request)
        execution = await self._calls.service.execution(row.cluster, row.number)
        if execution is None:
            text = f"Job {row.number} was never run: it has no execution plan yet."
            raise Refusal("JobStatusConflict", text)
        ended = execution.ended if execution.ended > 0 else -1
        graph = {
            "jid": execution.job_id,
            "name": execution.name,
            "isStoppable": runs(row.status),
            "state": execution.state,
            "start-time": execution.started,
            "end-time": ended,
            "duration": max(0, (execution.ended or now()) - execution.started)
            if execution.started
            else 0,
        }
        return done("The execution plan is queried.", execute_graph=graph)

    async def _job(self, request: Request) -> tuple[JobRow, ClusterConfiguration]:
        number = request.path_params["job_id"]
        return await self._calls.readable(request, caller(request), number)


def _for(principal: Principal, row: JobRow, shown: dict[str, Any]) -> dict[str, Any]:
    """Return a job as a caller may see it."""
    return shown if principal.may(Role.OPERATE, row.cluster) else masked(shown)
