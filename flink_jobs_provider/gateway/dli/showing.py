"""The calls that show jobs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.dli.calls import Calls, done
from flink_jobs_provider.gateway.dli.listing import list_query
from flink_jobs_provider.gateway.dli.rows import detail, now, summary
from flink_jobs_provider.gateway.dli.statuses import runs
from flink_jobs_provider.gateway.service import JobRow, Refusal
from flink_jobs_provider.gateway.web.requests import caller, query


class Showing:
    """Answers the calls that change nothing."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def list_jobs(self, request: Request) -> Response:
        """List the jobs of a project."""
        clusters = self._calls.project(request, caller(request))
        asked = list_query(query(request))
        page, total = await self._calls.service.found(
            asked.jobs(clusters),
            offset=asked.offset,
            limit=asked.limit,
            newest_first=asked.newest_first,
        )
        shown = detail if asked.show_detail else summary
        jobs = [shown(row, clusters[row.cluster]) for row in page]
        return done("The job list is queried.", job_list={"total_count": total, "jobs": jobs})

    async def show(self, request: Request) -> Response:
        """Show a job."""
        row, cluster = await self._calls.readable(
            request, caller(request), request.path_params["job_id"]
        )
        return done("The job is queried.", job_detail=detail(row, cluster))

    async def show_graph(self, request: Request) -> Response:
        """Show the latest submission of a job."""
        row, _ = await self._job(request)
        execution = await self._calls.service.execution(row.cluster, row.number)
        if execution is None:
            text = f"Job {row.number} was never run: it has no execution plan yet."
            raise Refusal(409, "JobStatusConflict", text)
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
