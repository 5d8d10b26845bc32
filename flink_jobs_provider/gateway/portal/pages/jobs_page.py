"""The list of the jobs of all clusters."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.job_board import JobOrder
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.portal.addresses import LIST_PART, PORTAL
from flink_jobs_provider.gateway.portal.health_view import AttentionView, away_view
from flink_jobs_provider.gateway.portal.job_search import PAGE, STATUSES, AskedSearch
from flink_jobs_provider.gateway.portal.job_view import ListedJob, short_name
from flink_jobs_provider.gateway.portal.live import digest
from flink_jobs_provider.gateway.portal.pages.page_parts import ListPage
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.observing.attention import Attention, Concern, needs_attention
from flink_jobs_provider.observing.health import JobHealth

#: Where the changes of the list are.
EVENTS = "/portal/events/jobs"
#: Jobs that are sorted by what their clusters show of them: a query takes so many ids.
_MOST_NOTICED = 1000
_COLUMNS = (JobOrder.NAME, JobOrder.STATUS, JobOrder.SINCE, JobOrder.CLUSTER)


class JobsPage(ListPage):
    """Lists the jobs; also a part of a page that is kept up to date."""

    async def show(self, request: Request) -> Response:
        """Return the page."""
        visit = self.visits.of(request)
        search = _asked(request, visit)
        listed = await self.html(request, visit)
        query = search.query()
        return self.templates.page(
            "jobs",
            visit.text,
            visit,
            here=self.addresses.asked(PORTAL, query),
            search=search,
            statuses=STATUSES,
            clusters=[(one.key, short_name(one), one.name) for one in visit.readable],
            part=listed,
            part_seen=digest(listed),
            part_url=self.addresses.asked(LIST_PART, query),
            events_url=self.addresses.asked(EVENTS, query),
        )

    def key(self, request: Request, visit: Visit) -> Hashable:
        """Return what tells a list from others."""
        return (_asked(request, visit), tuple(one.key for one in visit.readable))

    async def html(self, request: Request, visit: Visit) -> str:
        """Return the list."""
        search = _asked(request, visit)
        clusters = {one.key: one for one in visit.readable}
        shown = search.clusters or list(clusters)
        seen = await asyncio.gather(*(self.observed.attention(key) for key in shown))
        noticed = _noticed(seen)
        page = await self.board.board(search.search(list(clusters), noticed))
        listed = await self._listed(page.rows)
        answers = self.board.answers()
        return self.templates.part(
            "jobs_part",
            visit.text,
            search=search,
            columns=_COLUMNS,
            jobs=[
                ListedJob.of(
                    row,
                    clusters[row.cluster],
                    *_health(row, noticed, listed.get(row.cluster, {}), visit.text),
                )
                for row in page.rows
            ],
            found=page.found,
            counts=page.counts,
            pages=max(1, math.ceil(page.found / PAGE)),
            away=[
                (short_name(clusters[key]), away)
                for key, look in zip(shown, seen, strict=True)
                if (away := away_view(look, answers.get(key)))
            ],
        )

    async def _listed(self, rows: Sequence[JobRow]) -> dict[str, dict[str, JobHealth]]:
        """Return restarts and checkpoints of the jobs of a page, by cluster and jobId."""
        by_cluster: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row.record.job_id and row.record.status.active:
                by_cluster[row.cluster].append(row.record.job_id)
        found = await asyncio.gather(
            *(self.observed.listed(key, job_ids) for key, job_ids in by_cluster.items())
        )
        return dict(zip(by_cluster, found, strict=True))


def _noticed(
    seen: Sequence[dict[str, tuple[Attention, ...]] | JobError | None],
) -> dict[str, tuple[Attention, ...]]:
    """Return what clusters show to need attention, by jobId; the most urgent of too many."""
    found = {
        job_id: attention
        for each in seen
        if isinstance(each, dict)
        for job_id, attention in each.items()
    }
    if len(found) <= _MOST_NOTICED:
        return found
    urgency = list(Concern)
    order = sorted(found, key=lambda job_id: urgency.index(found[job_id][0].concern))
    return {job_id: found[job_id] for job_id in order[:_MOST_NOTICED]}


def _health(
    row: JobRow,
    noticed: Mapping[str, Sequence[Attention]],
    listed: Mapping[str, JobHealth],
    text: Text,
) -> tuple[list[AttentionView], JobHealth | None]:
    """Return why a job needs attention, each kind once, and its restarts and checkpoints."""
    job_id = row.record.job_id or ""
    health = listed.get(job_id)
    kinds = {each.concern: each for each in noticed.get(job_id, ())}
    if health:
        kinds = {each.concern: each for each in needs_attention([health])} | kinds
    return [AttentionView.of(each, text) for each in kinds.values()], health


def _asked(request: Request, visit: Visit) -> AskedSearch:
    return AskedSearch.of(request.query_params, [one.key for one in visit.readable])
