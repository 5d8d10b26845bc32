"""The bodies of the API: a JSON Schema for each, made of one table of a jar job's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flink_jobs_provider.model.inputs import MAX_PARALLELISM
from flink_jobs_provider.wire import NOTE_PREFIX
from flink_jobs_provider.wire.dli import (
    CHECKPOINT_MODES,
    JOB_FIELDS,
    JOB_TYPE,
    LONGEST_NAME,
    RESOURCES_V1,
)

#: Of these 0 is as not given: Huawei's Terraform provider sends it for what its user left out.
_KEPT_NUMBERS = frozenset(RESOURCES_V1)

_LONGEST_PATH = 4096
_TEXT = ["string", "null"]
_WHOLE = ["integer", "null"]
_FLAG = ["boolean", "null"]


def _default(name: str) -> Any:
    return JOB_FIELDS[name].default


def _text(description: str, longest: int | None = None, **more: Any) -> dict[str, Any]:
    limit = {} if longest is None else {"maxLength": longest}
    return {"type": _TEXT, **limit, **more, "description": description}


def _number(description: str, minimum: int = 1, maximum: int = 100_000) -> dict[str, Any]:
    return {"type": _WHOLE, "minimum": minimum, "maximum": maximum, "description": description}


def _flag(description: str) -> dict[str, Any]:
    return {"type": _FLAG, "description": description}


def _kept(schema: dict[str, Any], what: str) -> dict[str, Any]:
    return {**schema, "description": f"{what} Kept and shown; the cluster decides."}


def _kept_number(what: str) -> dict[str, Any]:
    return _kept(_number("", 0), f"{what} 0 is as not given.")


def _no_list(instead: str) -> dict[str, Any]:
    return {"type": ["array", "null"], "maxItems": 0, "description": f"Not possible: {instead}."}


def _no_text(reason: str) -> dict[str, Any]:
    return {"enum": ["", None], "description": f"Not possible: {reason}."}


_RESOURCES = {
    "type": ["object", "null"],
    "properties": {
        "cpu": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "memory": {"type": _TEXT, "maxLength": 32},
    },
    "additionalProperties": False,
}
_FIELDS: dict[str, dict[str, Any]] = {
    "name": {
        "type": "string",
        "pattern": f"^[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}$",
        "description": "The job's name. It cannot be changed.",
        "examples": ["orders"],
    },
    "desc": _text("Kept and shown.", JOB_FIELDS["desc"].longest),
    "queue_name": _text(
        "The queue, which stands for a cluster; else the project's first. It cannot be changed.",
        JOB_FIELDS["queue_name"].longest,
    ),
    "entrypoint": _text(
        "The jar, in a storage that is mounted for the cluster.",
        _LONGEST_PATH,
        examples=["obs://bucket/jars/orders.jar"],
    ),
    "main_class": _text(
        "Class with the `main` to run; else the one that the jar's manifest names.",
        1024,
        pattern=r"^\S*$",
        examples=["com.example.Orders"],
    ),
    "entrypoint_args": _text(
        "Arguments of `main`, separated by blanks; there is no quoting.",
        examples=["--topic orders"],
    ),
    "parallel_number": _number(
        f"Parallelism of the job; {_default('parallel_number')} if none is given.",
        1,
        MAX_PARALLELISM,
    ),
    "resource_config_version": {
        "enum": ["v1", "v2", "", None],
        "description": "v2 has the parallelism in `resource_config`.",
    },
    "resource_config": {
        "type": ["object", "null"],
        "properties": {
            "parallel_number": _number("Parallelism of the job.", 1, MAX_PARALLELISM),
            "max_slot": _kept_number("Slots of a TaskManager."),
            "jobmanager_resource_spec": _kept(_RESOURCES, "Resources of the JobManager."),
            "taskmanager_resource_spec": _kept(_RESOURCES, "Resources of a TaskManager."),
        },
        "additionalProperties": False,
        "description": "Resources, with `resource_config_version` v2.",
    },
    "cu_number": _kept_number("CUs of the job."),
    "manager_cu_number": _kept_number("CUs of the JobManager."),
    "tm_cus": _kept_number("CUs of a TaskManager."),
    "tm_slot_num": _kept_number("Slots of a TaskManager."),
    "checkpoint_enabled": _flag(
        "Whether checkpoints are taken; they are then kept after a cancel, too."
    ),
    "checkpoint_mode": {
        "enum": [*CHECKPOINT_MODES, *CHECKPOINT_MODES.values(), None],
        "description": "1 is exactly_once, 2 at_least_once.",
    },
    "checkpoint_interval": _number(
        f"Seconds between two checkpoints; {_default('checkpoint_interval')} if none are given."
    ),
    "checkpoint_path": _text(
        "Directory of the job's checkpoints, as the cluster reaches it; a bare "
        "`bucket/directory` is one of OBS.",
        _LONGEST_PATH,
    ),
    "restart_when_exception": _flag(
        "Whether Flink restarts the job when a task fails; else as its cluster has it."
    ),
    "resume_checkpoint": _flag(
        "Whether such a restart goes on from the newest checkpoint. Flink knows no other way, so "
        "that false is refused together with restart_when_exception."
    ),
    "resume_max_num": _number("How often the job is restarted so; -1 is without end.", -1),
    "runtime_config": _text(
        "A JSON object of Flink options, as a text; or a list of objects with `key` and `value`, "
        f"as the service shows it. Names that begin with `{NOTE_PREFIX}` are a client's own notes.",
        examples=['{"table.exec.state.ttl": "1 d"}'],
    ),
    "log_enabled": _flag("Kept and shown; logs are the cluster's."),
    "obs_bucket": _text(
        "Kept and shown; savepoints go to the directory of the cluster.", _LONGEST_PATH
    ),
    "flink_log_config": _text("Kept and shown; logs are the cluster's."),
    "flink_version": _text(
        "Kept and shown; the job runs on its cluster's version.",
        pattern=r"^([0-9]+(\.[0-9]+){1,2})?$",
    ),
    "execution_agency_urn": _text("Kept and shown; the job has the rights of its cluster.", 1024),
    "feature": {
        "enum": ["basic", "", None],
        "description": "basic: images of one's own are not possible on a session cluster.",
    },
    "image": _no_text("the job runs in its cluster's processes"),
    "dependency_jars": _no_list("build them into the jar"),
    "dependency_files": _no_list("build them into the jar, or put them on the cluster"),
    "smn_topic": _no_text("the gateway sends no messages; its metrics have alerts"),
}
_TAGS = {
    "type": ["array", "null"],
    "maxItems": 20,
    "items": {
        "type": "object",
        "required": ["key"],
        "properties": {
            "key": {"type": "string", "minLength": 1, "maxLength": 128},
            "value": {"type": _TEXT, "maxLength": 255},
        },
        "additionalProperties": False,
    },
    "description": "Kept and shown.",
}
#: What would be valid of a field, in words, where the schema has a pattern of it.
IN_WORDS = {
    "name": f"must be 1 to {LONGEST_NAME} letters, digits, - and _",
    "main_class": "must be the name of a class, without blanks",
    "flink_version": "must be as 1.17 or 1.17.2",
    "feature": "must be basic: the job runs in its cluster's processes, without an image of its "
    "own",
    "image": "must be left out: the job runs in its cluster's processes, without an image of its "
    "own",
    "dependency_jars": "must be left out or empty: build them into the jar",
    "dependency_files": "must be left out or empty: build them into the jar, or put them on the "
    "cluster",
    "smn_topic": "must be left out or empty: the gateway sends no messages. Watch its metrics "
    "instead",
    "checkpoint_mode": "must be 1 (exactly_once) or 2 (at_least_once)",
    "job_type": f"must be {JOB_TYPE}",
}
#: Fields whose invalid values are shown.
SHOWN = {"name", "main_class", "flink_version", "checkpoint_mode", "parallel_number", "action"}

_JOB_ID = {
    "type": ["integer", "string"],
    "minimum": 1,
    "pattern": "^[0-9]{1,19}$",
    "description": "Id of a job.",
}
_JOB_IDS = {"type": "array", "minItems": 1, "maxItems": 100, "uniqueItems": True, "items": _JOB_ID}


def job_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job that the content of a body gives."""
    given = {k: v for k, v in content.items() if not (k in _KEPT_NUMBERS and v == 0)}
    if (resources := given.get("resource_config")) and resources.get("max_slot") == 0:
        given["resource_config"] = {k: v for k, v in resources.items() if k != "max_slot"}
    return given


