"""The bodies of runJob: a JSON Schema for each action and version, and the check by it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flink_jobs_provider.gateway.apis.job_inputs import MOST_OPTIONS
from flink_jobs_provider.gateway.http.property_problems import Checker, RefusedProperties
from flink_jobs_provider.model.action import STARTS, Action
from flink_jobs_provider.model.inputs import JOB_NAME_PATTERN, MAX_PARALLELISM
from flink_jobs_provider.wire.hdinsight import (
    JOB_PROPERTIES,
    JOB_TYPE,
    PARALLELISM_KEY,
    SAVEPOINT_DIRECTORY_KEY,
    ApiVersion,
)

TAKES_ARGS = STARTS
TAKES_SPEC = STARTS - {Action.START}
TAKES_SAVEPOINT = {Action.NEW, Action.START, Action.UPDATE, Action.RE_LAUNCH}
#: Actions that the oldest version does not know.
_LAST_STATE = {Action.LAST_STATE_UPDATE, Action.RE_LAUNCH}

_TEXT = ["string", "null"]


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": _TEXT, **more, "description": description}


_PROPERTIES: dict[str, dict[str, Any]] = {
    "jobType": {"const": JOB_TYPE, "description": "The kind of job."},
    "runId": _text(
        "The run that is meant: refused when the job of that name is another.", minLength=1
    ),
    "jobName": {
        "type": "string",
        "pattern": f"^{JOB_NAME_PATTERN}$",
        "description": "The job's name on its cluster.",
        "examples": ["orders"],
    },
    "jobJarDirectory": _text(
        "Directory of the jar, in a storage that is mounted for the cluster.",
        minLength=1,
        examples=["abfs://jobs@account.dfs.core.windows.net/jars"],
    ),
    "jarName": _text(
        "File name of the jar; it ends in .jar.",
        pattern=r"^[^/\\\x00-\x1f]+$",
        examples=["orders.jar"],
    ),
    "entryClass": _text(
        "Class with the `main` to run.", pattern=r"^\S+$", examples=["com.example.Orders"]
    ),
    "args": _text(
        "Arguments of `main`, separated by blanks; there is no quoting.",
        examples=["--topic orders"],
    ),
    "savePointName": _text(
        "What to start from: the path of a savepoint, or the name of one of the job's own. Empty "
        "is as not given.",
        examples=["savepoint-20e9e9-8a48c6b905e5"],
    ),
    "flinkConfiguration": {
        "type": ["object", "null"],
        "description": "Options of Flink for this job. Where it is given, it replaces all that "
        "were given before, except `parallelism` and `savepoint.directory`, which stay.",
        "properties": {
            PARALLELISM_KEY: {
                "type": ["string", "integer"],
                "pattern": "^0*[1-9][0-9]{0,8}$",
                "minimum": 1,
                "maximum": MAX_PARALLELISM,
                "description": "Parallelism of the job; 2 if a new job names none.",
                "examples": ["2"],
            },
            SAVEPOINT_DIRECTORY_KEY: {
                "type": "string",
                "maxLength": 4096,
                "description": "Where savepoints go; if empty, as for a new job without one, to "
                "the directory that the gateway has for the cluster.",
            },
        },
        "propertyNames": {"minLength": 1, "maxLength": 1024},
        "maxProperties": MOST_OPTIONS,
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
}
_READ_ONLY = {
    "jobId": "Flink's jobId; absent until the job was launched.",
    "status": "What the job does.",
    "jobOutput": "What the last action reported; why, if it failed.",
    "actionResult": "IN_PROGRESS, SUCCESS or FAILED: how the last action ended.",
    "lastSavePoint": "Path of the newest savepoint.",
}
#: What would be valid of a property, in words, where the schema has a pattern of it.
IN_WORDS = {
    "jobType": f'must be "{JOB_TYPE}"',
    "jobName": "must be 1 to 63 lower-case letters, digits and dashes, beginning and ending with "
    "a letter or digit",
    "jarName": "must be the plain name of a file that ends in .jar: its directory goes in "
    "jobJarDirectory",
    "entryClass": "must be the name of a class, without blanks",
    f"flinkConfiguration.{PARALLELISM_KEY}": f"must be a whole number from 1 to {MAX_PARALLELISM}",
}


def actions_of(version: ApiVersion) -> list[Action]:
    """Return the actions that a version of the API knows."""
    return [each for each in Action if version.has_last_state_update or each not in _LAST_STATE]


@lru_cache
def body_schema(action: Action | None, version: ApiVersion) -> dict[str, Any]:
    """Return the JSON Schema of a body of runJob.

    Args:
        action: For this action; for a body that names none, or none that is known, if None.
        version: The version of the API.
    """
    properties = _properties(version)
    required = ["jobType", "jobName", "action"]
    if action is None:
        properties["action"] = {"enum": [str(known) for known in actions_of(version)]}
    else:
        properties["action"] = {"const": str(action)}
        if action is not Action.NEW:
            # A new job with another file is taken, and then fails: so it was recorded.
            properties["jarName"] = {**properties["jarName"], "pattern": r"^[^/\\]+\.jar$"}
        else:
            required += ["jobJarDirectory", "jarName", "entryClass"]
            for name in ("jobJarDirectory", "jarName", "entryClass"):
                properties[name] = {**properties[name], "type": "string"}
    return _job(properties, required, "runJob" if action is None else str(action))


@lru_cache
def row_schema(version: ApiVersion) -> dict[str, Any]:
    """Return the JSON Schema of a job in a list."""
    properties = _properties(version)
    properties["action"] = {"type": "string", "description": "The last action."}
    row = _job(properties, ["jobType", "jobName", "action", "actionResult"], "job")
    row["required"] = ["id", "properties"]
    return row


def _properties(version: ApiVersion) -> dict[str, Any]:
    properties = {
        name: schema if longest is None else {**schema, "maxLength": longest}
        for name, schema in _PROPERTIES.items()
        for longest in (JOB_PROPERTIES[name].longest,)
    }
    if not version.has_run_ids:
        del properties["runId"]
    for name, description in _READ_ONLY.items():
        properties[name] = _text(description, readOnly=True)
    return properties


def _job(properties: dict[str, Any], required: list[str], title: str) -> dict[str, Any]:
    envelope = {
        name: {"readOnly": True, "description": "Ignored in requests."}
        for name in ("name", "type", "systemData")
    }
    return {
        "title": title,
        "type": "object",
        "required": ["properties"],
        "properties": {
            "id": _text("The job's resource id.", readOnly=True),
            **envelope,
            "properties": {
                "type": "object",
                "required": required,
                "properties": properties,
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
    }


#: Values that are shown in messages: none of the others, which may hold a secret.
_SHOWN = {
    *("jobType", "jobName", "runId", "action", "jarName", "entryClass"),
    f"flinkConfiguration.{PARALLELISM_KEY}",
}


def validated(body: Any, version: ApiVersion) -> dict[str, Any]:
    """Return the `properties` of a body, without those that are null.

    Raises:
        RefusedProperties: It is invalid.
    """
    if problems := _checker(_action(body, version), version).problems(body):
        raise RefusedProperties(problems)
    properties: dict[str, Any] = body["properties"]
    return {name: value for name, value in properties.items() if value is not None}


@lru_cache
def _checker(action: Action | None, version: ApiVersion) -> Checker:
    return Checker(body_schema(action, version), "a job", IN_WORDS, _SHOWN, "properties.")


def _action(body: Any, version: ApiVersion) -> Action | None:
    properties = body.get("properties") if isinstance(body, dict) else None
    named = properties.get("action") if isinstance(properties, dict) else None
    return next((action for action in actions_of(version) if action == named), None)
