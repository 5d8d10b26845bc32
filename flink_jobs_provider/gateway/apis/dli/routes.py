"""The routes of the Data Lake Insight API for Flink jar jobs, and the calls that show jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.apis.dli import openapi
from flink_jobs_provider.gateway.apis.dli.action_routes import ActionCalls, RecordCalls
from flink_jobs_provider.gateway.apis.dli.call_context import Calls, done
from flink_jobs_provider.gateway.apis.dli.presenter import (
    detail,
    masked,
    now,
    runs,
    standings_of,
    summary,
)
from flink_jobs_provider.gateway.apis.dli.translation import AS_GIVEN, job_name_of
from flink_jobs_provider.gateway.http.property_problems import Problem, RefusedProperties
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.http.routing import DescribedRoute
from flink_jobs_provider.gateway.job_service import (
    GivenText,
    JobFilter,
    JobRow,
    PageOfJobs,
)
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.wire.dli import JOB_TYPE, JOB_TYPES, DliStatus

#: What all paths of the service begin with: also of those that are not served.
DLI_PATHS = ("/v1.0/", "/v3/")
PREFIX = "/v1.0/{project_id}/streaming"
_PAGE, _LARGEST_PAGE = 10, 100
_NUMBER = re.compile(r"[0-9]{1,18}")
_PARAMETERS = {
    *("job_type", "limit", "name", "offset", "order", "queue_name", "root_job_id"),
    *("show_detail", "status", "tags", "user_name"),
}


def dli_routes(calls: Calls) -> list[DescribedRoute]:
    """Return the routes of the API."""
    records, actions, reads = RecordCalls(calls), ActionCalls(calls), ReadCalls(calls)
    job = f"{PREFIX}/jobs/{{job_id}}"
    buckets = "/v1.0/{project_id}/dli/obs-authorize"
    return [
        DescribedRoute(f"{PREFIX}/flink-jobs", records.create, ["POST"], openapi.CREATE),
        DescribedRoute(f"{PREFIX}/flink-jobs/{{job_id}}", records.update, ["PUT"], openapi.UPDATE),
        DescribedRoute(
            f"{job}/import-savepoint", records.import_savepoint, ["POST"], openapi.IMPORT
        ),
        DescribedRoute(f"{PREFIX}/jobs/run", actions.run, ["POST"], openapi.RUN),
        DescribedRoute(f"{PREFIX}/jobs/stop", actions.stop, ["POST"], openapi.STOP),
        DescribedRoute(f"{PREFIX}/jobs/delete", actions.delete_all, ["POST"], openapi.DELETE_ALL),
        DescribedRoute(job, actions.delete, ["DELETE"], openapi.DELETE),
        DescribedRoute(f"{job}/savepoint", actions.trigger, ["POST"], openapi.TRIGGER),
        DescribedRoute(f"{PREFIX}/jobs", reads.list_jobs, ["GET"], openapi.LIST),
        DescribedRoute(job, reads.show, ["GET"], openapi.SHOW),
        DescribedRoute(f"{job}/execute-graph", reads.show_graph, ["GET"], openapi.GRAPH),
        DescribedRoute(buckets, records.authorize_buckets, ["POST"], openapi.BUCKETS),
    ]


class ReadCalls:
    """Answers the calls that change nothing."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def list_jobs(self, request: Request) -> Response:
        """List the jobs of a project."""
        principal = caller(request)
        clusters = self._calls.project(request, principal)
        asked = _list_query(query(request), clusters)
        page, total = await self._calls.service.found(
            asked.jobs,
            PageOfJobs(offset=asked.offset, limit=asked.limit, newest_first=asked.newest_first),
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
        lasted = (execution.ended or now()) - execution.started
        graph = {
            "jid": execution.job_id,
            "name": execution.name,
            "isStoppable": runs(row.status),
            "state": execution.state,
            "start-time": execution.started,
            "end-time": execution.ended if execution.ended > 0 else -1,
            "duration": max(0, lasted) if execution.started else 0,
        }
        return done("The execution plan is queried.", execute_graph=graph)

    async def _job(self, request: Request) -> tuple[JobRow, ClusterConfiguration]:
        number = request.path_params["job_id"]
        return await self._calls.readable(request, caller(request), number)


def _for(principal: Principal, row: JobRow, shown: dict[str, Any]) -> dict[str, Any]:
    """Return a job as a caller may see it."""
    return shown if principal.may(Role.OPERATE, row.cluster) else masked(shown)


class _ListQuery(NamedTuple):
    """What a list is asked for."""

    jobs: JobFilter
    show_detail: bool
    newest_first: bool
    offset: int
    limit: int


def _list_query(
    given: Mapping[str, Sequence[str]], clusters: Mapping[str, ClusterConfiguration]
) -> _ListQuery:
    """Read the query of a list of the jobs of some clusters.

    Raises:
        RefusedProperties: Parameters are invalid, all of them at once.
    """
    problems: list[Problem] = []
    values = _single(given, problems)
    job_type = _one_of("job_type", values, JOB_TYPES, problems)
    status = _one_of("status", values, tuple(DliStatus), problems)
    order = _one_of("order", values, ("asc", "desc"), problems)
    detailed = _one_of("show_detail", values, ("true", "false"), problems)
    tags = _tags(values.get("tags", ""), problems)
    # SQL and edge jobs are none of this gateway's.
    parent = _number("root_job_id", values, problems)
    nothing = job_type not in (None, JOB_TYPE) or parent is not None
    offset = _number("offset", values, problems)
    limit = _number("limit", values, problems)
    if limit is not None and limit > _LARGEST_PAGE:
        problems.append(Problem("limit", f"limit must be {_LARGEST_PAGE} or less."))
    if problems:
        raise RefusedProperties(problems)
    name = values.get("name")
    jobs = JobFilter(
        clusters=[] if nothing else list(clusters),
        job_name=None if name is None else job_name_of(name),
        created_by=values.get("user_name"),
        standings=None if status is None else standings_of(DliStatus(status)),
        given=list(_given(values, clusters)),
        entries_path=(AS_GIVEN, "tags"),
        entries=tags,
    )
    limit = _PAGE if limit is None else limit
    return _ListQuery(jobs, detailed == "true", order != "asc", offset or 0, limit)


def _given(
    values: Mapping[str, str], clusters: Mapping[str, ClusterConfiguration]
) -> Iterator[GivenText]:
    """Name what jobs were given; those of the other API have a name and the first queue."""
    if (name := values.get("name")) is not None:
        named_so = clusters if name == job_name_of(name) else ()
        yield GivenText((AS_GIVEN, "name"), name, list(named_so))
    if (queue := values.get("queue_name")) is not None:
        first = [key for key, one in clusters.items() if one.dli and one.dli.queues[0] == queue]
        yield GivenText((AS_GIVEN, "queue_name"), queue, first)


def _single(given: Mapping[str, Sequence[str]], problems: list[Problem]) -> dict[str, str]:
    """Return the parameters that were given a value, each once."""
    problems += [
        Problem(name, f"{name[:100]} is not a parameter that is known here.")
        for name in sorted(set(given) - _PARAMETERS)
    ]
    problems += [
        Problem(name, f"{name[:100]} must be given once.")
        for name, values in given.items()
        if len(values) > 1
    ]
    return {name: values[0] for name, values in given.items() if values[0] != ""}


def _one_of(
    name: str, values: Mapping[str, str], allowed: Sequence[str], problems: list[Problem]
) -> str | None:
    value = values.get(name)
    if value is not None and name == "show_detail":
        value = value.lower()  # Python's clients write True
    if value not in (None, *allowed):
        problems.append(Problem(name, f"{name} must be one of {', '.join(allowed)}."))
    return value


def _number(name: str, values: Mapping[str, str], problems: list[Problem]) -> int | None:
    value = values.get(name)
    if value is None or _NUMBER.fullmatch(value):
        return None if value is None else int(value)
    problems.append(Problem(name, f"{name} must be a whole number, 0 or more."))
    return None


def _tags(text: str, problems: list[Problem]) -> dict[str, str]:
    tags = {}
    for pair in (pair for pair in text.split(",") if pair):
        key, equals, value = pair.partition("=")
        if not equals or not key:
            problems.append(Problem("tags", "tags must be as key=value, with commas between."))
            break
        tags[key] = value
    return tags
