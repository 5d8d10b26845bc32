"""What the OpenAPI document says of this API: its operations, and the schemas of its answers."""

from __future__ import annotations

from http import HTTPStatus

from flink_jobs_provider.gateway.apis.monitoring.job_query import LONGEST_TREND, MOST_METRICS
from flink_jobs_provider.gateway.apis.monitoring.list_query import (
    LARGEST_PAGE,
    SORTS,
    STATUSES,
)
from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import (
    DAMAGED,
    GONE,
    PRESENT,
    UNKNOWN,
)
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
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.observing.attention import Concern
from flink_jobs_provider.observing.documents import HealthPart

_REFUSED = Refused(
    reference("MonitoringError"),
    {
        **REASONS,
        HTTPStatus.BAD_REQUEST: "A parameter is invalid.",
        HTTPStatus.UNAUTHORIZED: "There is no token, or it is not accepted.",
        HTTPStatus.FORBIDDEN: "The caller has no such role.",
        HTTPStatus.NOT_FOUND: "There is no such job, or not for this caller.",
        HTTPStatus.CONFLICT: "The job is not in a state for it, or an action is in progress.",
        HTTPStatus.TOO_MANY_REQUESTS: "Too many requests; see Retry-After.",
        HTTPStatus.SERVICE_UNAVAILABLE: "The gateway, or the job's cluster, does not work now.",
    },
)
_WHOLE: Schema = {"type": "integer"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_MAYBE_WHOLE: Schema = {"type": ["integer", "null"]}
_MAYBE_NUMBER: Schema = {"type": ["number", "null"]}
_MAYBE_OBJECT: Schema = {"type": ["object", "null"]}
_ATTENTIONS: Schema = {"type": ["array", "null"], "items": reference("Attention")}


def _job(**more: Schema) -> Schema:
    return object_of(
        number=_WHOLE,
        cluster=TEXT,
        name=TEXT,
        status=TEXT,
        run_id=TEXT,
        job_id=_MAYBE_TEXT,
        parallelism=_MAYBE_WHOLE,
        tasks=_MAYBE_WHOLE,
        running_tasks=_MAYBE_WHOLE,
        observed={"type": "boolean"},
        created_by=TEXT,
        created_at=_MAYBE_TEXT,
        started_at=_MAYBE_TEXT,
        ended_at=_MAYBE_TEXT,
        restored_from=_MAYBE_TEXT,
        last_savepoint=_MAYBE_TEXT,
        page=_MAYBE_TEXT,
        last_action=reference("ActionTaken"),
        needs_attention=_ATTENTIONS,
        **more,
    )


_CLUSTER = object_of(
    key=TEXT, id=_MAYBE_TEXT, queues={"type": "array", "items": TEXT}, reachable={"type": "boolean"}
)
_CLUSTER["properties"] |= {
    "problem": TEXT,
    "observed_at": TEXT,
    "version": TEXT,
    "task_managers": _WHOLE,
    "slots": _WHOLE,
    "free_slots": _WHOLE,
    "jobs": {"type": "object", "additionalProperties": _WHOLE},
    "restarts": _MAYBE_WHOLE,
    "failed_checkpoints": _MAYBE_WHOLE,
    "metaspace": _MAYBE_OBJECT,
    "job_manager_metaspace": _MAYBE_OBJECT,
    "needs_attention": {"type": "array", "items": reference("Attention")},
}

_METRIC = object_of(metric=TEXT)
_METRIC["properties"] |= dict.fromkeys(("vertex", "vertex_id", "value"), TEXT)
_METRIC["properties"] |= {name: {"type": "number"} for name in ("min", "max", "sum", "avg")}

_STATE: dict[str, Schema] = {
    "observed_at": TEXT,
    "state": TEXT,
    "state_since": _MAYBE_TEXT,
    "restarts": _MAYBE_WHOLE,
    "tasks": _WHOLE,
    "running_tasks": _WHOLE,
}
_LOAD: dict[str, Schema] = {
    "rescales": _MAYBE_WHOLE,
    "throughput": _MAYBE_NUMBER,
    "busy": _MAYBE_NUMBER,
    "busiest_vertex": _MAYBE_TEXT,
    "backpressured": _MAYBE_NUMBER,
    "event_time_lag_ms": _MAYBE_WHOLE,
    "pending_records": _MAYBE_WHOLE,
}
_CHECKPOINTS: dict[str, Schema] = {
    "checkpoint_settings": _MAYBE_OBJECT,
    "checkpoint_counts": {"type": "object"},
    "checkpoint_trend": _MAYBE_OBJECT,
    "last_checkpoint": {"anyOf": [reference("Checkpoint"), {"type": "null"}]},
}
#: Of a list: with the parts that are asked for.
_PARTIAL_HEALTH = object_of(**_STATE)
_PARTIAL_HEALTH["properties"] |= _LOAD | _CHECKPOINTS
_LISTED_JOB = _job()
_LISTED_JOB["properties"] |= {
    "health": {"anyOf": [reference("PartialJobHealth"), {"type": "null"}]},
    "problem": _MAYBE_TEXT,
}

SCHEMAS: dict[str, Schema] = {
    "ActionPlan": object_of(
        action=TEXT,
        how=TEXT,
        discards_state={"type": "boolean"},
        changes={"type": "array", "items": TEXT},
        gate=TEXT,
        takes_jar={"type": "boolean"},
        state=TEXT,
        refusal=TEXT,
    ),
    "MonitoringError": object_of(error={"type": "object", "required": ["code", "message"]}),
    "Attention": object_of(
        concern={"enum": [str(each) for each in Concern]},
        reason=TEXT,
        remedy=TEXT,
        since=_MAYBE_TEXT,
    ),
    "ActionTaken": object_of(
        id=TEXT,
        action=TEXT,
        result=TEXT,
        by=TEXT,
        accepted_at=_MAYBE_TEXT,
        began_at=_MAYBE_TEXT,
        finished_at=_MAYBE_TEXT,
        duration_ms=_MAYBE_WHOLE,
        output=TEXT,
    ),
    "MonitoredCluster": _CLUSTER,
    "MonitoredJob": _LISTED_JOB,
    "PartialJobHealth": _PARTIAL_HEALTH,
    "JobHealth": object_of(
        **_STATE, **_LOAD, **_CHECKPOINTS, vertices={"type": "array", "items": {"type": "object"}}
    ),
    "JobWithHealth": _job(
        health={"anyOf": [reference("JobHealth"), {"type": "null"}]},
        trend=_MAYBE_OBJECT,
        problem=_MAYBE_TEXT,
    ),
    "JobVersion": object_of(
        action_id=TEXT,
        action=TEXT,
        by=TEXT,
        accepted_at=_MAYBE_TEXT,
        started_at=_MAYBE_TEXT,
        jar=TEXT,
        jar_digest=TEXT,
        entry_class=_MAYBE_TEXT,
        args=TEXT,
        parallelism=_MAYBE_WHOLE,
        flink_configuration={"type": "object"},
    ),
    "SavepointOnRecord": object_of(
        path=TEXT,
        origin={"enum": [str(each) for each in SavepointReason]},
        taken_at=_MAYBE_TEXT,
        age_seconds=_MAYBE_WHOLE,
        size_bytes=_MAYBE_WHOLE,
        state={"enum": [PRESENT, GONE, DAMAGED, UNKNOWN]},
        disposed_at={**_MAYBE_TEXT, "description": "When it was disposed of."},
    ),
    "JobPoint": object_of(
        at=TEXT,
        sampled=_WHOLE,
        state=TEXT,
        job_id=TEXT,
        tasks=_WHOLE,
        running_tasks=_WHOLE,
        restarts=_WHOLE,
        load=_MAYBE_OBJECT,
    ),
    "Checkpoint": object_of(
        id=_WHOLE,
        kind={"enum": ["checkpoint", "savepoint"]},
        status=TEXT,
        triggered_at=TEXT,
        completed_at=_MAYBE_TEXT,
        duration_ms=_WHOLE,
        size_bytes=_WHOLE,
        path=_MAYBE_TEXT,
        discarded={"type": "boolean"},
        failure=_MAYBE_TEXT,
    ),
    "JobMetric": _METRIC,
    "JobException": object_of(
        at=TEXT, cause=TEXT, task=_MAYBE_TEXT, task_manager=_MAYBE_TEXT, trace=TEXT
    ),
}


def _list_of(name: str, **more: Schema) -> Schema:
    return object_of(value={"type": "array", "items": reference(name)}, **more)


def _read(name: str, shown: Schema, query: tuple[Schema, ...] = ()) -> Operation:
    answers = {200: answer("What was observed.", shown)}
    return Operation(name, answers, _REFUSED, query=query)


CLUSTERS = _read("listClusters", _list_of("MonitoredCluster"))
JOBS = _read(
    "listJobs",
    _list_of("MonitoredJob", total=_WHOLE, next=_MAYBE_TEXT),
    (
        query_parameter("cluster", TEXT, "The key of a cluster."),
        query_parameter("name", TEXT, "The name of a job."),
        query_parameter(
            "status",
            {"type": "array", "items": {"enum": list(STATUSES)}},
            "One of these statuses; repeat it for several.",
            style="form",
            explode=True,
        ),
        query_parameter(
            "active",
            {"enum": ["true", "false"]},
            "Only those that run or are acted on.",
        ),
        query_parameter("created_by", TEXT, "Who had it put on record."),
        query_parameter("needs_attention", {"enum": ["true", "false"]}, "Only those that do."),
        query_parameter(
            "health",
            {"type": "array", "items": {"enum": list(HealthPart)}},
            "A part of each job's health that is wanted, too; repeat it for several.",
            style="form",
            explode=True,
        ),
        query_parameter("sort", {"enum": list(SORTS)}, "By creation, or by a column."),
        query_parameter("limit", {**_WHOLE, "minimum": 1, "maximum": LARGEST_PAGE}),
        query_parameter("cursor", TEXT, "`next` of the page before."),
    ),
)
JOB = _read(
    "showJob",
    reference("JobWithHealth"),
    (
        query_parameter(
            "trend",
            {**_WHOLE, "minimum": 1, "maximum": LONGEST_TREND},
            "Also what changed in the last N seconds, as far as it was observed.",
        ),
    ),
)
EXCEPTIONS = _read("listExceptions", _list_of("JobException"))
_MOMENT: Schema = {"type": "string", "format": "date-time"}
SERIES = _read(
    "showSeries",
    _list_of("JobPoint", **{"from": TEXT, "to": TEXT, "resolution_minutes": _WHOLE}),
    (
        query_parameter("from", _MOMENT, "24 hours before `to`, if not given."),
        query_parameter("to", _MOMENT, "Now, if not given."),
        query_parameter("resolution", TEXT, "What a point stands for; `5m`, if not given."),
    ),
)
_LATEST = (query_parameter("limit", {**_WHOLE, "minimum": 1, "maximum": LARGEST_PAGE}),)
ACTIONS = _read("listActions", _list_of("ActionTaken"), _LATEST)
VERSIONS = _read("listVersions", _list_of("JobVersion"), _LATEST)
_ROLLBACK_BODY: Schema = {
    "type": "object",
    "required": ["version"],
    "additionalProperties": False,
    "properties": {
        "version": {**TEXT, "minLength": 1, "description": "The action_id of a version."},
        "savepoint": {**TEXT, "minLength": 1, "description": "A savepoint on record."},
        "seen": {**TEXT, "minLength": 1, "description": "The id of the last action seen."},
    },
}
ROLLBACK = Operation(
    "goBackToVersion",
    {202: answer("The action that was begun.", reference("ActionTaken"))},
    _REFUSED,
    refusals=(*READING, HTTPStatus.CONFLICT),
    body=_ROLLBACK_BODY,
    body_name="RollbackRequest",
)
RELEASE = Operation(
    "releaseJob",
    {202: answer("The action that was begun.", reference("ActionTaken"))},
    _REFUSED,
    refusals=(*READING, HTTPStatus.CONFLICT),
    body={
        "type": "object",
        "additionalProperties": False,
        "properties": {"seen": _ROLLBACK_BODY["properties"]["seen"]},
    },
    body_name="ReleaseRequest",
)
_PLAN_BODY: Schema = {
    "oneOf": [
        {
            "type": "object",
            "required": ["properties"],
            "additionalProperties": False,
            "properties": {
                "properties": {
                    "type": "object",
                    "required": ["action"],
                    "description": "Of a runJob; jobName and runId are those of the job.",
                }
            },
        },
        _ROLLBACK_BODY,
    ]
}
PLAN = Operation(
    "planAction",
    {200: answer("What it would do; nothing of it was done.", reference("ActionPlan"))},
    _REFUSED,
    refusals=(*READING, HTTPStatus.CONFLICT),
    body=_PLAN_BODY,
    body_name="PlanRequest",
)
_ADOPT_BODY: Schema = {
    "type": "object",
    "required": ["cluster", "adopt", "properties"],
    "additionalProperties": False,
    "properties": {
        "cluster": {**TEXT, "minLength": 1, "description": "The key of a cluster."},
        "adopt": {**TEXT, "minLength": 1, "description": "The jobId that runs, or its name."},
        "properties": {
            "type": "object",
            "required": ["jobName"],
            "description": "Of the runJob that would start it as a new job; no action is needed.",
        },
        "allow_no_way_back": {
            "type": "boolean",
            "description": "Whether it may be restarted also where its program is not known.",
        },
    },
}
ADOPT = Operation(
    "adoptJob",
    {202: answer("The action that was begun.", reference("ActionTaken"))},
    _REFUSED,
    refusals=(*READING, HTTPStatus.CONFLICT),
    body=_ADOPT_BODY,
    body_name="AdoptionRequest",
)
SAVEPOINTS = _read("listSavepointsOnRecord", _list_of("SavepointOnRecord"), _LATEST)
_STREAM: Schema = {"description": "Events.", "content": {"text/event-stream": {}}}
EVENTS = Operation("followJob", {200: _STREAM}, _REFUSED)
CHECKPOINTS = _read("listCheckpoints", _list_of("Checkpoint"))
METRICS = _read(
    "listMetrics",
    _list_of("JobMetric"),
    (
        query_parameter(
            "get",
            {"type": "array", "items": TEXT, "maxItems": MOST_METRICS},
            "A metric by its name in Flink, or the last part of it; repeat it for several.",
            style="form",
            explode=True,
        ),
        query_parameter("names", {"type": "boolean"}, "The names of all metrics, without values."),
    ),
)
