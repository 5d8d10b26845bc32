"""This API in the OpenAPI document: its operations, and the schemas of its answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flink_jobs_provider.gateway.apis.dli import schema
from flink_jobs_provider.gateway.apis.dli.conventions import CODES
from flink_jobs_provider.gateway.http.routing import (
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
from flink_jobs_provider.wire.dli import DliStatus

_REASONS = {
    **REASONS,
    HTTPStatus.UNAUTHORIZED: "There is no token or signature, or it is not accepted.",
    HTTPStatus.FORBIDDEN: "The caller has no such role, or there is no such project.",
    HTTPStatus.NOT_FOUND: "There is nothing under this path.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests or actions; nothing was begun.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The gateway cannot work now.",
}
_REFUSED = Refused(
    reference("DliError"),
    {
        **{status: f"{why[:-1]} ({CODES[status]})." for status, why in _REASONS.items()},
        HTTPStatus.BAD_REQUEST: "Something in the request is invalid (DLI.0001), there is no such "
        "job (DLI.16001), its name is taken (DLI.0006), or it is not possible now (DLI.0007).",
    },
)
_WHOLE: Schema = {"type": "integer"}
_SECURITY: list[Schema] = [{"token": []}, {"signature": []}, {"bearer": []}]

SECURITY_SCHEMES = {
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`, as Huawei's SDKs "
        "sign requests, with `X-Sdk-Date`.",
    },
}
SCHEMAS: dict[str, Schema] = {
    "DliJob": {
        "type": "object",
        "required": ["job_id", "name", "status", "job_type", "queue_name"],
        "properties": {
            "job_id": _WHOLE,
            "name": TEXT,
            "status": {"enum": [str(status) for status in DliStatus]},
            "status_desc": TEXT,
            "queue_name": TEXT,
            "has_savepoint": {"type": "boolean"},
            "savepoint_path": TEXT,
            "job_config": {"type": "object"},
        },
    },
    "DliError": object_of(error_code=TEXT, error_msg=TEXT),
}


def _call(name: str, shown: Schema, **more: Any) -> Operation:
    answers = {200: answer("It is on record, or shown.", shown)}
    return Operation(name, answers, _REFUSED, security=_SECURITY, **more)


def _envelope(**more: Schema) -> Schema:
    return object_of(is_success={"const": "true"}, message=TEXT, **more)


def _batch(name: str, flag: str | None) -> Operation:
    each = object_of(is_success=TEXT, message=TEXT)
    return _call(name, {"type": "array", "items": each}, body=schema.batch_body(flag))


_GRAPH = {"type": "object", "required": ["jid", "name", "state"]}
_LISTED = object_of(total_count=_WHOLE, jobs={"type": "array", "items": reference("DliJob")})

CREATE = _call(
    "createFlinkJarJob",
    _envelope(job=object_of(job_id=_WHOLE, status_name=TEXT, status_desc=TEXT)),
    body=schema.CREATE,
    body_name="DliCreate",
)
UPDATE = _call(
    "updateFlinkJarJob",
    _envelope(job=object_of(update_time=_WHOLE)),
    body=schema.UPDATE,
    body_name="DliUpdate",
)
RUN = _batch("batchRunFlinkJobs", "resume_savepoint")
STOP = _batch("batchStopFlinkJobs", "trigger_savepoint")
DELETE_ALL = _batch("batchDeleteFlinkJobs", None)
LIST = _call(
    "listFlinkJobs",
    _envelope(job_list=_LISTED),
    query=[
        *(
            query_parameter(name, TEXT)
            for name in ("name", "queue_name", "user_name", "tags", "job_type")
        ),
        query_parameter("status", {"enum": [str(status) for status in DliStatus]}),
        query_parameter("order", {"enum": ["asc", "desc"]}),
        query_parameter("show_detail", {"enum": ["true", "false"]}),
        query_parameter("offset", {**_WHOLE, "minimum": 0}),
        query_parameter("limit", {**_WHOLE, "minimum": 0, "maximum": 100}),
        query_parameter("root_job_id", {**_WHOLE, "minimum": 0}),
    ],
)
SHOW = _call("showFlinkJob", _envelope(job_detail=reference("DliJob")))
DELETE = _call("deleteFlinkJob", _envelope())
TRIGGER = _call("executeFlinkJobSavepoint", _envelope(), body=schema.TRIGGER)
IMPORT = _call("importFlinkJobSavepoint", _envelope(), body=schema.IMPORT)
GRAPH = _call("showFlinkJobExecutionGraph", _envelope(execute_graph=_GRAPH))
BUCKETS = _call("registerBucket", _envelope(), body=schema.BUCKETS)
