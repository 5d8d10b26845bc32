"""The gateway's web application: the APIs, the portal, and what machines that watch it ask for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import version as version_of
from typing import Any, Protocol

import structlog
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flink_jobs_provider.control_planes.http import SharedCall
from flink_jobs_provider.gateway.apis.dli import DLI_PATHS, Calls, dli_routes
from flink_jobs_provider.gateway.apis.dli import openapi as dli_openapi
from flink_jobs_provider.gateway.apis.dli.conventions import DliConventions, SignatureCheck
from flink_jobs_provider.gateway.apis.hdinsight import ArmFace
from flink_jobs_provider.gateway.apis.hdinsight import openapi as arm_openapi
from flink_jobs_provider.gateway.apis.hdinsight.conventions import (
    NEWEST,
    ArmConventions,
    api_version,
)
from flink_jobs_provider.gateway.apis.monitoring import (
    MONITORING_PATHS,
    MonitoringConventions,
    MonitoringFace,
)
from flink_jobs_provider.gateway.apis.monitoring import openapi as monitoring_openapi
from flink_jobs_provider.gateway.configuration import Limits
from flink_jobs_provider.gateway.http.api_answers import (
    Answering,
    ApiConventions,
    Audit,
    Authenticated,
    Authenticator,
    ConventionsOf,
)
from flink_jobs_provider.gateway.http.requests import caller, query
from flink_jobs_provider.gateway.http.routing import (
    TEXT,
    AnyCaseRoute,
    DescribedRoute,
    Operation,
    answer,
    described,
    object_of,
)
from flink_jobs_provider.gateway.job_board import PlannedJobs
from flink_jobs_provider.gateway.job_service import JobService
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.portal.addresses import PORTAL, Addresses, job_path
from flink_jobs_provider.gateway.portal.portal import Portal
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.wire.hdinsight import ApiVersion

_log = structlog.get_logger("gateway.app")

HEALTH, READY = "/healthz", "/readyz"
#: Seconds that readiness is known for: it writes to the disks, and anybody may ask for it.
_READY_AGE = 1.0


class Metrics(Protocol):
    """What Prometheus scrapes."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""

    async def refresh(self) -> None:
        """Read what is only read when it is scraped."""

    def render(self) -> tuple[bytes, str]:
        """Return it, and its content type."""


def make_app(
    service: PlannedJobs,
    clusters: Sequence[ClusterConfiguration],
    authenticator: Authenticator,
    limit: Callable[[str], None],
    audit: Audit,
    metrics: Metrics,
    limits: Limits,
    public_url: str | None,
    signatures: SignatureCheck | None = None,
    portal: Portal | None = None,
    monitors: Monitors | None = None,
    stopping: asyncio.Event | None = None,
) -> Starlette:
    """Make the application.

    Each request of a caller, by name, goes through `limit`, which may raise a Refusal. Of the
    limits only that of a body counts here; the others are kept by what else is given.
    Addresses in answers begin with the public URL, else with the request's own Host. Without
    signatures, which are those of the signing keys, no request is accepted by one; without a portal
    there are no pages for people, and without monitors there is no monitoring API. Streams end when
    `stopping` is set.
    """
    arm = ArmFace(service, clusters, audit, limits.body_bytes, public_url)
    conventions_of = make_conventions(authenticator, signatures, limits, portal)
    calls = Calls(service, clusters, audit, limits.body_bytes)
    served: list[DescribedRoute] = [*dli_routes(calls), *arm.routes()]
    if monitors:
        addresses = Addresses(public_url)

        def job_page(request: Request, number: int) -> str:
            return addresses.whole(request, job_path(number))

        face = MonitoringFace(
            service,
            clusters,
            monitors,
            authenticator.authenticate,
            stopping or asyncio.Event(),
            audit,
            limits.body_bytes,
            job_page if portal else None,
        )
        served += face.routes()
    own = _OwnRoutes(service, clusters, authenticator, metrics, served)
    app = Starlette(
        routes=[*own.routes(), *(portal.routes() if portal else ()), *served],
        middleware=[
            Middleware(Answering, conventions_of, metrics.request, audit),
            Middleware(Authenticated, conventions_of, limit, (HEALTH, READY)),
        ],
        # Left to the outermost middleware, which answers what all of them refuse.
        exception_handlers={HTTPException: _raise},
    )
    app.router.redirect_slashes = False
    return app


