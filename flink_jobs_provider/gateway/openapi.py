"""The OpenAPI document, made of the application's routes and their schemas of bodies."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version as version_of
from typing import Any

from flink_jobs_provider.gateway.apis.dli import openapi as dli
from flink_jobs_provider.gateway.apis.hdinsight import openapi as hdinsight
from flink_jobs_provider.gateway.http.routing import (
    TEXT,
    DescribedRoute,
    Document,
    Operation,
    Schema,
    answer,
    object_of,
)
from flink_jobs_provider.wire.hdinsight import ApiVersion

_FOR_ANYBODY = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.INTERNAL_SERVER_ERROR)
_FOR_CALLERS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def openapi_document(routes: Iterable[DescribedRoute], version: ApiVersion) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API in one of its versions."""
    document = Document(version)
    document.add(routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flink jobs gateway",
            "version": version_of("flink-jobs-provider"),
            "description": "The job services of HDInsight on AKS and of Data Lake Insight (below "
            "/v1.0), over Flink session clusters. Paths and names of query parameters of the "
            "former have no case.",
        },
        "security": [{"bearer": []}],
        "paths": document.paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                **dli.SECURITY_SCHEMES,
            },
            "schemas": {**document.schemas, **hdinsight.schemas(version), **dli.SCHEMAS},
        },
    }


def health() -> Operation:
    """Return the operation that tells whether the process works."""
    return _open("health")


def ready() -> Operation:
    """Return the operation that tells whether the gateway can work."""
    why = object_of(status=TEXT)
    why["properties"]["problems"] = {"type": "array", "items": TEXT}
    return _open("ready", {503: answer("It cannot. Callers with a token are told why.", why)})


def metrics() -> Operation:
    """Return the operation of the metrics."""
    text: Schema = {"description": "All metrics.", "content": {"text/plain": {}}}
    return Operation(
        "metrics",
        {200: text},
        hdinsight.REFUSED,
        refusals=(*_FOR_CALLERS, HTTPStatus.FORBIDDEN),
    )


def openapi(version: str) -> Operation:
    """Return the operation of the document itself."""
    return Operation(
        "openapi",
        {200: answer("The document.", {"type": "object"})},
        hdinsight.REFUSED,
        refusals=(*_FOR_CALLERS, HTTPStatus.BAD_REQUEST),
        query=[hdinsight.version_parameter(version, required=False)],
    )


def _open(name: str, more: dict[int, Schema] | None = None) -> Operation:
    answers = {200: answer("It does.", {"type": "object", "required": ["status"]}), **(more or {})}
    return Operation(name, answers, hdinsight.REFUSED, refusals=_FOR_ANYBODY, security=[])
