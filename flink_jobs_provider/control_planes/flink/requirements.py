"""What a running job may be scaled to: Flink's resource requirements.

The adaptive scheduler alone has them, since 1.18; others answer 500. They are fresh, while the
parallelism of a vertex is served from a cache (measured on 1.20.5 and 2.3.0).
"""

from __future__ import annotations

from collections.abc import Mapping

from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.model.errors import ActionFailed

#: What Flink itself gives a job that is submitted: it may run with less, where slots are short.
_LOWER_BOUND = 1


async def read_bounds(client: FlinkClient, job_id: str) -> dict[str, int] | None:
    """Read the upper bound of each vertex from `GET /jobs/:id/resource-requirements`.

    None where the job is not running any more.

    Raises:
        ClusterUnreachable: Something else answered in the cluster's place.
    """
    try:
        found = await client.get(f"jobs/{job_id}/resource-requirements")
        return {vertex: int(each["parallelism"]["upperBound"]) for vertex, each in found.items()}
    except FlinkAnswer:
        return None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise client.unreadable() from None


async def write_bounds(client: FlinkClient, job_id: str, bounds: Mapping[str, int]) -> None:
    """Send the upper bound of each vertex by `PUT /jobs/:id/resource-requirements`.

    It is accepted, not applied, when this returns.

    Raises:
        ActionFailed: Flink refused it.
    """
    body = {
        vertex: {"parallelism": {"lowerBound": _LOWER_BOUND, "upperBound": most}}
        for vertex, most in bounds.items()
    }
    try:
        await client.change(
            "PUT", f"jobs/{job_id}/resource-requirements", json=body, repeatable=True
        )
    except FlinkAnswer as answer:
        raise ActionFailed(answer.cause) from None
