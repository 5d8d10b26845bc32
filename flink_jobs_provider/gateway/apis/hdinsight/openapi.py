"""This API in the OpenAPI document: its operations, and the schemas of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flink_jobs_provider.gateway.apis.hdinsight.conventions import FAIL_OPERATION
from flink_jobs_provider.gateway.apis.hdinsight.schema import actions_of, body_schema, row_schema
from flink_jobs_provider.gateway.http.routing import (
    READING,
    REASONS,
    TEXT,
    Operation,
    Refused,
    Schema,
    answer,
    object_of,
    query_parameter,
    reference,
)
from flink_jobs_provider.gateway.job_board import MOST_SAVEPOINTS
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.wire.hdinsight import ApiVersion

REFUSED = Refused(
    reference("Error"),
    {
        **REASONS,
        HTTPStatus.BAD_REQUEST: "Something in the request is invalid: `details` names every "
        "property.",
        HTTPStatus.UNAUTHORIZED: "There is no token, or it is not accepted.",
        HTTPStatus.FORBIDDEN: "The caller has no such role on the cluster, or there is no such "
        "cluster.",
        HTTPStatus.NOT_FOUND: "There is no such cluster, job or operation.",
        HTTPStatus.CONFLICT: "The name is taken, the job's status does not allow it, or an action "
        "is in progress.",
        HTTPStatus.TOO_MANY_REQUESTS: "Too many requests or actions; nothing was begun. "
        "`Retry-After` holds when to retry.",
        HTTPStatus.SERVICE_UNAVAILABLE: "The gateway cannot work now: its records or its issuer's "
        "keys are unavailable.",
    },
)
_FAIL_OPERATION = query_parameter(
    FAIL_OPERATION,
    {"type": "boolean", "default": False},
    "Whether the operation of an action that failed fails, too.",
)
_TIME = {"type": "string", "format": "date-time"}
_DETAIL: Mapping[str, Schema] = {
    "code": TEXT,
    "message": TEXT,
    "target": {"type": "string", "description": "Path of the property that is invalid."},
}


def run_job(version: str) -> Operation:
    """Return the operation of `runJob`."""
    known = ApiVersion(version)
    accepted = {
        "description": "The action is on record. Both headers hold the address of its operation.",
        "headers": {name: {"schema": TEXT} for name in ("Location", "Azure-AsyncOperation")},
        "content": {"application/json": {"schema": {"type": "null"}}},
    }
    return Operation(
        "runJob",
        {202: accepted},
        REFUSED,
        refusals=(*READING, HTTPStatus.CONFLICT),
        query=[version_parameter(version), _FAIL_OPERATION],
        body={"anyOf": [body_schema(action, known) for action in actions_of(known)]},
        body_name="Body",
    )


def jobs(version: str) -> Operation:
    """Return the operation of a list of jobs."""
    parameters = [version_parameter(version)]
    if ApiVersion(version).has_run_ids:
        filters = "`jobName eq <name>` or `jarName eq <name>`."
        parameters.append(query_parameter("$filter", TEXT, filters))
    count = {"type": "integer", "minimum": 0}
    parameters.append(query_parameter("$top", count, "How many jobs, on all pages together."))
    parameters.append(query_parameter("$skipToken", TEXT, "As a `nextLink` has it."))
    page = object_of(value={"type": "array", "items": reference("Job")})
    page["properties"]["nextLink"] = {**TEXT, "description": "Address of the next page."}
    answers = {200: answer("A page of jobs.", page)}
    return Operation("jobs", answers, REFUSED, query=parameters, id_by_method=True)


def savepoints(version: str) -> Operation:
    """Return the operation of a list of savepoints."""
    savepoint = object_of(
        name={"type": "string", "description": "As `savePointName` takes it."},
        path=TEXT,
        takenAt={"type": ["string", "null"], "format": "date-time"},
        reason={"enum": [str(reason) for reason in SavepointReason]},
        disposedAt={
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it was disposed of: nothing is started from it any more.",
        },
    )
    listed = object_of(value={"type": "array", "items": savepoint})
    answers = {200: answer(f"The newest {MOST_SAVEPOINTS}.", listed)}
    return Operation("savepoints", answers, REFUSED, query=[version_parameter(version)])


def operation_status(version: str) -> Operation:
    """Return the operation of an operation's status document."""
    return Operation(
        "operationStatus",
        {200: answer("The operation.", reference("Operation"))},
        REFUSED,
        refusals=[status for status in READING if status != HTTPStatus.FORBIDDEN],
        query=[version_parameter(version), _FAIL_OPERATION],
    )


def version_parameter(version: str, *, required: bool = True) -> Schema:
    """Return the parameter `api-version` of a document of one version."""
    schema = {"type": "string", "enum": [str(version)]}
    return query_parameter("api-version", schema, required=required)


def schemas(version: str) -> dict[str, Any]:
    """Return the schemas of answers."""
    operation = {
        "type": "object",
        "required": ["id", "name", "resourceId", "status", "startTime", "properties"],
        "properties": {
            "id": TEXT,
            "name": TEXT,
            "resourceId": {"type": "string", "description": "Id of the cluster."},
            "status": {"enum": ["InProgress", "Succeeded", "Failed"]},
            "startTime": _TIME,
            "endTime": _TIME,
            "properties": {"type": ["object", "null"]},
            "error": {"$ref": "#/components/schemas/Error/properties/error"},
        },
    }
    details = {"type": "array", "items": object_of(**_DETAIL)}
    error = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {**_DETAIL, "details": details},
    }
    job = row_schema(ApiVersion(version))
    return {"Job": job, "Operation": operation, "Error": object_of(error=error)}
