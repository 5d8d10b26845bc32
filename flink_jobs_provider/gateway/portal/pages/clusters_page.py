"""The clusters: which of them answer, what they have, and what runs there that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.portal.addresses import CLUSTERS
from flink_jobs_provider.gateway.portal.cluster_view import ClusterView, cluster_view
from flink_jobs_provider.gateway.portal.live import digest
from flink_jobs_provider.gateway.portal.pages.page_parts import ListPage
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.portal.visit import Visit
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.observing.health import ClusterHealth

#: Where the clusters alone are, and their changes.
PART = "/portal/parts/clusters"
EVENTS = "/portal/events/clusters"


class ClustersPage(ListPage):
    """Shows the clusters that somebody may read; also a part of a page that is kept up to date."""

    async def show(self, request: Request) -> Response:
        """Return the page."""
        visit = self.visits.of(request)
        part = await self.html(request, visit)
        return self.templates.page(
            "clusters",
            visit.text,
            visit,
            here=self.addresses.of(CLUSTERS),
            part=part,
            part_seen=digest(part),
            part_url=self.addresses.of(PART),
            events_url=self.addresses.of(EVENTS),
        )

    def key(self, request: Request, visit: Visit) -> Hashable:
        """Return what tells the clusters that somebody is shown from others."""
        del request
        return (tuple(one.key for one in visit.readable), visit.operable)

    async def html(self, request: Request, visit: Visit) -> str:
        """Return the clusters."""
        del request
        views = await asyncio.gather(
            *(self._view(cluster, visit.text) for cluster in visit.readable)
        )
        return self.templates.part(
            "clusters_part", visit.text, clusters=views, operable=visit.operable
        )

    async def _view(self, cluster: ClusterConfiguration, text: Text) -> ClusterView:
        seen = await self.observed.cluster(cluster.key)
        ours: frozenset[str] = frozenset()
        if isinstance(seen, ClusterHealth):
            listed = {job.job_id for job in seen.snapshot.jobs if job.active}
            ours = await self.board.on_record(cluster.key, listed)
        return cluster_view(cluster, seen, self.board.answers().get(cluster.key), ours, text)
