"""One job: what runs, what is wanted, how it came to be so, and what can be done."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import SavepointPresence
from flink_jobs_provider.gateway.http.api_answers import Audit
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS, JobBoard
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.ops.log import AuditEntry
from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.portal.charts import HEIGHT, WIDTH, last_day, trend_view
from flink_jobs_provider.gateway.portal.health_view import HealthView, health_view
from flink_jobs_provider.gateway.portal.job_view import ActionView, JobView, job_view
from flink_jobs_provider.gateway.portal.live import SharedParts, digest
from flink_jobs_provider.gateway.portal.observed import Observed
from flink_jobs_provider.gateway.portal.offered_actions import Offers, offers
from flink_jobs_provider.gateway.portal.templating import NOT_STORED, Templates
from flink_jobs_provider.gateway.portal.terminal import program_samples, reading_samples
from flink_jobs_provider.gateway.portal.text import Text
from flink_jobs_provider.gateway.portal.timeline import (
    MOST_LOOKED_UP,
    retained_checkpoints,
    timeline,
)
from flink_jobs_provider.gateway.portal.versions import MOST_SHOWN, version_views, way_back
from flink_jobs_provider.gateway.portal.visit import Visit, Visits
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.observing.attention import Observation

PART = "/portal/parts/jobs/{number:int}"
EVENTS = "/portal/events/jobs/{number:int}"
#: Actions of the history that are shown.
HISTORY = 50
#: Seconds that the last day may be old: it is recorded once a minute.
_TREND_AGE = 30.0
#: Seconds that it may be old whether savepoints are there, and that a page waits for storages.
_PRESENCE_AGE, _PRESENCE_PATIENCE = 30.0, 1.0
_SHOWN = "shown"

Seen = tuple[Observation, ...] | JobError | None


@dataclass(frozen=True)
class FoundJob:
    """A job that somebody may read, and its cluster."""

    row: JobRow
    cluster: ClusterConfiguration


class JobFinder:
    """Finds jobs for those who may read them.

    Args:
        board: What is known of the jobs.
    """

    def __init__(self, board: JobBoard) -> None:
        self._board = board

    async def find(self, request: Request, visit: Visit) -> FoundJob:
        """Return the job that an address names.

        Raises:
            Refusal: There is none, or none that whoever looks may read: both are told alike.
        """
        number: int = request.path_params["number"]
        key = await self._board.cluster_of(number) if number < 2**62 else None
        cluster = next((one for one in visit.readable if one.key == key), None)
        row = await self._board.job(cluster.key, number) if cluster else None
        if cluster is None or row is None:
            raise Refusal("JobNotFound", visit.text("job.none"))
        return FoundJob(row, cluster)


class JobPage:
    """Shows a job; also a part of a page that is kept up to date.

    Args:
        board: What is known of the jobs.
        observed: Observes them.
        finder: Finds the job.
        visits: Who looks.
        templates: The portal's pages.
        addresses: Their addresses.
        audit: Where it is recorded who had secrets shown.
    """

    def __init__(
        self,
        board: JobBoard,
        observed: Observed,
        finder: JobFinder,
        visits: Visits,
        templates: Templates,
        addresses: Addresses,
        audit: Audit,
    ) -> None:
        self._board = board
        self._observed = observed
        self._finder = finder
        self._visits = visits
        self._templates = templates
        self._addresses = addresses
        self._audit = audit
        self._trends = SharedParts(_TREND_AGE)
        self._timelines = SharedParts(_PRESENCE_AGE)
        self._versions = SharedParts(_TREND_AGE)
        self._presence = SavepointPresence(_PRESENCE_PATIENCE)

    async def show(self, request: Request) -> Response:
        """Return the page."""
        visit = self._visits.of(request)
        found = await self._finder.find(request, visit)
        reveal = request.query_params.get("secrets") == _SHOWN
        if reveal:
            record_reveal(self._audit, visit, found)
        part = await self._html(request, visit, found, reveal=reveal)
        number = found.row.number
        return self._templates.page(
            "job",
            visit.text,
            visit,
            here=self._addresses.job(number),
            job_name=found.row.job_name,
            part=part,
            part_seen=digest(part),
            # What shows secrets is made once, for whom it was asked for.
            part_url="" if reveal else self._below(PART, number),
            events_url="" if reveal else self._below(EVENTS, number),
        )

    async def row(self, request: Request) -> Response:
        """Return the job's row as JSON, with secrets masked."""
        visit = self._visits.of(request)
        found = await self._finder.find(request, visit)
        view = job_view(found.row, found.cluster, ())
        return Response(view.json, media_type="application/json", headers=NOT_STORED)

    def key(self, request: Request, visit: Visit) -> Hashable:
        """Return what tells the page of a job from others."""
        return (
            request.path_params["number"],
            tuple(one.key for one in visit.readable),
            visit.operable,
            self._addresses.whole(request, ""),
        )

    async def html(self, request: Request, visit: Visit) -> str:
        """Return what the page shows of the job."""
        return await self._html(
            request, visit, await self._finder.find(request, visit), reveal=False
        )

    async def _html(self, request: Request, visit: Visit, found: FoundJob, *, reveal: bool) -> str:
        row, cluster = found.row, found.cluster
        savepoints = await self._board.savepoints(cluster.key, row.number, MOST_SAVEPOINTS)
        view: JobView = job_view(row, cluster, savepoints, reveal=reveal)
        latest = await self._board.history(cluster.key, row.number, limit=HISTORY + 1)
        # An action that has ended since the row was read is shown as the rest of the page is.
        history = [row.last if action.id == row.last.id else action for action in latest]
        may_act = visit.may_act(cluster.key)
        offered = offers(row, visit.text, may_act=may_act)
        seen = await self._seen(row)
        base = self._addresses.whole(request, "")
        return self._templates.part(
            "job_part",
            visit.text,
            job=view,
            offers=offered,
            may_act=may_act,
            reveal=reveal,
            health=self._health(row, seen, visit.text, reveal=reveal),
            timeline=await self._timeline(found, view, seen, offered, visit.text),
            trend=await self._trend(row, visit.text),
            versions=await self._versions_part(found, offered, visit.text),
            history=[ActionView.of(action) for action in history[:HISTORY]],
            more_history=len(history) > HISTORY,
            commands=reading_samples(cluster, base, row.job_name, row.number),
            programs=program_samples(cluster, base, view),
        )

    async def _seen(self, row: JobRow) -> Seen:
        job_id = row.record.job_id
        return await self._observed.job(row.cluster, job_id) if job_id else None

    def _health(self, row: JobRow, seen: Seen, text: Text, *, reveal: bool) -> HealthView:
        return health_view(
            seen,
            self._board.answers().get(row.cluster),
            row,
            text,
            reveal=reveal,
        )

    async def _timeline(
        self, found: FoundJob, view: JobView, seen: Seen, offered: Offers, text: Text
    ) -> str:
        """Return what the job can be started from; looked up once a while for all who look."""
        checkpoints = retained_checkpoints(seen)
        newest = [each.path for each in view.savepoints[:MOST_LOOKED_UP]]
        gone = await self._board.disposed_savepoints(found.cluster.key, found.row.number)

        async def make() -> str:
            machine = found.cluster.flink.loopback
            presences = await self._presence.of(newest, same_machine=machine)
            return self._templates.part(
                "timeline_part",
                text,
                points=timeline(view.savepoints, presences, checkpoints),
                restart=offered.restart,
                number=found.row.number,
                disposed=len(gone),
            )

        shown = (offered.restart, tuple(newest), checkpoints, len(gone))
        key = (found.row.number, text.language, *shown)
        return await self._timelines.get(key, make)

    async def _versions_part(self, found: FoundJob, offered: Offers, text: Text) -> str:
        """Return the versions that were started; read anew when an action has begun or ended."""
        row, cluster = found.row, found.cluster
        action = way_back(row, offered)

        async def make() -> str:
            latest = await self._board.versions(cluster.key, row.number, limit=MOST_SHOWN + 1)
            return self._templates.part(
                "versions_part",
                text,
                versions=version_views(latest, cluster),
                more=len(latest) > MOST_SHOWN,
                action=action,
                number=row.number,
            )

        return await self._versions.get(
            (row.number, text.language, row.last.id, row.last.finished_at, action), make
        )

    async def _trend(self, row: JobRow, text: Text) -> str:
        """Return how the job was over the last day; made once a while for all who look."""

        async def make() -> str:
            span = last_day(int(time.time() // 60))
            points = await self._board.series(row.cluster, row.number, span)
            trend = trend_view(points, span, text)
            return self._templates.part("trend_part", text, trend=trend, WIDTH=WIDTH, HEIGHT=HEIGHT)

        return await self._trends.get((row.number, text.language), make)

    def _below(self, path: str, number: int) -> str:
        return self._addresses.of(path.replace("{number:int}", str(number)))


def record_reveal(audit: Audit, visit: Visit, found: FoundJob) -> None:
    """Record that somebody has secrets of a job shown, who may.

    Raises:
        Refusal: They may not.
    """
    if not visit.may_act(found.cluster.key):
        raise Refusal("AuthorizationFailed", visit.text("secrets.refused"))
    audit(
        AuditEntry(
            who=visit.name,
            what="show secrets",
            cluster=found.cluster.key,
            job=found.row.job_name,
            result="ACCEPTED",
            status=200,
        )
    )
