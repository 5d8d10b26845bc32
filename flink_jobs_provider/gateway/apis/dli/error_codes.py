"""Errors as Data Lake Insight answers them: `{"error_code", "error_msg"}`.

The codes are those of the service's own table; a job that is not there has one of its own
(DLI.16001), and comes with 400, as everything that is invalid in a request. What the API gateway
before the service answers is `APIGW`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse

from flink_jobs_provider.gateway.apis.dli.call_words import CALL_WORDS
from flink_jobs_provider.gateway.http.status_codes import STATUSES
from flink_jobs_provider.gateway.refusals import Refusal, RefusalCode

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

#: What is reported of an error that was not foreseen.
FAULT = Refusal(
    "InternalServerError",
    "The gateway failed because of a defect of its own. Whether the request had an effect is "
    "unknown: "
    "read the job before you send it again. Its log has details under the X-Request-Id of this "
    "answer.",
)

_BY_STATUS = {
    HTTPStatus.BAD_REQUEST: (HTTPStatus.BAD_REQUEST, BAD_PARAMETER),
    HTTPStatus.UNAUTHORIZED: (HTTPStatus.UNAUTHORIZED, NOT_AUTHENTICATED),
    HTTPStatus.FORBIDDEN: (HTTPStatus.FORBIDDEN, NOT_AUTHORIZED),
    HTTPStatus.NOT_FOUND: (HTTPStatus.NOT_FOUND, NO_SUCH_API),
    HTTPStatus.METHOD_NOT_ALLOWED: (HTTPStatus.METHOD_NOT_ALLOWED, NO_SUCH_API),
    HTTPStatus.REQUEST_TIMEOUT: (HTTPStatus.REQUEST_TIMEOUT, BAD_REQUEST),
    HTTPStatus.CONFLICT: (HTTPStatus.BAD_REQUEST, NOT_POSSIBLE),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, BAD_REQUEST),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, BAD_REQUEST),
    HTTPStatus.TOO_MANY_REQUESTS: (HTTPStatus.TOO_MANY_REQUESTS, TOO_MANY),
    HTTPStatus.INTERNAL_SERVER_ERROR: (HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_SIDE),
    HTTPStatus.SERVICE_UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, SERVER_SIDE),
}
_BY_CODE: Mapping[RefusalCode, tuple[HTTPStatus, str]] = {
    "JobNotFound": (HTTPStatus.BAD_REQUEST, NO_SUCH_JOB),
    "JobAlreadyExists": (HTTPStatus.BAD_REQUEST, EXISTS),
}


def code_of(refusal: Refusal) -> tuple[int, str]:
    """Return the HTTP status and the error code of a refusal."""
    status, code = _BY_CODE.get(refusal.code) or _BY_STATUS[STATUSES[refusal.code]]
    return int(status), code


def refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is refused."""
    status, code = code_of(refusal)
    refusal.wording = CALL_WORDS
    headers = dict(headers or {})
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after or 1)))
    return JSONResponse({"error_code": code, "error_msg": refusal.message}, status, headers)


def no_such_job(number: str | int) -> Refusal:
    """Return the refusal of a job that is not there, or not for this caller."""
    return Refusal("JobNotFound", f"There is no Flink job {str(number)[:40]} in this project.")
