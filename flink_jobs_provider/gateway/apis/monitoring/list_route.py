"""The list of jobs of all clusters, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.monitoring.list_query import ACTIVE, list_query
from flink_jobs_provider.gateway.apis.monitoring.listed_health import ListedHealth, listed_health
from flink_jobs_provider.gateway.apis.monitoring.presenter import job_document, mask_for
from flink_jobs_provider.gateway.apis.monitoring.record_attention import with_record
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.job_service import JobRow, JobService, ListColumn
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.principal import Principal, Role
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.attention import Attention, most_urgent_first, needs_attention
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.documents import partial_health_document

#: Seconds that an observation of a list may be old.
LIST_AGE = 5.0


class ListRoute:
    """Serves the list.

    Args:
        service: The jobs on record.
        monitors: What observes their clusters.
        readable: Returns the keys of the clusters that a caller may read.
        page_of: Returns the address of a job's page of the portal, for who sent a request; None
            where there is none.
    """

    def __init__(
        self,
        service: JobService,
        monitors: Monitors,
        readable: Callable[[Principal], list[str]],
        page_of: Callable[[Request, int], str | None],
    ) -> None:
        self._service = service
        self._monitors = monitors
        self._readable = readable
        self._page_of = page_of

    async def jobs(self, request: Request) -> Response:
        """List jobs of all clusters that the caller may read, a page at a time."""
        principal = caller(request)
        asked = list_query(query(request), self._readable(principal))
        wanted = replace(asked.filter, max_age=LIST_AGE)
        if wanted.attention or asked.page.column is ListColumn.ATTENTION:
            noticed = (await self._seen(wanted.clusters)).values()
            flagged = {
                job_id
                for each in noticed
                if not isinstance(each, JobError)
                for job_id in each.attention
            }
            wanted = replace(wanted, flagged=flagged)
        limit = asked.page.limit
        rows, total = await self._service.found(wanted, replace(asked.page, limit=limit + 1))
        page = rows[:limit]
        more = asked.cursor(page[-1].number) if len(rows) > len(page) else None
        seen = await self._seen(sorted({row.cluster for row in page}))
        health: Mapping[int, ListedHealth] = {}
        if asked.health:
            silent = {key: each for key, each in seen.items() if isinstance(each, JobError)}
            health = await listed_health(self._monitors, page, asked.health, silent)

        def shown(row: JobRow) -> dict[str, Any]:
            mask = mask_for(operates=principal.may(Role.OPERATE, row.cluster))
            looked, observed = health.get(row.number), seen[row.cluster]
            listed = None if isinstance(observed, JobError) else observed
            document = job_document(
                row,
                with_record(row, _attention(row, listed, looked)),
                mask,
                listed.jobs.get(row.record.job_id or "") if listed else None,
                self._page_of(request, row.number),
                observed=listed is not None,
            )
            if looked is None:
                return document
            newest = looked.newest
            part = partial_health_document(newest, asked.health) if newest else None
            return {**document, "health": part, "problem": looked.problem}

        return JSONResponse({"value": list(map(shown, page)), "total": total, "next": more})

    async def _seen(self, clusters: Sequence[str]) -> Mapping[str, _Seen | JobError]:
        """Return what their lists show of clusters by their keys, or why one does not answer."""
        seen = await asyncio.gather(*(self._monitors.observe(key, _look) for key in clusters))
        return dict(zip(clusters, seen, strict=True))


@dataclass(frozen=True)
class _Seen:
    """What a cluster's list shows, by jobId: what needs attention, and the jobs."""

    attention: Mapping[str, Sequence[Attention]]
    jobs: Mapping[str, ObservedJob]


async def _look(monitor: ClusterMonitor) -> _Seen:
    attention = await monitor.attention(LIST_AGE)
    listed = await monitor.jobs(LIST_AGE)
    return _Seen(attention, listed.snapshot.by_id)


def _attention(
    row: JobRow, listed: _Seen | None, health: ListedHealth | None
) -> Sequence[Attention] | None:
    """Return what needs attention as far as it was observed; None where the cluster is silent."""
    if listed is None:
        return None
    found = listed.attention.get(row.record.job_id or "", ())
    if health is None:
        return found
    judged = needs_attention(health.history, expected=row.status in ACTIVE)
    known = {each.concern for each in judged}
    return most_urgent_first([*judged, *(each for each in found if each.concern not in known)])
