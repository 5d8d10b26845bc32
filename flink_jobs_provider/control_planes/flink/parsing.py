"""Flink's answers, read into plain values: causes of errors, job graphs, checkpoint statistics."""

from __future__ import annotations

import re
from typing import Any

from flink_jobs_provider.control_planes.protocol import PlannedGraph, Vertex
from flink_jobs_provider.model.observation import Checkpointing, CheckpointStatistics
from flink_jobs_provider.model.redaction import mask_foreign

_CAUSE = re.compile(r"^(?:Caused by: )?((?:[\w$]+\.)+[\w$]+)(?:: (.*))?$")
#: Causes that only wrap another; without a further cause they are still better than nothing.
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


def parse_graph(body: dict[str, Any]) -> PlannedGraph:
    """Read the body of `POST /jars/:id/plan`, or of `GET /jobs/:id/plan`.

    It is the same for a program that is planned and for a job that runs (measured on 1.20.5 and
    2.3.0). A vertex of several chained operators describes them as a tree, one operator a line:
    "count<br/>+- lines: Writer<br/>   +- lines: Committer<br/>".
    """
    nodes = (body.get("plan") or {}).get("nodes") or []
    widest = max((int(node.get("parallelism") or 1) for node in nodes), default=1)
    return PlannedGraph(widest, tuple(_vertex(node) for node in nodes if "id" in node))


def parse_state_sizes(body: dict[str, Any]) -> dict[str, int]:
    """Read bytes of state by vertex id from `GET /jobs/:id/checkpoints/details/:id`."""
    tasks = body.get("tasks") or {}
    return {vertex: int(task.get("state_size") or 0) for vertex, task in tasks.items()}


def newest_checkpoint(body: dict[str, Any]) -> int | None:
    """Return the id of the newest completed checkpoint or savepoint in the statistics, or None."""
    latest = body.get("latest") or {}
    ids = [(latest.get(kind) or {}).get("id") for kind in ("completed", "savepoint")]
    return max((int(each) for each in ids if each is not None), default=None)


def _vertex(node: dict[str, Any]) -> Vertex:
    lines = str(node.get("description") or "").split("<br/>")
    operators = (line.lstrip(" :+-").strip() for line in lines)
    inputs = node.get("inputs") or []
    return Vertex(
        id=str(node["id"]),
        operators=tuple(operator for operator in operators if operator),
        source=not inputs,
        keyed=any(each.get("ship_strategy") == "HASH" for each in inputs),
    )


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
