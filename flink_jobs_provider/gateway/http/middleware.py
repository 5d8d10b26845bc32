"""What is done with every request: its ids, who sent it, and an answer whatever happens."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flink_jobs_provider.gateway.http.api_answers import HSTS, Audit, ConventionsOf, status_of
from flink_jobs_provider.gateway.ops.log import AuditEntry, LogLimit
from flink_jobs_provider.gateway.refusals import Refusal

_log = structlog.get_logger("gateway.request")

#: Key of a scope: whether its connection is beyond a limit, so that it is closed after the answer.
OVERLOADED = "overloaded"
#: In place of a route, for a path that is none.
NO_ROUTE = "none"
#: Counts an answer: method, route, status, seconds.
CountAnswer = Callable[[str, str, int, float], None]


class Answering:
    """Adds ids to each request, and answers errors with the envelope of their API.

    The outermost: what goes wrong below it is answered here, and a fault of the gateway's own is
    logged here.

    Args:
        app: What answers.
        conventions_of: Whose ids and error envelopes count.
        count: Counts each answer.
        audit: Records each request whose caller may not make it.
    """

    def __init__(
        self,
        app: ASGIApp,
        conventions_of: ConventionsOf,
        count: CountAnswer,
        audit: Audit,
    ) -> None:
        self._app = app
        self._conventions_of = conventions_of
        self._count = count
        self._audit = audit
        self._unauthenticated = LogLimit("refusals without authentication")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
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
        self._count(scope["method"], route, status, time.monotonic() - began)

    def _answer(self, error: Exception, scope: Scope) -> Response:
        conventions = self._conventions_of(scope["path"])
        refusal, headers = _refusal(error, scope, conventions.fault)
        status = status_of(refusal)
        if status in (401, 403) and not scope.get("audited"):
            principal = scope.get("principal")
            if principal or self._unauthenticated.take():
                self._audit(
                    AuditEntry(
                        who=principal.name if principal else None,
                        what=f"{scope['method'][:16]} {scope.get('route_path', NO_ROUTE)}",
                        cluster=scope.get("cluster_key"),
                        result=refusal.code,
                        status=status,
                    )
                )
        return conventions.refused(refusal, headers)


class Authenticated:
    """Rejects requests that are unauthenticated, or that come too often.

    Args:
        app: What answers.
        conventions_of: How a caller shows who they are.
        limit: Counts a request of a caller, by name, or raises a Refusal.
        open_paths: What anybody may ask for.
    """

    def __init__(
        self,
        app: ASGIApp,
        conventions_of: ConventionsOf,
        limit: Callable[[str], None],
        open_paths: Collection[str],
    ) -> None:
        self._app = app
        self._conventions_of = conventions_of
        self._limit = limit
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
            self._limit(scope["principal"].name)
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
