"""What is on record of one job: its versions, the actions on it, and its savepoints."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.gateway.apis.monitoring.list_query import latest_query
from flink_jobs_provider.gateway.apis.monitoring.presenter import (
    action_document,
    mask_for,
    savepoint_document,
    version_document,
)
from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import SavepointPresence
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.job_history import JobHistory
from flink_jobs_provider.gateway.job_service import JobRow, JobService, listed_savepoints
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration


class RecordRoutes:
    """Answers what is on record of one job.

    Args:
        jobs: The jobs on record.
        history: What was done to them.
        clusters: Their clusters, by key.
        found: Returns the job of a request that its caller may read.
    """

    def __init__(
        self,
        jobs: JobService,
        history: JobHistory,
        clusters: Mapping[str, ClusterConfiguration],
        found: Callable[[Request], Awaitable[JobRow]],
    ) -> None:
        self._jobs = jobs
        self._history = history
        self._clusters = clusters
        self._found = found
        self._presence = SavepointPresence()

    async def actions(self, request: Request) -> Response:
        """List the latest actions on a job, newest first: who, what, when, result, reason."""
        limit = latest_query(query(request))
        row = await self._found(request)
        mask = mask_for(operates=_operates(request, row))
        found = await self._history.history(row.cluster, row.number, limit=limit)
        return JSONResponse({"value": [action_document(each, mask) for each in found]})

    async def versions(self, request: Request) -> Response:
        """List the latest versions of a job that were started, newest first."""
        limit = latest_query(query(request))
        row = await self._found(request)
        words = self._clusters[row.cluster].storage.in_callers_words
        found = await self._history.versions(row.cluster, row.number, limit=limit)
        operates = _operates(request, row)
        shown = [version_document(each, words, operates=operates) for each in found]
        return JSONResponse({"value": shown})

    async def savepoints(self, request: Request) -> Response:
        """List the latest savepoints of a job, newest first, and whether they are still there."""
        limit = latest_query(query(request))
        row = await self._found(request)
        on_record = await self._jobs.savepoints(row.cluster, row.number, limit)
        disposed = await self._jobs.disposed_savepoints(row.cluster, row.number, limit)
        recorded = [*on_record, *row.record.savepoints]
        gone = {each.savepoint.path: each.when for each in disposed}
        listed = [*listed_savepoints(recorded, disposed), *(each.savepoint for each in disposed)]
        newest = sorted(listed, key=lambda each: each.taken_at, reverse=True)[:limit]
        same_machine = self._clusters[row.cluster].flink.loopback
        shows = await self._presence.of([each.path for each in newest], same_machine=same_machine)
        now = time.time()
        found = [
            savepoint_document(each, presence, now, gone.get(each.path))
            for each, presence in zip(newest, shows, strict=True)
        ]
        return JSONResponse({"value": found})


def _operates(request: Request, row: JobRow) -> bool:
    return caller(request).may(Role.OPERATE, row.cluster)
