"""The gateway's web application: the API, and what machines that watch it ask for."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import structlog
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Lifespan

from flink_jobs_provider.gateway import openapi as operations
from flink_jobs_provider.gateway.apis.dli import DLI_PATHS, DliFace
from flink_jobs_provider.gateway.apis.dli.conventions import DliConventions, SignatureCheck
from flink_jobs_provider.gateway.apis.hdinsight import ArmFace
from flink_jobs_provider.gateway.apis.hdinsight.conventions import ArmConventions, Authenticator
from flink_jobs_provider.gateway.apis.hdinsight.versions import NEWEST, api_version
from flink_jobs_provider.gateway.clusters import ClusterConfiguration
from flink_jobs_provider.gateway.configuration import Limits
from flink_jobs_provider.gateway.http.conventions import ConventionsOf
from flink_jobs_provider.gateway.http.middleware import (
    Answering,
    Audit,
    Authenticated,
    RateLimit,
    RequestMetrics,
)
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.http.routing import AnyCaseRoute, DescribedRoute
from flink_jobs_provider.gateway.job_service import JobService
from flink_jobs_provider.gateway.openapi import openapi_document
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.wire.hdinsight import ApiVersion

_log = structlog.get_logger("gateway.app")

HEALTH, READY = "/healthz", "/readyz"


class Metrics(RequestMetrics, Protocol):
    """What Prometheus scrapes."""

    def render(self) -> tuple[bytes, str]:
        """Return it, and its content type."""


def make_app(
    service: JobService,
    clusters: Sequence[ClusterConfiguration],
    authenticator: Authenticator,
    rate_limit: RateLimit,
    audit: Audit,
    metrics: Metrics,
    limits: Limits,
    public_url: str | None,
    lifespan: Lifespan[Starlette] | None = None,
    signatures: SignatureCheck | None = None,
) -> Starlette:
    """Make the application.

    Args:
        service: What executes the actions.
        clusters: The clusters that are served.
        authenticator: Returns who calls.
        rate_limit: Counts each caller's requests.
        audit: Where it is recorded who did what.
        metrics: Where requests are counted.
        limits: The largest body; the other limits are kept by those who are given here.
        public_url: What addresses in answers begin with; else the request's own Host.
        lifespan: What begins and ends with the application.
        signatures: Returns who signed a request; None where no signing keys are configured.
    """
    arm = ArmFace(service, clusters, audit, limits.body_bytes, public_url)
    dli = DliFace(service, clusters, audit, limits.body_bytes)
    conventions_of = make_conventions(authenticator, signatures, limits)
    served = [*dli.routes(), *arm.routes()]
    own = _OwnRoutes(service, clusters, authenticator, metrics, served)
    app = Starlette(
        routes=[*own.routes(), *served],
        middleware=[
            Middleware(Answering, conventions_of, metrics, audit),
            Middleware(Authenticated, conventions_of, rate_limit, (HEALTH, READY)),
        ],
        # Left to the outermost middleware, which answers what all of them refuse.
        exception_handlers={HTTPException: _raise},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def make_conventions(
    authenticator: Authenticator, signatures: SignatureCheck | None, limits: Limits
) -> ConventionsOf:
    """Return what tells by a path whose conventions count."""
    arm = ArmConventions(authenticator)
    dli = DliConventions(authenticator, signatures, limits.body_bytes)
    return lambda path: dli if path.startswith(DLI_PATHS) else arm


def refused_unread(conventions_of: ConventionsOf, path: str, refusal: Refusal) -> Response:
    """Return the answer to a request that cannot be read, in the envelope of its API.

    Args:
        conventions_of: Whose conventions count, by the path.
        path: As far as it is known.
        refusal: Why it cannot be read.
    """
    conventions = conventions_of(path)
    return conventions.refused(refusal, conventions.headers(Headers({}), str(uuid.uuid4())))


class _OwnRoutes:
    """What is asked about the gateway itself, and the document of all routes."""

    def __init__(
        self,
        service: JobService,
        clusters: Sequence[ClusterConfiguration],
        authenticator: Authenticator,
        metrics: Metrics,
        served: Sequence[DescribedRoute],
    ) -> None:
        self._service = service
        self._served = served
        self._documents: dict[ApiVersion, dict[str, Any]] = {}
        self._keys = [cluster.key for cluster in clusters]
        self._authenticator = authenticator
        self._metrics = metrics

    def routes(self) -> list[AnyCaseRoute]:
        return [
            AnyCaseRoute(HEALTH, self._health, ["GET"], operations.health()),
            AnyCaseRoute(READY, self._ready, ["GET"], operations.ready()),
            AnyCaseRoute("/metrics", self._prometheus, ["GET"], operations.metrics()),
            AnyCaseRoute("/openapi.json", self._openapi, ["GET"], operations.openapi),
        ]

    async def _health(self, _: Request) -> Response:
        """Return whether the process works."""
        return JSONResponse({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        """Return whether the gateway can work."""
        try:
            problems = await self._service.ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway is not ready
            _log.error("readiness could not be checked", exc_info=error)
            problems = ["Readiness could not be checked: the gateway's log has the reason."]
        if not problems:
            return JSONResponse({"status": "ready"})
        answer: dict[str, object] = {"status": "not ready"}
        if await self._may_know_why(request):
            answer["problems"] = problems
        return JSONResponse(answer, 503)

    async def _may_know_why(self, request: Request) -> bool:
        """Whether the caller shows a token: reasons name databases and clusters."""
        authorization = request.headers.get("authorization")
        if not authorization:
            return False
        try:
            await self._authenticator.authenticate(authorization)
        except Refusal:
            return False
        return True

    async def _prometheus(self, request: Request) -> Response:
        """Return metrics for Prometheus; needs a role on every cluster."""
        principal = caller(request)
        if not all(principal.may(Role.READ, key) for key in self._keys):
            message = f"The client '{principal.name}' does not have the role 'read' everywhere."
            raise Refusal("AuthorizationFailed", message)
        content, content_type = self._metrics.render()
        return Response(content, headers={"Content-Type": content_type})

    async def _openapi(self, request: Request) -> Response:
        """Return this document."""
        given = query(request).get("api-version")
        version = api_version(given) if given else NEWEST
        if version not in self._documents:
            routes = [*self._served, *self.routes()]
            self._documents[version] = openapi_document(routes, version)
        return JSONResponse(self._documents[version])


async def _raise(_: Request, error: Exception) -> Response:
    raise error