def make_conventions(
    authenticator: Authenticator,
    signatures: SignatureCheck | None,
    limits: Limits,
    portal: Portal | None = None,
) -> ConventionsOf:
    """Return the function that finds the conventions of a path."""
    arm = ArmConventions(authenticator)
    dli = DliConventions(authenticator, signatures, limits.body_bytes)
    monitoring = MonitoringConventions(authenticator)

    def conventions_of(path: str) -> ApiConventions:
        if portal and (path.startswith(PORTAL) or path == PORTAL.rstrip("/")):
            return portal.conventions
        if path.startswith(DLI_PATHS):
            return dli
        return monitoring if path.startswith(MONITORING_PATHS) else arm

    return conventions_of


def refused_unread(conventions_of: ConventionsOf, path: str, refusal: Refusal) -> Response:
    """Return the answer to a request that cannot be read, in the envelope of its API.

    The path is as far as it is known.
    """
    conventions = conventions_of(path)
    headers = conventions.headers(Headers({}), str(uuid.uuid4()))
    return conventions.refused(refusal, headers, None)


_FOR_CALLERS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WHY = object_of(status=TEXT)
_WHY["properties"]["problems"] = {"type": "array", "items": TEXT}
_HEALTH = Operation(
    "health",
    {200: answer("It does.", {"type": "object", "required": ["status"]})},
    arm_openapi.REFUSED,
    refusals=(HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.INTERNAL_SERVER_ERROR),
    security=[],
)
_NOT_READY = {503: answer("It cannot. Callers with a token receive the reasons.", _WHY)}
_READY = replace(_HEALTH, id="ready", answers={**_HEALTH.answers, **_NOT_READY})
_METRICS = Operation(
    "metrics",
    {200: {"description": "All metrics.", "content": {"text/plain": {}}}},
    arm_openapi.REFUSED,
    refusals=(*_FOR_CALLERS, HTTPStatus.FORBIDDEN),
)


def _openapi_operation(version: str) -> Operation:
    return Operation(
        "openapi",
        {200: answer("The document.", {"type": "object"})},
        arm_openapi.REFUSED,
        refusals=(*_FOR_CALLERS, HTTPStatus.BAD_REQUEST),
        query=[arm_openapi.version_parameter(version, required=False)],
    )


def _openapi_document(routes: Iterable[DescribedRoute], version: ApiVersion) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API in one of its versions."""
    paths, bodies = described(routes, version)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flink jobs gateway",
            "version": version_of("flink-jobs-provider"),
            "description": "The job services of HDInsight on AKS and of Data Lake Insight (below "
            "/v1.0) over Flink session clusters, and what is observed of them (below /api). Paths "
            "and names of query parameters of the first have no case.",
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                **dli_openapi.SECURITY_SCHEMES,
            },
            "schemas": {
                **bodies,
                **arm_openapi.schemas(version),
                **dli_openapi.SCHEMAS,
                **monitoring_openapi.SCHEMAS,
            },
        },
    }


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
        self._readiness = SharedCall(service.ready)
        self._served = served
        self._documents: dict[ApiVersion, dict[str, Any]] = {}
        self._keys = [cluster.key for cluster in clusters]
        self._authenticator = authenticator
        self._metrics = metrics

    def routes(self) -> list[AnyCaseRoute]:
        return [
            AnyCaseRoute(HEALTH, self._health, ["GET"], _HEALTH),
            AnyCaseRoute(READY, self._ready, ["GET"], _READY),
            AnyCaseRoute("/metrics", self._prometheus, ["GET"], _METRICS),
            AnyCaseRoute("/openapi.json", self._openapi, ["GET"], _openapi_operation),
        ]

    async def _health(self, _: Request) -> Response:
        """Return whether the process works."""
        return JSONResponse({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        """Return whether the gateway can work."""
        try:
            problems = await self._readiness.get(_READY_AGE)
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
        await self._metrics.refresh()
        content, content_type = self._metrics.render()
        return Response(content, headers={"Content-Type": content_type})

    async def _openapi(self, request: Request) -> Response:
        """Return this document."""
        values = query(request)
        version = api_version(values) if "api-version" in values else NEWEST
        if version not in self._documents:
            routes = [*self._served, *self.routes()]
            self._documents[version] = _openapi_document(routes, version)
        return JSONResponse(self._documents[version])


async def _raise(_: Request, error: Exception) -> Response:
    raise error
