"""Errors as Azure Resource Manager answers them: `{"error": {code, message, target, details}}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

from flink_jobs_provider.gateway.http.problems import RefusedProperties
from flink_jobs_provider.gateway.service import Refusal

_CHALLENGE = 'Bearer realm="flink-jobs", error="invalid_token"'

#: What is told of an error that nobody foresaw.
FAULT = Refusal(
    500,
    "InternalServerError",
    "The gateway failed, by a fault of its own. Whether the request had an effect is not known: "
    "look at the list of jobs before sending it again. Its log says more under the "
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
    if refusal.status == 401:
        headers["WWW-Authenticate"] = _CHALLENGE
    if refusal.status == 429:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after or 1)))
    return ArmResponse(envelope(refusal), refusal.status, headers)
