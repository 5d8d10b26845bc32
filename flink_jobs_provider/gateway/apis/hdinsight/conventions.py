"""Who calls the HDInsight on AKS API, what its answers carry, and how its errors look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope

from flink_jobs_provider.gateway.http.conventions import ALWAYS, usable_id
from flink_jobs_provider.gateway.http.status_codes import status_of
from flink_jobs_provider.gateway.http.validation import RefusedProperties
from flink_jobs_provider.gateway.principal import Principal
from flink_jobs_provider.gateway.refusals import Refusal

_CHALLENGE = 'Bearer realm="flink-jobs", error="invalid_token"'

#: What is reported of an error that was not foreseen.
FAULT = Refusal(
    "InternalServerError",
    "The gateway failed because of a defect of its own. Whether the request had an effect is "
    "unknown: "
    "read the list of jobs before you send it again. Its log has details under the "
    "x-ms-request-id of this answer.",
)


class ArmResponse(JSONResponse):
    """A JSON answer with the content type of Azure's."""

    media_type = "application/json; charset=utf-8"


def envelope(refusal: Refusal) -> dict[str, Any]:
    """Return the body of a refusal."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.target:
        error["target"] = refusal.target
    if isinstance(refusal, RefusedProperties):
        error["details"] = [
            {"code": refusal.code, "message": problem.message, "target": problem.target}
            for problem in refusal.problems
        ]
    return {"error": error}


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> ArmResponse:
    """Return the answer to a request that is refused.

    `Retry-After` goes with 429 alone: Microsoft's clients resend every request whose refusal
    carries it, POST included (azure-core 1.41, `RetryPolicy.is_retry`), and only of 429 is it
    certain that nothing has begun and that the very same request will be taken later.
    """
    headers = dict(headers or {})
    status = status_of(refusal)
    if status == 401:
        headers["WWW-Authenticate"] = _CHALLENGE
    if status == 429:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after or 1)))
    return ArmResponse(envelope(refusal), status, headers)


class Authenticator(Protocol):
    """Returns who calls."""

    async def authenticate(self, authorization: str | None) -> Principal:
        """Return the caller, or raise a Refusal."""


class ArmConventions:
    """Bearer tokens, Azure's request ids, and error envelopes as Azure Resource Manager has them.

    Args:
        authenticator: Returns who calls.
    """

    fault = FAULT

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def principal(self, scope: Scope, receive: Receive) -> tuple[Principal, Receive]:
        """Return who a request is of."""
        authorization = Headers(scope=scope).get("authorization")
        return await self._authenticator.authenticate(authorization), receive

    def headers(self, given: Headers, request_id: str) -> dict[str, str]:
        """Return the ids of a request, the caller's own among them."""
        correlation_id = given.get("x-ms-correlation-request-id", "")
        ids = {
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": (
                correlation_id if usable_id(correlation_id) else request_id
            ),
        }
        client_id = given.get("x-ms-client-request-id", "")
        wanted = given.get("x-ms-return-client-request-id", "").lower() == "true"
        if wanted and usable_id(client_id):
            ids["x-ms-client-request-id"] = client_id
        return ids | ALWAYS

    def refused(self, refusal: Refusal, headers: Mapping[str, str]) -> Response:
        """Return the answer to a request that is refused."""
        return refused(refusal, headers)
