"""Errors as Data Lake Insight answers them: `{"error_code", "error_msg"}`.

The codes are those of the service's own table; a job that is not there has one of its own
(DLI.16001), and comes with 400, as everything that is wrong with a request. What the API gateway
before the service answers is `APIGW`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.responses import JSONResponse

from flink_jobs_provider.gateway.service import Refusal

BAD_PARAMETER = "DLI.0001"
NO_SUCH_JOB = "DLI.16001"
EXISTS = "DLI.0006"
NOT_POSSIBLE = "DLI.0007"
SERVER_SIDE = "DLI.0999"
NO_SUCH_API = "APIGW.0101"
BAD_REQUEST = "APIGW.0201"
NOT_AUTHENTICATED = "APIGW.0301"
NOT_AUTHORIZED = "APIGW.0302"
TOO_MANY = "APIGW.0308"

#: What is told of an error that nobody foresaw.
FAULT = Refusal(
    500,
    "InternalServerError",
    "The gateway failed, by a fault of its own. Whether the request had an effect is not known: "
    "look at the job before sending it again. Its log says more under the X-Request-Id of this "
    "answer.",
)

_BY_STATUS = {
    400: (400, BAD_PARAMETER),
    401: (401, NOT_AUTHENTICATED),
    403: (403, NOT_AUTHORIZED),
    404: (404, NO_SUCH_API),
    405: (405, NO_SUCH_API),
    408: (408, BAD_REQUEST),
    409: (400, NOT_POSSIBLE),
    413: (413, BAD_REQUEST),
    415: (415, BAD_REQUEST),
    429: (429, TOO_MANY),
    503: (503, SERVER_SIDE),
}
_BY_CODE = {
    "JobNotFound": (400, NO_SUCH_JOB),
    "JobAlreadyExists": (400, EXISTS),
}


def code_of(refusal: Refusal) -> tuple[int, str]:
    """Return the HTTP status and the error code of a refusal."""
    known = _BY_CODE.get(refusal.code) or _BY_STATUS.get(refusal.status)
    return known or (refusal.status, SERVER_SIDE)


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is refused."""
    status, code = code_of(refusal)
    headers = dict(headers or {})
    if status == 429:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after or 1)))
    return JSONResponse({"error_code": code, "error_msg": refusal.message}, status, headers)


def no_such_job(number: str | int) -> Refusal:
    """Return the refusal of a job that is not there, or not for this caller."""
    return Refusal(404, "JobNotFound", f"There is no Flink job {str(number)[:40]} in this project.")
