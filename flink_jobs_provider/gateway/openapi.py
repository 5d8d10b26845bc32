"""The OpenAPI document, made from the schemas that requests are checked by."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version as version_of
from typing import Any

from flink_jobs_provider.gateway.apis.dli import openapi as dli
from flink_jobs_provider.gateway.apis.hdinsight.operation_status import FAIL_OPERATION
from flink_jobs_provider.gateway.apis.hdinsight.routes import (
    JOBS_PATH,
    RUN_JOB_PATH,
    SAVEPOINTS_PATH,
    STATUS_PATH,
)
from flink_jobs_provider.gateway.apis.hdinsight.schema import body_schema, row_schema
from flink_jobs_provider.gateway.apis.hdinsight.versions import actions_of
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.wire.hdinsight import ApiVersion

_JSON = "application/json"
_REASONS = {
    400: "Something in the request is wrong: `details` names every property.",
    401: "There is no token, or it is not accepted.",
    403: "The caller has no such role on the cluster, or there is no such cluster.",
    404: "There is no such cluster, job or operation.",
    405: "This method is not served here.",
    408: "The body did not arrive in time.",
    409: "The name is taken, the job's status does not allow it, or an action is in progress.",
    413: "The body is larger than the gateway takes.",
    415: "The body is no JSON by its headers.",
    429: "Too many requests or actions; nothing was begun. `Retry-After` says when to try again.",
    500: "A fault of the gateway.",
    503: "The gateway cannot work now: its records or its issuer's keys cannot be reached.",
}
_ANY = (400, 401, 403, 404, 405, 429, 500, 503)


@lru_cache
def openapi_document(version: ApiVersion) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API in one of its versions."""
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
        "paths": {
            RUN_JOB_PATH: {"post": _run_job(version)},
            JOBS_PATH: {"get": _jobs(version, "get"), "post": _jobs(version, "post")},
            SAVEPOINTS_PATH: {"get": _savepoints(version)},
            STATUS_PATH: {"get": _operation_status(version)},
            **{
                path: dli.with_path_parameters(path, methods)
                for path, methods in dli.paths().items()
            },
            "/healthz": {"get": _open("health", "Tell whether the process works.", (405, 500))},
            "/readyz": {"get": _ready()},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _openapi(version)},
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                **dli.SECURITY_SCHEMES,
            },
            "schemas": {
                "Body": {"anyOf": [body_schema(action, version) for action in actions_of(version)]},
                "Job": row_schema(version),
                "Operation": _OPERATION,
                "Error": _ERROR,
                **dli.schemas(),
            },
        },
    }


def _run_job(version: ApiVersion) -> dict[str, Any]:
    accepted = {
        "description": "The action is on record. Both headers hold the address of its operation.",
        "headers": {
            name: {"schema": {"type": "string"}} for name in ("Location", "Azure-AsyncOperation")
        },
        "content": {_JSON: {"schema": {"type": "null"}}},
    }
    return {
        "operationId": "runJob",
        "summary": "Begin an action on a job.",
        "parameters": [*_cluster(), _version(version), _FAIL_OPERATION],
        "requestBody": {"required": True, "content": {_JSON: {"schema": _reference("Body")}}},
        "responses": {"202": accepted, **_refusals(*_ANY, 408, 409, 413, 415)},
    }


def _jobs(version: ApiVersion, method: str) -> dict[str, Any]:
    parameters = [*_cluster(), _version(version)]
    if version.has_run_ids:
        parameters.append(_query("$filter", "`jobName eq <name>` or `jarName eq <name>`."))
    parameters.append(_query("$skipToken", "As a `nextLink` has it."))
    page = {
        "type": "object",
        "required": ["value"],
        "properties": {
            "value": {"type": "array", "items": _reference("Job")},
            "nextLink": {"type": "string", "description": "Address of the next page."},
        },
    }
    return {
        "operationId": f"jobs-{method}",
        "summary": "List the jobs of a cluster.",
        "parameters": parameters,
        "responses": {"200": _answer("A page of jobs.", page), **_refusals(*_ANY)},
    }


