"""The bodies of Flink's REST API: those of requests by version, and answers as plain values."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from flink_jobs_provider.control_planes.protocol import (
    SavepointRequest,
    Submission,
)
from flink_jobs_provider.model.duration import flink_milliseconds
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.job_graph import JobGraph, Vertex
from flink_jobs_provider.model.observation import (
    Checkpointing,
    CheckpointStatistics,
    ClusterFacts,
    ClusterSnapshot,
    ObservedJob,
)
from flink_jobs_provider.model.redaction import mask_foreign
from flink_jobs_provider.model.spec import JobSpec

OLDEST = (1, 17)
_CLAIM_MODE_SINCE = (1, 20)


def parse_version(text: str) -> tuple[int, ...]:
    """Read "2.3.0" or "1.20-SNAPSHOT".

    Raises:
        ClusterRefused: It is no version, or one that is too old.
    """
    numbers = text.split("-", 1)[0].split(".")
    if not all(number.isdigit() for number in numbers) or len(numbers) < 2:
        raise ClusterRefused(f"the cluster reports version {text!r}, which is none of Flink's")
    version = tuple(map(int, numbers))
    if version < OLDEST:
        raise ClusterRefused(
            f"the cluster runs Flink {text}, which has no chosen jobIds with configuration",
            remedy="Flink 1.17 or newer is needed",
        )
    return version


#: The inputs of a job that `POST /jars/:id/plan` has fields for, by the names of the fields.
PLAN_FIELDS = {
    "entryClass": "entry_class",
    "programArgsList": "args",
    "parallelism": "parallelism",
    "flinkConfiguration": "flink_configuration",
}
#: The same of `POST /jars/:id/run`.
RUN_FIELDS = {**PLAN_FIELDS, "allowNonRestoredState": "allow_non_restored_state"}


def plan_body(submission: Submission) -> dict[str, Any]:
    """Return the body of `POST /jars/:id/plan`."""
    return _inputs(submission.spec, PLAN_FIELDS)


def run_body(submission: Submission, version: tuple[int, ...]) -> dict[str, Any]:
    """Return the body of `POST /jars/:id/run`.

    Savepoints are restored without claiming them, so that one which an output names stays.
    """
    body = _inputs(submission.spec, RUN_FIELDS)
    body["jobId"] = submission.job_id
    if submission.parallelism is not None:
        body["parallelism"] = submission.parallelism
    if submission.restore_from:
        body["savepointPath"] = submission.restore_from
        mode = "claimMode" if version >= _CLAIM_MODE_SINCE else "restoreMode"
        body[mode] = "NO_CLAIM"
    return body


def savepoint_body(request: SavepointRequest, trigger_id: str) -> tuple[str, dict[str, Any]]:
    """Return path and body of a savepoint call; the two calls spell the same words differently."""
    if request.stops:
        return f"jobs/{request.job_id}/stop", {
            "targetDirectory": request.directory,
            "drain": request.drain,
            "formatType": request.format.value.upper(),
            "triggerId": trigger_id,
        }
    return f"jobs/{request.job_id}/savepoints", {
        "target-directory": request.directory,
        "cancel-job": False,
        "formatType": request.format.value.upper(),
        "triggerId": trigger_id,
    }


def _inputs(spec: JobSpec, fields: dict[str, str]) -> dict[str, Any]:
    """Return the inputs that a request has fields for, where they are given.

    The dashboard shows the job by its name, where neither program nor configuration names it.
    """
    given = spec.model_dump(mode="json", include=set(fields.values()), exclude_none=True)
    body = {field: given[name] for field, name in fields.items() if name in given}
    body["flinkConfiguration"] = {"pipeline.name": spec.job_name, **body["flinkConfiguration"]}
    return body


def bounds_body(bounds: Mapping[str, int]) -> dict[str, Any]:
    """Return the body of `PUT /jobs/:id/resource-requirements`, from upper bounds by vertex id.

    The lower bound is what Flink itself gives a job that is submitted: it may run with less, where
    slots are short.
    """
    return {
        vertex: {"parallelism": {"lowerBound": 1, "upperBound": most}}
        for vertex, most in bounds.items()
    }


def parse_bounds(body: dict[str, Any]) -> dict[str, int]:
    """Read the upper bound of each vertex from `GET /jobs/:id/resource-requirements`.

    The adaptive scheduler alone has them, since 1.18; others answer 500. They are fresh, while the
    parallelism of a vertex is served from a cache (measured on 1.20.5 and 2.3.0).
    """
    return {vertex: int(each["parallelism"]["upperBound"]) for vertex, each in body.items()}


_CAUSE = re.compile(r"^(?:Caused by: )?((?:[\w$]+\.)+[\w$]+)(?:: (.*))?$")
_MAX_LENGTH = 500
#: How Flink names an option of its own command line, which nobody here uses.
_COMMAND_LINE_OPTION = re.compile(
    r"the --?allowNonRestoredState(?: \(short: -n\))?( option)?( on the CLI)?"
)
#: How a plan, and a run, end of a `main` that executes nothing (measured on 1.20.5 and 2.3.0).
_NO_JOB = re.compile(
    r"The program plan could not be fetched - the program aborted pre-?maturely"
    r"|No jobs included in application"
)


def last_cause(text: str) -> str:
    """Return the innermost cause of a stack trace as one line: class name and message.

    A REST error of Flink holds a whole trace as one string; what went wrong is the last
    "Caused by" (measured on 1.17 to 2.3). Lines without one are returned folded. What Flink
    words by its own classes alone is put in plain words before it. A program may put the address
    of its database into it, so credentials are masked.
    """
    lines = [line.strip() for line in text.replace("<", "").replace(">", "").splitlines()]
    starts = [i for i, line in enumerate(lines) if line.startswith("Caused by: ")]
    first = starts[-1] if starts else 0
    kept: list[str] = []
    for line in lines[first:]:
        if kept and (line.startswith(("at ", "... ", "Caused by: ", "Suppressed: ")) or not line):
            break
        kept.append(line)
    message = " ".join(" ".join(kept).split()).removeprefix("Caused by: ")
    message = message.removeprefix("Internal server error. ")
    message = message.removeprefix("Exception on server side: ")
    match = _CAUSE.match(message)
    if match:
        name, detail = match.group(1).rsplit(".", 1)[-1], match.group(2)
        message = f"{name}: {detail}" if detail else name
    if _NO_JOB.search(message):
        message = f"main has started no job: it must call execute() (Flink says: {message})"
    message = mask_foreign(_COMMAND_LINE_OPTION.sub("allow_non_restored_state", message))
    return message if len(message) <= _MAX_LENGTH else message[:_MAX_LENGTH] + "…"


def parse_graph(body: dict[str, Any]) -> JobGraph:
    """Read the body of `POST /jars/:id/plan`, or of `GET /jobs/:id/plan`.

    It is the same for a program that is planned and for a job that runs (measured on 1.20.5 and
    2.3.0). A vertex of several chained operators describes them as a tree, one operator a line:
    "count<br/>+- lines: Writer<br/>   +- lines: Committer<br/>".
    """
    nodes = (body.get("plan") or {}).get("nodes") or []
    widest = max((int(node.get("parallelism") or 1) for node in nodes), default=1)
    return JobGraph(widest, tuple(_vertex(node) for node in nodes if "id" in node))


def parse_state_sizes(body: dict[str, Any]) -> dict[str, int | None]:
    """Read bytes of state by vertex id from `GET /jobs/:id/checkpoints/details/:id`.

    The `state_size` of an unaligned checkpoint counts records in flight, too: then it is None.
    """
    tasks = body.get("tasks") or {}
    return {
        vertex: None if task.get("persisted_data") else int(task.get("state_size") or 0)
        for vertex, task in tasks.items()
    }


def newest_checkpoint(body: dict[str, Any]) -> int | None:
    """Return the id of the newest completed checkpoint or savepoint in the statistics, or None."""
    latest = body.get("latest") or {}
    ids = [(latest.get(kind) or {}).get("id") for kind in ("completed", "savepoint")]
    return max((int(each) for each in ids if each is not None), default=None)


_NEXT_IN_CHAIN = re.compile("<br/>[ :]*[:+]- ")


def _vertex(node: dict[str, Any]) -> Vertex:
    # Each operator but the first has a branch of the tree before it; a name may have line breaks.
    lines = _NEXT_IN_CHAIN.split(str(node.get("description") or "").removesuffix("<br/>"))
    operators = (html.unescape(line).strip() for line in lines)
    inputs = sorted(node.get("inputs") or [], key=lambda each: int(each.get("num") or 0))
    return Vertex(
        id=str(node["id"]),
        operators=tuple(operator for operator in operators if operator),
        source=not inputs,
        keyed=any(each.get("ship_strategy") == "HASH" for each in inputs),
        parallelism=int(node.get("parallelism") or 1),
        inputs=tuple(str(each["id"]) for each in inputs if "id" in each),
    )


def parse_max_parallelism(body: dict[str, Any]) -> dict[str, int]:
    """Read the maximum parallelism by vertex id from `GET /jobs/:id`, since 1.17."""
    vertices = body.get("vertices") or []
    return {
        str(each["id"]): int(each["maxParallelism"])
        for each in vertices
        if int(each.get("maxParallelism") or 0) > 0
    }


#: An interval beyond this is Flink's way to say that there are no periodic checkpoints.
_NEVER = 2**62


def parse_checkpoints(body: dict[str, Any]) -> CheckpointStatistics:
    """Read the body of `GET /jobs/:id/checkpoints`."""
    latest = body.get("latest") or {}
    savepoint = latest.get("savepoint") or {}
    checkpoint = latest.get("completed") or {}
    restored = latest.get("restored") or {}
    if checkpoint.get("is_savepoint"):
        checkpoint = {}
    savepoint_time = int(savepoint.get("trigger_timestamp") or 0)
    checkpoint_time = int(checkpoint.get("trigger_timestamp") or 0)
    there = not checkpoint.get("discarded", True)
    return CheckpointStatistics(
        completed=int((body.get("counts") or {}).get("completed") or 0),
        restored_from=addressable(restored.get("external_path")),
        savepoint=addressable(savepoint.get("external_path")),
        savepoint_time=savepoint_time,
        stopped_with_savepoint=savepoint.get("checkpoint_type") == "SYNC_SAVEPOINT"
        and savepoint_time >= checkpoint_time,
        checkpoint=addressable(checkpoint.get("external_path")) if there else "",
        checkpoint_time=checkpoint_time if there else 0,
        last_completed=max(savepoint_time, checkpoint_time),
    )


def addressable(path: object) -> str:
    """Return a path that can be restored from; others Flink puts into angle brackets."""
    return path if isinstance(path, str) and not path.startswith("<") else ""


def parse_checkpointing(body: dict[str, Any]) -> Checkpointing:
    """Read the body of `GET /jobs/:id/checkpoints/config`."""
    kept = body.get("externalization") or {}
    return Checkpointing(
        periodic=0 < int(body.get("interval") or 0) < _NEVER,
        retained=bool(kept.get("enabled")) and not kept.get("delete_on_cancellation"),
    )


def parse_overview(body: dict[str, Any]) -> ClusterSnapshot:
    """Read the body of `GET /jobs/overview`.

    It is fresh to 0.03 s and holds the count of running tasks, while the detail call is served from
    a cache of 3 s (measured on 1.20.5 and 2.3.0): so this is what is polled.
    """
    return ClusterSnapshot(tuple(_row(row) for row in body["jobs"]))


def _row(row: dict[str, Any]) -> ObservedJob:
    tasks = row.get("tasks", {})
    return ObservedJob(
        job_id=row["jid"],
        name=row["name"],
        state=row["state"],
        started=row.get("start-time", 0),
        ended=max(row.get("end-time", 0), 0),
        tasks=tasks.get("total", 0),
        running_tasks=tasks.get("running", 0),
        finished_tasks=tasks.get("finished", 0),
        modified=max(row.get("last-modification", 0), 0),
        scheduler=row.get("schedulerType") or "",
    )


#: Flink's option that has a program's `System.exit` fail in the program alone.
INTERCEPTS_EXIT = "cluster.intercept-user-system-exit"
_CLUSTER_DECIDES = "kubernetes-session", "yarn-session", "kubernetes-application"


def parse_facts(config: dict[str, Any], options: dict[str, str]) -> ClusterFacts:
    """Read the bodies of `GET /config` and `GET /jobmanager/config`.

    The latter comes as the values of its rows by key; there are none where a proxy hides it.

    Raises:
        ClusterRefused: The version is none of Flink's, or is too old.
    """
    refresh = config.get("refresh-interval")
    return ClusterFacts(
        version=parse_version(str(config["flink-version"])),
        savepoint_directory=options.get("execution.checkpointing.savepoint-dir")
        or options.get("state.savepoints.dir", ""),
        checkpoint_directory=options.get("execution.checkpointing.dir")
        or options.get("state.checkpoints.dir", ""),
        fixed_slots=_fixed_slots(options),
        adaptive=_is_adaptive(options) if options else None,
        intercepts_exit=options.get(INTERCEPTS_EXIT, "").upper() == "THROW" if options else None,
        instance=_instance(options),
        job_cache=_seconds(refresh),
        statistics_cache=_seconds(
            options.get("rest.cache.checkpoint-statistics.timeout") or refresh
        ),
    )


def _instance(options: dict[str, str]) -> str:
    """Return the part of a path to which a JobManager adds a random UUID at each start.

    Measured on Flink 1.20.5 and 2.3.0.
    """
    found = re.search(r"flink-web-[0-9a-f-]{36}$", options.get("web.tmpdir", ""))
    return found.group() if found else ""


def _seconds(interval: object) -> float:
    """Return the seconds of an interval of Flink's, 3 where it is not shown: its default."""
    milliseconds = flink_milliseconds(str(interval))
    return 3.0 if milliseconds is None else float(milliseconds) / 1000


def _fixed_slots(options: dict[str, str]) -> bool:
    return (
        options.get("execution.target", "") not in _CLUSTER_DECIDES
        and not _is_adaptive(options)
        and options.get("scheduler-mode", "").lower() != "reactive"
        and "kubernetes.cluster-id" not in options
        and "yarn.application.id" not in options
    )


def _is_adaptive(options: dict[str, str]) -> bool:
    return options.get("jobmanager.scheduler", "").lower() == "adaptive"
