"""The bodies of the API: a JSON Schema for each, made of one table of a jar job's fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flink_jobs_provider.model.input_values import MAX_PARALLELISM
from flink_jobs_provider.wire import NOTE_PREFIX
from flink_jobs_provider.wire.dli import (
    CHECKPOINT_MODES,
    JOB_FIELDS,
    JOB_TYPE,
    LONGEST_NAME,
    RESOURCES_V1,
    slots_by_default,
)

#: Of these 0 is as not given: Huawei's Terraform provider sends it for what its user left out.
_KEPT_NUMBERS = frozenset(RESOURCES_V1)
#: Fields whose defaults are shown where nobody has given them, unless runtime_config sets them.
_SHOWN_BY_DEFAULT = (
    *("checkpoint_enabled", "checkpoint_mode", "log_enabled", "resume_max_num"),
    *("cu_number", "manager_cu_number", "tm_cus", "dependency_jars", "dependency_files"),
)

_LONGEST_PATH = 4096
_TEXT = ["string", "null"]
_WHOLE = ["integer", "null"]
_FLAG = ["boolean", "null"]


def _default(name: str) -> Any:
    return JOB_FIELDS[name].default


def _number(description: str, minimum: int = 1, maximum: int = 100_000) -> dict[str, Any]:
    return {"type": _WHOLE, "minimum": minimum, "maximum": maximum, "description": description}


def _kept(schema: dict[str, Any], what: str) -> dict[str, Any]:
    return {**schema, "description": f"{what} Kept and shown; the cluster decides."}


def _kept_number(what: str) -> dict[str, Any]:
    return _kept(_number("", 0), f"{what} 0 is as not given.")


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
    "desc": {
        "type": _TEXT,
        "maxLength": JOB_FIELDS["desc"].longest,
        "description": "Kept and shown.",
    },
    "queue_name": {
        "type": _TEXT,
        "maxLength": JOB_FIELDS["queue_name"].longest,
        "description": "The queue, which stands for a cluster; else the project's first. It cannot "
        "be changed.",
    },
    "entrypoint": {
        "type": _TEXT,
        "maxLength": _LONGEST_PATH,
        "description": "The jar, in a storage that is mounted for the cluster.",
        "examples": ["obs://bucket/jars/orders.jar"],
    },
    "main_class": {
        "type": _TEXT,
        "pattern": r"^\S*$",
        "maxLength": 1024,
        "description": "Class with the `main` to run; else the one that the jar's manifest names.",
        "examples": ["com.example.Orders"],
    },
    "entrypoint_args": {
        "type": _TEXT,
        "description": "Arguments of `main`, separated by blanks; there is no quoting.",
        "examples": ["--topic orders"],
    },
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
    "checkpoint_enabled": {
        "type": _FLAG,
        "description": "Whether checkpoints are taken; they are then kept after a cancel, too.",
    },
    "checkpoint_mode": {
        "enum": [*CHECKPOINT_MODES, *CHECKPOINT_MODES.values(), None],
        "description": "1 is exactly_once, 2 at_least_once.",
    },
    "checkpoint_interval": _number(
        f"Seconds between two checkpoints; {_default('checkpoint_interval')} if none are given."
    ),
    "checkpoint_path": {
        "type": _TEXT,
        "maxLength": _LONGEST_PATH,
        "description": "Directory of the job's checkpoints, as the cluster reaches it; a bare "
        "`bucket/directory` is one of OBS.",
    },
    "restart_when_exception": {
        "type": _FLAG,
        "description": "Whether Flink restarts the job when a task fails; else as its cluster has "
        "it.",
    },
    "resume_checkpoint": {
        "type": _FLAG,
        "description": "Whether such a restart goes on from the newest checkpoint. Flink knows no "
        "other way, so that false is refused together with restart_when_exception.",
    },
    "resume_max_num": _number("How often the job is restarted so; -1 is without end.", -1),
    "runtime_config": {
        "type": _TEXT,
        "description": "A JSON object of Flink options, as a text; or a list of objects with "
        "`key` and `value`, as the service shows it. Names that begin with "
        f"`{NOTE_PREFIX}` are a client's own notes.",
        "examples": ['{"table.exec.state.ttl": "1 d"}'],
    },
    "log_enabled": {"type": _FLAG, "description": "Kept and shown; logs are the cluster's."},
    "obs_bucket": {
        "type": _TEXT,
        "maxLength": _LONGEST_PATH,
        "description": "Kept and shown; savepoints go to the directory of the cluster.",
    },
    "flink_log_config": {"type": _TEXT, "description": "Kept and shown; logs are the cluster's."},
    "flink_version": {
        "type": _TEXT,
        "pattern": r"^([0-9]+(\.[0-9]+){1,2})?$",
        "description": "Kept and shown; the job runs on its cluster's version.",
    },
    "execution_agency_urn": {
        "type": _TEXT,
        "maxLength": 1024,
        "description": "Kept and shown; the job has the rights of its cluster.",
    },
    "feature": {
        "enum": ["basic", "", None],
        "description": "basic: images of one's own are not possible on a session cluster.",
    },
    "image": {
        "enum": ["", None],
        "description": "Not possible: the job runs in its cluster's processes.",
    },
    "dependency_jars": {
        "type": ["array", "null"],
        "maxItems": 0,
        "description": "Not possible: build them into the jar.",
    },
    "dependency_files": {
        "type": ["array", "null"],
        "maxItems": 0,
        "description": "Not possible: build them into the jar, or put them on the cluster.",
    },
    "smn_topic": {
        "enum": ["", None],
        "description": "Not possible: the gateway sends no messages; its metrics have alerts.",
    },
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
#: What would be valid of a field, in words, where the schema says it in signs.
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


def defaults_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the service says of fields that a job does not give."""
    shown = {name: JOB_FIELDS[name].default for name in _SHOWN_BY_DEFAULT}
    lists = {name: list(value) for name, value in shown.items() if isinstance(value, tuple)}
    return {**shown, **lists, "tm_slot_num": slots_by_default(config)}