def _savepoints(version: ApiVersion) -> dict[str, Any]:
    savepoint = {
        "type": "object",
        "required": ["name", "path", "takenAt", "reason"],
        "properties": {
            "name": {"type": "string", "description": "As `savePointName` takes it."},
            "path": {"type": "string"},
            "takenAt": {"type": ["string", "null"], "format": "date-time"},
            "reason": {"enum": [str(reason) for reason in SavepointReason]},
        },
    }
    listed = {
        "type": "object",
        "required": ["value"],
        "properties": {"value": {"type": "array", "items": savepoint}},
    }
    return {
        "operationId": "savepoints",
        "summary": "List the savepoints on record of a job, the newest first; without an action.",
        "parameters": [*_cluster(), _path("job_name"), _version(version)],
        "responses": {"200": _answer("All of them.", listed), **_refusals(*_ANY)},
    }


def _operation_status(version: ApiVersion) -> dict[str, Any]:
    return {
        "operationId": "operationStatus",
        "summary": "Tell how far an action is.",
        "parameters": [_path("location"), _path("operation"), _version(version), _FAIL_OPERATION],
        "responses": {
            "200": _answer("The operation.", _reference("Operation")),
            **_refusals(*(status for status in _ANY if status != 403)),
        },
    }


def _open(name: str, summary: str, statuses: tuple[int, ...]) -> dict[str, Any]:
    schema = {"type": "object", "required": ["status"]}
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {"200": _answer("It does.", schema), **_refusals(*statuses)},
    }


def _ready() -> dict[str, Any]:
    operation = _open("ready", "Tell whether the gateway can work.", (405, 500))
    problems = {"type": "array", "items": {"type": "string"}}
    schema = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"type": "string"}, "problems": problems},
    }
    operation["responses"]["503"] = _answer(
        "It cannot. Who sends a token is told why, in `problems`.", schema
    )
    return operation


def _metrics() -> dict[str, Any]:
    return {
        "operationId": "metrics",
        "summary": "Metrics, for Prometheus. Needs a role on every cluster.",
        "responses": {
            "200": {"description": "All metrics.", "content": {"text/plain": {}}},
            **_refusals(401, 403, 405, 429, 500, 503),
        },
    }


def _openapi(version: ApiVersion) -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "parameters": [{**_version(version), "required": False}],
        "responses": {
            "200": _answer("The document.", {"type": "object"}),
            **_refusals(400, 401, 405, 429, 500, 503),
        },
    }


def _refusals(*statuses: int) -> dict[str, Any]:
    return {
        str(status): _answer(_REASONS[status], _reference("Error")) for status in sorted(statuses)
    }


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _cluster() -> list[dict[str, Any]]:
    return [_path(name) for name in ("subscription", "resource_group", "pool", "cluster")]


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def _version(version: ApiVersion) -> dict[str, Any]:
    return {
        "name": "api-version",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "enum": [str(version)]},
    }


_FAIL_OPERATION = {
    "name": FAIL_OPERATION,
    "in": "query",
    "description": "Whether the operation of an action that failed fails, too.",
    "schema": {"type": "boolean", "default": False},
}
_TIME = {"type": "string", "format": "date-time"}
_OPERATION: dict[str, Any] = {
    "type": "object",
    "required": ["id", "name", "resourceId", "status", "startTime", "properties"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": "string"},
        "resourceId": {"type": "string", "description": "Id of the cluster."},
        "status": {"enum": ["InProgress", "Succeeded", "Failed"]},
        "startTime": _TIME,
        "endTime": _TIME,
        "properties": {"type": ["object", "null"]},
        "error": {"$ref": "#/components/schemas/Error/properties/error"},
    },
}
_DETAIL = {
    "code": {"type": "string"},
    "message": {"type": "string"},
    "target": {"type": "string", "description": "Path of the property that is wrong."},
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                **_DETAIL,
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["code", "message", "target"],
                        "properties": _DETAIL,
                    },
                },
            },
        }
    },
}