def batch_body(flag: str | None) -> dict[str, Any]:
    """Return the JSON Schema of the body of a batch call, which may have a flag."""
    fields: dict[str, Any] = {"job_ids": _JOB_IDS}
    if flag:
        fields[flag] = {"type": _FLAG, "default": False}
    return _object(flag or "delete", fields, ["job_ids"])


def _object(title: str, fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": required,
        "properties": fields,
        "additionalProperties": False,
    }


_BUCKET = {"type": "string", "minLength": 1, "maxLength": 255}
_BUCKETS = {"type": "array", "minItems": 1, "maxItems": 100, "items": _BUCKET}
_ENTRYPOINT = {**_FIELDS["entrypoint"], "type": "string", "minLength": 1}
_KIND = {"enum": [JOB_TYPE, "", None], "description": "The kind of job."}
_OF_OBS = "A bare `bucket/directory` is one of OBS."
_BELOW = _text(f"Directory below which it goes; else the job's own. {_OF_OBS}", _LONGEST_PATH)
_IMPORTED = {
    **_text(f"The directory of a savepoint; empty takes one back. {_OF_OBS}", _LONGEST_PATH),
    "type": "string",
}

#: The bodies that create a job, change one, trigger a savepoint, import one, and name buckets.
CREATE = _object(
    "create", {**_FIELDS, "entrypoint": _ENTRYPOINT, "tags": _TAGS}, ["name", "entrypoint"]
)
UPDATE = _object("update", {**_FIELDS, "job_type": _KIND}, [])
TRIGGER = _object("trigger", {"action": {"const": "TRIGGER"}, "savepoint_path": _BELOW}, ["action"])
IMPORT = _object("import", {"job_id": _JOB_ID, "savepoint_path": _IMPORTED}, ["savepoint_path"])
BUCKETS = _object("obs-authorize", {"obs_buckets": _BUCKETS}, ["obs_buckets"])
