"""The bodies of the API: a JSON Schema for each, made of one table of a jar job's fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flink_jobs_provider.model.spec import MAX_PARALLELISM

JOB_TYPE = "flink_jar_job"
#: What may change while a job runs; it counts from the job's next start on.
CHANGE_WHILE_RUNNING = frozenset(
    {
        "smn_topic",
        "restart_when_exception",
        "resume_checkpoint",
        "resume_max_num",
        "obs_bucket",
        "checkpoint_path",
    }
)

#: Of these 0 is as not given: Huawei's Terraform provider sends it for what its user left out.
_KEPT_NUMBERS = frozenset({"cu_number", "manager_cu_number", "tm_cus", "tm_slot_num"})

#: What the service says of fields that were not given, unless runtime_config sets them.
DEFAULTS: Mapping[str, Any] = {
    "checkpoint_enabled": False,
    "checkpoint_mode": "exactly_once",
    "log_enabled": False,
    "cu_number": 2,
    "manager_cu_number": 1,
    "tm_cus": 1,
    "tm_slot_num": 1,
    "dependency_jars": [],
    "dependency_files": [],
    "resume_max_num": -1,
}

_LONGEST_PATH = 4096
_TEXT = ["string", "null"]
_WHOLE = ["integer", "null"]
_FLAG = ["boolean", "null"]


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
        "pattern": "^[A-Za-z0-9_-]{1,57}$",
        "description": "The job's name. It cannot be changed.",
        "examples": ["orders"],
    },
    "desc": {"type": _TEXT, "maxLength": 512, "description": "Kept and shown."},
    "queue_name": {
        "type": _TEXT,
        "maxLength": 128,
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
    "parallel_number": _number("Parallelism of the job; 1 if none is given.", 1, MAX_PARALLELISM),
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
        "enum": [1, 2, "exactly_once", "at_least_once", None],
        "description": "1 is exactly_once, 2 at_least_once.",
    },
    "checkpoint_interval": _number("Seconds between two checkpoints; 10 if none are given."),
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
        "`flink-jobs.` are a client's own notes.",
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
#: What would be right of a field, in words, where the schema says it in signs.
IN_WORDS = {
    "name": "must be 1 to 57 letters, digits, - and _",
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
#: Fields whose wrong values are shown.
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
