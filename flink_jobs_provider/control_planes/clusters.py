"""The clusters in use: one control plane for each, shared by all its jobs.

What a system's control plane needs (an HTTP client first of all) is imported when the first of its
clusters is opened: a preview, which asks no cluster, starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flink_jobs_provider.control_planes.protocol import Guard, Resolve
from flink_jobs_provider.model.target import FlinkTarget

if TYPE_CHECKING:
    from flink_jobs_provider.control_planes.flink_rest import FlinkRest


class Clusters:
    """Opens control planes by target, each once.

    Args:
        resolve: Resolves references to secrets.
        guard: Called before each request that changes something.
    """

    def __init__(self, resolve: Resolve, guard: Guard = lambda: None) -> None:
        self._resolve = resolve
        self._guard = guard
        self._open: dict[str, FlinkRest] = {}

    def of(self, target: FlinkTarget) -> FlinkRest:
        """Return the control plane of a target. Call it in the event loop that will use it.

        Raises:
            ClusterRefused: A reference leads nowhere, or a certificate file cannot be used.
        """
        key = target.model_dump_json()
        if key not in self._open:
            from flink_jobs_provider.control_planes.flink_rest import FlinkRest
            from flink_jobs_provider.control_planes.flink_rest.access import open_client

            client = open_client(target, self._resolve)
            self._open[key] = FlinkRest(client, self._guard)
        return self._open[key]

    async def close(self) -> None:
        """Close all connections."""
        for plane in self._open.values():
            await plane.close()
        self._open.clear()
