"""The HTTP status of each refusal: the one place where a status is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from flink_jobs_provider.gateway.refusals import Refusal, RefusalCode

STATUSES: Mapping[RefusalCode, HTTPStatus] = {
    "BadRequest": HTTPStatus.BAD_REQUEST,
    "ClientClosedRequest": HTTPStatus.BAD_REQUEST,
    "InvalidApiVersionParameter": HTTPStatus.BAD_REQUEST,
    "InvalidParameter": HTTPStatus.BAD_REQUEST,
    "InvalidRequestContent": HTTPStatus.BAD_REQUEST,
    "MissingApiVersionParameter": HTTPStatus.BAD_REQUEST,
    "AuthenticationFailed": HTTPStatus.UNAUTHORIZED,
    "ExpiredAuthenticationToken": HTTPStatus.UNAUTHORIZED,
    "InvalidAuthenticationToken": HTTPStatus.UNAUTHORIZED,
    "InvalidSignature": HTTPStatus.UNAUTHORIZED,
    "AuthorizationFailed": HTTPStatus.FORBIDDEN,
    "ClusterNotFound": HTTPStatus.NOT_FOUND,
    "JobNotFound": HTTPStatus.NOT_FOUND,
    "NotFound": HTTPStatus.NOT_FOUND,
    "ResourceNotFound": HTTPStatus.NOT_FOUND,
    "MethodNotAllowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "RequestTimeout": HTTPStatus.REQUEST_TIMEOUT,
    "ActionInProgress": HTTPStatus.CONFLICT,
    "Conflict": HTTPStatus.CONFLICT,
    "JobAlreadyExists": HTTPStatus.CONFLICT,
    "JobStatusConflict": HTTPStatus.CONFLICT,
    "RequestContentTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "UnsupportedMediaType": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "TooManyActions": HTTPStatus.TOO_MANY_REQUESTS,
    "TooManyRequests": HTTPStatus.TOO_MANY_REQUESTS,
    "InternalServerError": HTTPStatus.INTERNAL_SERVER_ERROR,
    "AuthenticationUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "ClusterUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "RecordsUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "ServiceUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "TooManyConnections": HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of the answer to a request that is refused."""
    return int(STATUSES[refusal.code])
