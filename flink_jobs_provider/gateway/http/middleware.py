"""What is done with every request: its ids, who sent it, and an answer whatever happens."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection
from typing import Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flink_jobs_provider.gateway.http.conventions import HSTS, ConventionsOf
from flink_jobs_provider.gateway.http.status_codes import status_of
from flink_jobs_provider.gateway.ops.log import LogLimit
from flink_jobs_provider.gateway.refusals import Refusal

_log = structlog.get_logger("gateway.request")

#: Key of a scope: whether its connection is beyond a limit, so that it is closed after the answer.
OVERLOADED = "overloaded"
#: In place of a route, for a path that is none.
NO_ROUTE = "none"


class RateLimit(Protocol):
    """Counts each caller's requests."""

    def take(self, name: str) -> None:
        """Count one, or raise a Refusal."""


class Audit(Protocol):
    """Records who did what."""

    def write(
        self,
        *,
        who: str | None,
        what: str,
        cluster: str | None,
        job: str | None,
        action_id: str | None,
        result: str,
        status: int | None,
    ) -> None:
        """Write an entry."""


class RequestMetrics(Protocol):
    """Counts what was answered."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one."""


class Answering:
    """Adds ids to each request, and answers errors with the envelope of their API.

    The outermost: what goes wrong below it is answered here, and a fault of the gateway's own is
    logged here.

    Args:
        app: What answers.
        conventions_of: Whose ids and error envelopes count.
        metrics: Where each request is counted.
        audit: Where each request is recorded whose caller may not make it.
        clock: Seconds, from any beginning.
    """

    def __init__(
        self,
        app: ASGIApp,
        conventions_of: ConventionsOf,
        metrics: RequestMetrics,
        audit: Audit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._conventions_of = conventions_of
        self._metrics = metrics
        self._audit = audit
        self._clock = clock
        self._unauthenticated = LogLimit("refusals without authentication", clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock()
        request_id = str(uuid.uuid4())
        ids = self._conventions_of(scope["path"]).headers(Headers(scope=scope), request_id)
        if scope["scheme"] == "https":
            ids = {**ids, **HSTS}
        if scope.get(OVERLOADED):
            ids = {**ids, "Connection": "close"}
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(ids)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, sending)
            except Exception as error:  # noqa: BLE001 - the last place where it can be answered
                response = self._answer(error, scope)
                if status == 0:
                    await response(scope, receive, sending)
        route = scope.get("route_path", NO_ROUTE)
        self._metrics.request(scope["method"], route, status, self._clock() - began)

    def _answer(self, error: Exception, scope: Scope) -> Response:
        conventions = self._conventions_of(scope["path"])
        refusal, headers = _refusal(error, scope, conventions.fault)
        status = status_of(refusal)
        if status in (401, 403) and not scope.get("audited"):
            principal = scope.get("principal")
            if principal or self._unauthenticated.take():
                self._audit.write(
                    who=principal.name if principal else None,
                    what=f"{scope['method'][:16]} {scope.get('route_path', NO_ROUTE)}",
                    cluster=scope.get("cluster_key"),
                    job=None,
                    action_id=None,
                    result=refusal.code,
                    status=status,
                )
        return conventions.refused(refusal, headers)


class Authenticated:
    """Rejects requests that are unauthenticated, or that come too often.

    Args:
        app: What answers.
        conventions_of: How a caller shows who they are.
        rate_limit: Counts each caller's requests.
        open_paths: What anybody may ask for.
    """

    def __init__(
        self,
        app: ASGIApp,
        conventions_of: ConventionsOf,
        rate_limit: RateLimit,
        open_paths: Collection[str],
    ) -> None:
        self._app = app
        self._conventions_of = conventions_of
        self._rate_limit = rate_limit
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, if its caller may call."""
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            if scope.get(OVERLOADED):
                raise Refusal(
                    "TooManyConnections",
                    "There are too many connections to the gateway, of this address or of all. "
                    "Nothing of this request was executed; close others, or retry later.",
                )
            conventions = self._conventions_of(scope["path"])
            scope["principal"], receive = await conventions.principal(scope, receive)
            self._rate_limit.take(scope["principal"].name)
        await self._app(scope, receive, send)


def _refusal(error: Exception, scope: Scope, fault: Refusal) -> tuple[Refusal, dict[str, str]]:
    if isinstance(error, Refusal):
        return error, {}
    if isinstance(error, HTTPException):
        return _of_the_router(error, scope), dict(error.headers or {})
    if isinstance(error, ClientDisconnect):
        return Refusal("ClientClosedRequest", "The request did not arrive whole."), {}
    _log.error("a request failed by a fault of the gateway", exc_info=error)
    return fault, {}


def _of_the_router(error: HTTPException, scope: Scope) -> Refusal:
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{scope['method'][:16]} is not possible here: {allowed} is."
        return Refusal("MethodNotAllowed", message)
    if error.status_code == 404:
        return Refusal("NotFound", "There is nothing under this path.")
    return Refusal("BadRequest", "The request cannot be understood.")
