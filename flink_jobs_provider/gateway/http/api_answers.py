"""What is done with every request of all APIs: its ids, who sent it, and an answer.

Each refusal has its status here, every answer its headers, and the audit log its entries. What the
API of each service has of its own are its `ApiConventions`.
"""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flink_jobs_provider.gateway.ops.log import AuditEntry, LogLimit
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal, RefusalCode

_CODES: Mapping[HTTPStatus, Sequence[RefusalCode]] = {
    HTTPStatus.BAD_REQUEST: (
        *("BadRequest", "ClientClosedRequest", "InvalidApiVersionParameter", "InvalidParameter"),
        *("InvalidRequestContent", "MissingApiVersionParameter"),
    ),
    HTTPStatus.UNAUTHORIZED: (
        *("AuthenticationFailed", "ExpiredAuthenticationToken", "InvalidAuthenticationToken"),
        "InvalidSignature",
    ),
    HTTPStatus.FORBIDDEN: ("AuthorizationFailed",),
    HTTPStatus.NOT_FOUND: ("ClusterNotFound", "JobNotFound", "NotFound", "ResourceNotFound"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("MethodNotAllowed",),
    HTTPStatus.REQUEST_TIMEOUT: ("RequestTimeout",),
    HTTPStatus.CONFLICT: ("ActionInProgress", "Conflict", "JobAlreadyExists", "JobStatusConflict"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("RequestContentTooLarge",),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("UnsupportedMediaType",),
    HTTPStatus.TOO_MANY_REQUESTS: ("TooManyActions", "TooManyRequests"),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("InternalServerError",),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        *("AuthenticationUnavailable", "ClusterUnavailable", "RecordsUnavailable"),
        *("ServiceUnavailable", "TooManyConnections"),
    ),
}
#: The HTTP status of each refusal: the one place where a status is chosen.
STATUSES = {code: status for status, codes in _CODES.items() for code in codes}
#: Headers of every answer, whosever it is.
ALWAYS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
#: Of every answer over TLS: clients that heed it speak no plain HTTP to this host for a year.
HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of the answer to a request that is refused."""
    return int(STATUSES[refusal.code])


def when_to_retry(refusal: Refusal) -> dict[str, str]:
    """Return the header `Retry-After` of a refusal.

    It goes with 429 alone: Microsoft's clients resend every request whose refusal carries it, POST
    included (azure-core 1.41, `RetryPolicy.is_retry`), and only of 429 is it certain that nothing
    has begun and that the very same request will be taken later.
    """
    if status_of(refusal) != HTTPStatus.TOO_MANY_REQUESTS:
        return {}
    return {"Retry-After": str(max(1, math.ceil(refusal.retry_after or 1)))}


def fault(read: str, id_header: str) -> Refusal:
    """Return what is reported of an error that was not foreseen.

    Args:
        read: What shows whether the request had an effect.
        id_header: The header with the request's id.
    """
    return Refusal(
        "InternalServerError",
        "The gateway failed because of a defect of its own. Whether the request had an effect is "
        f"unknown: read {read} before you send it again. Its log has details under the "
        f"{id_header} of this answer.",
    )


class Authenticator(Protocol):
    """Returns who calls, by a token."""

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return the caller, or raise a Refusal."""


class ApiConventions(Protocol):
    """How the face of one service answers."""

    @property
    def fault(self) -> Refusal:
        """What is reported of an error that was not foreseen."""

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of, and what it is received by from here on.

        Raises:
            Refusal: 401, they have not shown who they are; 503, it cannot be checked now.
        """

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the headers of every answer: client and log speak of the same request by them."""

    def refused(
        self, refusal: Refusal, headers: Mapping[str, str], scope: Scope | None
    ) -> Response:
        """Return the answer to a request that is refused.

        Args:
            refusal: Why it is.
            headers: Headers of the answer.
            scope: The request; None for one that could not be read.
        """


#: Returns the conventions of the API that a path belongs to.
ConventionsOf = Callable[[str], ApiConventions]
#: Writes an entry to the audit log.
Audit = Callable[[AuditEntry], None]


@dataclass
class AuditedCall:
    """What is written to the audit log of a call that changes something."""

    principal: Principal
    what: str
    cluster: str | None = None
    job: str | None = None
    action_id: str | None = None


@contextlib.asynccontextmanager
async def audited(
    audit: Audit,
    request: Request,
    call: AuditedCall,
    answer_to: Callable[[Exception], tuple[int, str]],
    accepted: int | None,
) -> AsyncIterator[AuditedCall]:
    """Record what a call asks for, and whether it was refused.

    Args:
        audit: Where it is recorded.
        request: The request that makes the call.
        call: What is known of the call; what is found out within the context is recorded, too.
        answer_to: Returns the status and the error code that an error is answered with.
        accepted: The status of the answer to what is accepted; None where only refusals are
            recorded.
    """

    def write(status: int, result: str) -> None:
        audit(
            AuditEntry(
                who=call.principal.name,
                what=call.what,
                cluster=call.cluster or request.scope.get("cluster_key"),
                job=call.job,
                action_id=call.action_id,
                result=result,
                status=status,
            )
        )

    try:
        yield call
    except Exception as error:
        request.scope["audited"] = True
        write(*answer_to(error))
        raise
    if accepted:
        write(accepted, "ACCEPTED")


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
        return conventions.refused(refusal, headers, scope)


_READS = frozenset(("GET", "HEAD", "OPTIONS"))
#: Headers that have a server do nothing where a resource is another one (RFC 9110, section 13.1).
_CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")


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
            _check_conditions(scope)
        await self._app(scope, receive, send)


def _check_conditions(scope: Scope) -> None:
    """Check that no change is asked for on a condition that nobody would look at."""
    if scope["method"] in _READS:
        return
    headers = Headers(scope=scope)
    for name in (each for each in _CONDITIONS if each in headers):
        text = f"{name} is not possible here, since no job has an entity tag: leave it out. "
        raise Refusal("InvalidParameter", f"{text}Nothing was begun.", target=name)


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
