"""The Data Lake Insight face in the OpenAPI document, made from the schemas it checks bodies by."""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.gateway.apis.dli import schema
from flink_jobs_provider.gateway.apis.dli.paths import (
    BUCKETS_PATH,
    CREATE_PATH,
    DELETE_PATH,
    GRAPH_PATH,
    IMPORT_PATH,
    JOB_PATH,
    JOBS_PATH,
    RUN_PATH,
    SAVEPOINT_PATH,
    STOP_PATH,
    UPDATE_PATH,
)
from flink_jobs_provider.wire.dli import DliStatus

_JSON = "application/json"
_ERROR = {"$ref": "#/components/schemas/DliError"}
_REASONS = {
    400: "Something in the request is wrong (DLI.0001), there is no such job (DLI.16001), its name "
    "is taken (DLI.0006), or it is not possible now (DLI.0007).",
    401: "There is no token or signature, or it is not accepted (APIGW.0301).",
    403: "The caller has no such role, or there is no such project (APIGW.0302).",
    404: "There is nothing under this path (APIGW.0101).",
    405: "This method is not served here (APIGW.0101).",
    408: "The body did not arrive in time (APIGW.0201).",
    413: "The body is larger than the gateway takes (APIGW.0201).",
    415: "The body is no JSON by its headers (APIGW.0201).",
    429: "Too many requests or actions; nothing was begun (APIGW.0308).",
    500: "A fault of the gateway (DLI.0999).",
    503: "The gateway cannot work now (DLI.0999).",
}
_READING = (400, 401, 403, 404, 405, 429, 500, 503)
_WRITING = (*_READING, 408, 413, 415)
_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}

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


def schemas() -> dict[str, Any]:
    """Return the schemas that the paths refer to."""
    job = {
        "type": "object",
        "required": ["job_id", "name", "status", "job_type", "queue_name"],
        "properties": {
            "job_id": _WHOLE,
            "name": _TEXT,
            "status": {"enum": [str(status) for status in DliStatus]},
            "status_desc": _TEXT,
            "queue_name": _TEXT,
            "has_savepoint": {"type": "boolean"},
            "savepoint_path": _TEXT,
            "job_config": {"type": "object"},
        },
    }
    return {
        "DliCreate": schema.create_schema(),
        "DliUpdate": schema.update_schema(),
        "DliJob": job,
        "DliError": {
            "type": "object",
            "required": ["error_code", "error_msg"],
            "properties": {"error_code": _TEXT, "error_msg": _TEXT},
        },
    }


def paths() -> dict[str, Any]:
    """Return the paths of the face."""
    update_time = _object(update_time=_WHOLE)
    status = _object(job_id=_WHOLE, status_name=_TEXT, status_desc=_TEXT)
    graph = {"type": "object", "required": ["jid", "name", "state"]}
    listed = _object(total_count=_WHOLE, jobs={"type": "array", "items": _reference("DliJob")})
    return {
        CREATE_PATH: {
            "post": _call("createFlinkJarJob", "Create a job.", "DliCreate", _envelope(job=status))
        },
        UPDATE_PATH: {
            "put": _call(
                "updateFlinkJarJob",
                "Change a job; it counts from its next start on.",
                "DliUpdate",
                _envelope(job=update_time),
            )
        },
        RUN_PATH: {"post": _batch("batchRunFlinkJobs", "Run jobs.", "resume_savepoint")},
        STOP_PATH: {"post": _batch("batchStopFlinkJobs", "Stop jobs.", "trigger_savepoint")},
        DELETE_PATH: {"post": _batch("batchDeleteFlinkJobs", "Delete jobs.", None)},
        JOBS_PATH: {"get": _list(_envelope(job_list=listed))},
        JOB_PATH: {
            "get": _call(
                "showFlinkJob", "Show a job.", None, _envelope(job_detail=_reference("DliJob"))
            ),
            "delete": _call(
                "deleteFlinkJob", "Delete a job, also one that runs.", None, _envelope()
            ),
        },
        SAVEPOINT_PATH: {
            "post": _call(
                "executeFlinkJobSavepoint",
                "Take a savepoint.",
                schema.trigger_schema(),
                _envelope(),
            )
        },
        IMPORT_PATH: {
            "post": _call(
                "importFlinkJobSavepoint",
                "Name the savepoint that the next run starts from.",
                schema.import_schema(),
                _envelope(),
            )
        },
        GRAPH_PATH: {
            "get": _call(
                "showFlinkJobExecutionGraph",
                "Show Flink's job.",
                None,
                _envelope(execute_graph=graph),
            )
        },
        BUCKETS_PATH: {
            "post": _call(
                "registerBucket",
                "Let the service have buckets. It does nothing here: a cluster's own access to "
                "storage counts.",
                schema.buckets_schema(),
                _envelope(),
            )
        },
    }


def _batch(name: str, summary: str, flag: str | None) -> dict[str, Any]:
    answer = {"type": "array", "items": _object(is_success=_TEXT, message=_TEXT)}
    return _call(name, summary, schema.batch_schema(flag), answer)


def _list(answer: dict[str, Any]) -> dict[str, Any]:
    operation = _call("listFlinkJobs", "List the jobs of a project.", None, answer)
    words: dict[str, list[str]] = {
        "status": [str(status) for status in DliStatus],
        "order": ["asc", "desc"],
        "show_detail": ["true", "false"],
    }
    for name in ("name", "queue_name", "user_name", "tags", "job_type"):
        operation["parameters"].append(_query(name, _TEXT))
    for name, values in words.items():
        operation["parameters"].append(_query(name, {"enum": values}))
    for name, bounds in (
        ("offset", {"minimum": 0}),
        ("limit", {"minimum": 0, "maximum": 100}),
        ("root_job_id", {"minimum": 0}),
    ):
        operation["parameters"].append(_query(name, {"type": "integer", **bounds}))
    return operation


def _call(
    name: str, summary: str, given: str | dict[str, Any] | None, answer: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "security": [{"token": []}, {"signature": []}, {"bearer": []}],
        "parameters": [],
        "responses": {
            "200": _content("It is on record, or shown.", answer),
            **_refusals(_READING if given is None else _WRITING),
        },
    }
    if given is not None:
        schema = _reference(given) if isinstance(given, str) else given
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    return operation


def with_path_parameters(path: str, methods: dict[str, Any]) -> dict[str, Any]:
    """Return the methods of a path, each with the parameters that stand in the path."""
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]
    return {
        method: {**operation, "parameters": [*parameters, *operation["parameters"]]}
        for method, operation in methods.items()
    }


def _envelope(**more: dict[str, Any]) -> dict[str, Any]:
    return _object(is_success={"const": "true"}, message=_TEXT, **more)


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _refusals(statuses: tuple[int, ...]) -> dict[str, Any]:
    return {str(status): _content(_REASONS[status], _ERROR) for status in sorted(statuses)}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}
