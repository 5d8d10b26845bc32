"""Job graphs as Flink's plan calls describe them, and how much state each vertex has.

The body is the same for a program that is planned and for a job that runs (measured on 1.20.5 and
2.3.0). A vertex of several chained operators describes them as a tree, one operator a line:
"count<br/>+- lines: Writer<br/>   +- lines: Committer<br/>".
"""

from __future__ import annotations

from typing import Any

from flink_jobs_provider.control_planes.protocol import PlannedGraph, Vertex


def parse_graph(body: dict[str, Any]) -> PlannedGraph:
    """Read the body of `POST /jars/:id/plan`, or of `GET /jobs/:id/plan`."""
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
