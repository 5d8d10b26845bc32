"""The clusters in use: one control plane for each, shared by all its jobs."""

from __future__ import annotations

from collections.abc import Callable

from flink_jobs_provider.control_planes.flink_rest import FlinkRest
from flink_jobs_provider.control_planes.flink_rest.access import Resolve, open_client
from flink_jobs_provider.control_planes.flink_rest.client import Guard
from flink_jobs_provider.model.target import FlinkTarget


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
            client = open_client(target, self._resolve)
            self._open[key] = FlinkRest(client, self._guard)
        return self._open[key]

    async def close(self) -> None:
        """Close all connections."""
        for plane in self._open.values():
            await plane.close()
        self._open.clear()


#: What tests and faces may put in the place of `Clusters.of`.
OpenPlane = Callable[[FlinkTarget], FlinkRest]
