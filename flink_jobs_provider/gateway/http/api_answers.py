"""What the answers of all APIs have in common: a status for each refusal, headers, the audit.

What the API of each service has of its own are its `ApiConventions`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from flink_jobs_provider.gateway.ops.log import AuditEntry
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

    def refused(self, refusal: Refusal, headers: Mapping[str, str]) -> Response:
        """Return the answer to a request that is refused."""


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
