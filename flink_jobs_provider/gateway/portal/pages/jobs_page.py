"""The list of the jobs of all clusters."""

from __future__ import annotations

import math
from collections.abc import Hashable

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.job_board import JobBoard, JobOrder
from flink_jobs_provider.gateway.portal.addresses import LIST_PART, PORTAL, Addresses
from flink_jobs_provider.gateway.portal.job_search import PAGE, STATUSES, AskedSearch
from flink_jobs_provider.gateway.portal.job_view import ListedJob, short_name
from flink_jobs_provider.gateway.portal.live import digest
from flink_jobs_provider.gateway.portal.templating import Templates
from flink_jobs_provider.gateway.portal.visit import Visit, Visits

#: Where the changes of the list are.
EVENTS = "/portal/events/jobs"
_COLUMNS = (JobOrder.NAME, JobOrder.STATUS, JobOrder.SINCE, JobOrder.CLUSTER)


class JobsPage:
    """Lists the jobs; also a part of a page that is kept up to date.

    Args:
        board: What is known of the jobs.
        visits: Who looks.
        templates: The portal's pages.
        addresses: Their addresses.
    """

    def __init__(
        self, board: JobBoard, visits: Visits, templates: Templates, addresses: Addresses
    ) -> None:
        self._board = board
        self._visits = visits
        self._templates = templates
        self._addresses = addresses

    async def show(self, request: Request) -> Response:
        """Return the page."""
        visit = self._visits.of(request)
        search = _asked(request, visit)
        listed = await self.html(request, visit)
        query = search.query()
        return self._templates.page(
            "jobs",
            visit.text,
            visit,
            here=self._addresses.asked(PORTAL, query),
            search=search,
            statuses=STATUSES,
            clusters=[(one.key, short_name(one), one.name) for one in visit.readable],
            part=listed,
            part_seen=digest(listed),
            part_url=self._addresses.asked(LIST_PART, query),
            events_url=self._addresses.asked(EVENTS, query),
        )

    def key(self, request: Request, visit: Visit) -> Hashable:
        """Return what tells a list from others."""
        return (_asked(request, visit), tuple(one.key for one in visit.readable))

    async def html(self, request: Request, visit: Visit) -> str:
        """Return the list."""
        search = _asked(request, visit)
        clusters = {one.key: one for one in visit.readable}
        answers = self._board.answers()
        page = await self._board.board(search.search(list(clusters)))
        return self._templates.part(
            "jobs_part",
            visit.text,
            search=search,
            columns=_COLUMNS,
            jobs=[ListedJob.of(row, clusters[row.cluster]) for row in page.rows],
            found=page.found,
            counts=page.counts,
            pages=max(1, math.ceil(page.found / PAGE)),
            away=[
                short_name(one)
                for key, one in clusters.items()
                if key in answers and not answers[key].answers
            ],
        )


def _asked(request: Request, visit: Visit) -> AskedSearch:
    return AskedSearch.of(request.query_params, [one.key for one in visit.readable])
