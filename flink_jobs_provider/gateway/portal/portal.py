"""The portal as a whole: its parts put together, and its routes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from flink_jobs_provider.gateway.http.api_answers import Audit
from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.jobs.background import Threads
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.portal.addresses import (
    CLUSTERS,
    ISSUER_RETURN,
    ISSUER_SIGN_IN,
    JOB,
    LANGUAGE,
    LIST_PART,
    NEW_JOB,
    PORTAL,
    SIGN_IN,
    SIGN_IN_LINK,
    SIGN_IN_ONCE,
    SIGN_OUT,
    SIGNED_IN,
    STATIC,
    Addresses,
)
from flink_jobs_provider.gateway.portal.assets import Assets
from flink_jobs_provider.gateway.portal.forms import StaleForm
from flink_jobs_provider.gateway.portal.issuer_sign_in import IssuerAccess, IssuerPages
from flink_jobs_provider.gateway.portal.jar_browser import JarBrowser
from flink_jobs_provider.gateway.portal.jar_choice import JarChooser
from flink_jobs_provider.gateway.portal.jar_uploads import JarUploads
from flink_jobs_provider.gateway.portal.kept_forms import KEPT, KeptForms
from flink_jobs_provider.gateway.portal.live import EVERY, Live, Part
from flink_jobs_provider.gateway.portal.observed import Freshness, Observed
from flink_jobs_provider.gateway.portal.pages import clusters_page, job_page, jobs_page
from flink_jobs_provider.gateway.portal.pages.action_pages import ActionPages
from flink_jobs_provider.gateway.portal.pages.clusters_page import ClustersPage
from flink_jobs_provider.gateway.portal.pages.go_back_page import GO_BACK, GoBackPage
from flink_jobs_provider.gateway.portal.pages.job_page import JobFinder, JobPage
from flink_jobs_provider.gateway.portal.pages.jobs_page import JobsPage
from flink_jobs_provider.gateway.portal.pages.new_job_page import NewJobPage
from flink_jobs_provider.gateway.portal.pages.sign_in import SignInPages
from flink_jobs_provider.gateway.portal.pages.sign_in_link import SignInLinkPages
from flink_jobs_provider.gateway.portal.portal_conventions import PageRefusal, PortalConventions
from flink_jobs_provider.gateway.portal.sessions import Cookies, Proofs, Sessions
from flink_jobs_provider.gateway.portal.submission import Submission
from flink_jobs_provider.gateway.portal.templating import NOT_STORED, Templates
from flink_jobs_provider.gateway.portal.visit import SESSION, Visits
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration

#: Places that are looked at by people at once; more wait.
_STORAGE_THREADS = 2

Endpoint = Callable[[Request], Awaitable[Response]]


class Portal:
    """Serves pages for people.

    Args:
        board: What is known of the jobs, and what executes the actions.
        clusters: The clusters that are served.
        monitors: What observes them.
        proofs: Returns what tokens are good for.
        audit: Where it is recorded who did what.
        body_bytes: The longest form.
        public_url: What browsers reach the gateway by; else the request's own Host.
        session_lifetime: For how many seconds somebody stays signed in.
        stopping: Set when the gateway stops.
        issuer: The issuer that people may sign in with; None for none.
        every: Seconds between two looks at the records, for what is live.
        freshness: How old what is observed may be; else as usual.
        upload_bytes: The largest jar that is uploaded.
    """

    def __init__(
        self,
        board: JobBoard,
        clusters: Sequence[ClusterConfiguration],
        monitors: Monitors,
        proofs: Proofs,
        audit: Audit,
        body_bytes: int,
        public_url: str | None,
        session_lifetime: float,
        stopping: asyncio.Event | None = None,
        issuer: IssuerAccess | None = None,
        every: float = EVERY,
        freshness: Freshness | None = None,
        upload_bytes: int = 0,
    ) -> None:
        addresses = Addresses(public_url)
        self._kept = kept = KeptForms()
        templates = Templates(addresses, kept.stamp)
        cookies = Cookies(addresses)
        sessions = Sessions(board, proofs, cookies, session_lifetime)
        self._addresses = addresses
        self._visits = visits = Visits(clusters, addresses, cookies)
        self.conventions = PortalConventions(
            sessions, visits, addresses, templates, kept, body_bytes, upload_bytes
        )
        finder = JobFinder(board)
        self._sign_in = SignInPages(
            sessions,
            visits,
            cookies,
            templates,
            addresses,
            audit,
            body_bytes,
            issuer.issuer.name if issuer else "",
        )
        self._links = SignInLinkPages(
            sessions, proofs, self._sign_in, visits, templates, addresses, audit, body_bytes
        )
        self._issuer = (
            IssuerPages(issuer, sessions, self._sign_in, visits, cookies, templates, addresses)
            if issuer
            else None
        )
        observed = Observed(monitors, freshness)
        self._clusters = ClustersPage(board, observed, visits, templates, addresses)
        self._jobs = JobsPage(board, observed, visits, templates, addresses)
        self._job = JobPage(board, observed, finder, visits, templates, addresses, audit)
        submission = Submission(board, clusters, audit)
        self._storages = Threads(_STORAGE_THREADS, "portal-storage")
        chooser = JarChooser(
            board,
            JarBrowser(self._storages),
            JarUploads(self._storages),
            addresses,
            audit,
            upload_bytes,
        )
        self._actions = ActionPages(
            board,
            submission,
            chooser,
            kept,
            visits,
            templates,
            addresses,
            body_bytes,
            finder,
            audit,
        )
        self._new_job = NewJobPage(
            board, submission, chooser, kept, visits, templates, addresses, body_bytes
        )
        self._go_back = GoBackPage(
            board, submission, chooser, kept, visits, templates, addresses, body_bytes, finder
        )
        self._live = Live(sessions, visits, stopping or asyncio.Event(), every)
        self._assets = Assets()

    async def close(self) -> None:
        """Ask storages for nothing more; one that hangs is not waited for."""
        await self._storages.close(0)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of all pages."""
        issuer: list[BaseRoute] = []
        if self._issuer:
            issuer = [
                self._route(ISSUER_SIGN_IN, self._issuer.leave),
                self._route(ISSUER_RETURN, self._issuer.come_back),
            ]
        return [
            *issuer,
            self._route(PORTAL.rstrip("/"), self._begin),
            self._route(PORTAL, self._jobs.show),
            self._route(f"{STATIC}{{name}}", self._assets.serve),
            self._route(SIGN_IN, self._sign_in.show),
            self._route(SIGN_IN, self._sign_in.sign_in, "POST"),
            self._route(SIGN_IN_LINK, self._links.make, "POST"),
            self._route(SIGN_IN_ONCE, self._links.show),
            self._route(SIGN_IN_ONCE, self._links.sign_in, "POST"),
            self._route(SIGN_OUT, self._sign_in.sign_out, "POST"),
            self._route(SIGNED_IN, self._sign_in.confirm),
            self._route(LANGUAGE, self._sign_in.choose_language),
            self._route(NEW_JOB, self._new_job.show),
            self._route(NEW_JOB, self._new_job.send, "POST"),
            self._route(LIST_PART, self._once(self._jobs)),
            self._route(jobs_page.EVENTS, self._stream(self._jobs)),
            self._route(CLUSTERS, self._clusters.show),
            self._route(clusters_page.PART, self._once(self._clusters)),
            self._route(clusters_page.EVENTS, self._stream(self._clusters)),
            self._route(job_page.PART, self._once(self._job)),
            self._route(job_page.EVENTS, self._stream(self._job)),
            self._route(JOB, self._job.show),
            self._route(f"{JOB}/row.json", self._job.row),
            self._route(GO_BACK, self._go_back.show),
            self._route(GO_BACK, self._go_back.send, "POST"),
            self._route(f"{JOB}/{{action}}", self._actions.show),
            self._route(f"{JOB}/{{action}}", self._actions.send, "POST"),
        ]

    async def _begin(self, _: Request) -> Response:
        return RedirectResponse(self._addresses.of(PORTAL), 303)

    def _once(self, part: Part) -> Endpoint:
        async def once(request: Request) -> Response:
            return await self._live.once(request, part)

        return once

    def _stream(self, part: Part) -> Endpoint:
        async def stream(request: Request) -> Response:
            return self._live.stream(request, part)

        return stream

    def _route(self, path: str, endpoint: Endpoint, method: str = "GET") -> _PageRoute:
        async def in_their_language(request: Request) -> Response:
            if SESSION not in request.scope:
                del request.scope["principal"]  # it was an address, for the limit of its requests
            try:
                return await endpoint(request)
            except Refusal as refusal:
                if isinstance(refusal, StaleForm) and (again := self._again(request, refusal)):
                    return again
                raise PageRefusal(refusal, self._visits.text(request)) from None

        return _PageRoute(path, in_their_language, methods=[method])

    def _again(self, request: Request, stale: StaleForm) -> Response | None:
        """Lead back to a form of an earlier session of the same person, with what they typed."""
        if SESSION not in request.scope:
            return None
        visit = self._visits.of(request)
        key = self._kept.keep(request.url.path, stale.fields, of=visit.name)
        to = self._addresses.of(request.url.path, **{KEPT: key})
        return RedirectResponse(to, 303, NOT_STORED) if key else None


class _PageRoute(Route):
    """A route that names itself to the metrics and the log."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match, and add which route it was."""
        match, found = super().matches(scope)
        return match, found if match is Match.NONE else {**found, "route_path": self.path}