def job_fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a job that the content of a body gives."""
    given = {k: v for k, v in content.items() if not (k in _KEPT_NUMBERS and v == 0)}
    if (resources := given.get("resource_config")) and resources.get("max_slot") == 0:
        given["resource_config"] = {k: v for k, v in resources.items() if k != "max_slot"}
    return given


@lru_cache
def create_schema() -> dict[str, Any]:
    """Return the JSON Schema of the body that creates a job."""
    entrypoint = {**_FIELDS["entrypoint"], "type": "string", "minLength": 1}
    fields = {**_FIELDS, "entrypoint": entrypoint, "tags": _TAGS}
    return _object("create", fields, ["name", "entrypoint"])


@lru_cache
def update_schema() -> dict[str, Any]:
    """Return the JSON Schema of the body that changes a job."""
    job_type = {"enum": [JOB_TYPE, "", None], "description": "The kind of job."}
    return _object("update", {**_FIELDS, "job_type": job_type}, [])


@lru_cache
def batch_schema(flag: str | None) -> dict[str, Any]:
    """Return the JSON Schema of the body of a batch call, which may have a flag."""
    fields: dict[str, Any] = {"job_ids": _JOB_IDS}
    if flag:
        fields[flag] = {"type": _FLAG, "default": False}
    return _object(flag or "delete", fields, ["job_ids"])


@lru_cache
def trigger_schema() -> dict[str, Any]:
    """Return the JSON Schema of the body that triggers a savepoint."""
    fields = {
        "action": {"const": "TRIGGER"},
        "savepoint_path": _path("Directory below which it goes; else the job's own."),
    }
    return _object("trigger", fields, ["action"])


@lru_cache
def import_schema() -> dict[str, Any]:
    """Return the JSON Schema of the body that imports a savepoint."""
    path = {**_path("The directory of a savepoint; empty takes one back."), "type": "string"}
    return _object("import", {"job_id": _JOB_ID, "savepoint_path": path}, ["savepoint_path"])


@lru_cache
def buckets_schema() -> dict[str, Any]:
    """Return the JSON Schema of the body that lets the service have buckets."""
    name = {"type": "string", "minLength": 1, "maxLength": 255}
    buckets = {"type": "array", "minItems": 1, "maxItems": 100, "items": name}
    return _object("obs-authorize", {"obs_buckets": buckets}, ["obs_buckets"])


def _path(description: str) -> dict[str, Any]:
    more = "A bare `bucket/directory` is one of OBS."
    return {"type": _TEXT, "maxLength": _LONGEST_PATH, "description": f"{description} {more}"}


def _object(title: str, fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "title": title,
        "type": "object",
        "required": required,
        "properties": fields,
        "additionalProperties": False,
    }
