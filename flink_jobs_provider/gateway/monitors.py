"""The monitors of a gateway's clusters, each opened when somebody looks for the first time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.health import JobHealth

T = TypeVar("T")

#: For how many seconds an answer waits for a cluster.
_PATIENCE = 5.0


class Planes(Protocol):
    """Opens clusters."""

    def of(self, target: FlinkTarget) -> FlinkRest:
        """Return the control plane of a cluster."""


class Monitors:
    """Observes clusters for all callers at once.

    Args:
        clusters: The clusters that are served.
        planes: Opens them.
        patience: Seconds that an answer waits for a cluster.
    """

    def __init__(
        self, clusters: Sequence[ClusterConfiguration], planes: Planes, patience: float = _PATIENCE
    ) -> None:
        self._targets = {cluster.key: cluster.flink for cluster in clusters}
        self._planes = planes
        self._patience = patience
        self._monitors: dict[str, ClusterMonitor] = {}

    async def observe(
        self,
        cluster: str,
        look: Callable[[ClusterMonitor], Awaitable[T]],
        patience: float | None = None,
    ) -> T | JobError:
        """Return what is observed on a cluster, or why it cannot be observed now.

        Args:
            cluster: Its key.
            look: Observes it.
            patience: Seconds that this answer waits for the cluster, if other than usual.
        """
        patience = self._patience if patience is None else patience
        try:
            async with asyncio.timeout(patience):
                return await look(self._of(cluster))
        except JobError as error:
            return error
        except TimeoutError:
            return ClusterUnreachable(
                f"the cluster did not answer within {patience:g} s",
                remedy="Is it up and reachable?",
            )

    def looked_at(self, cluster: str, max_age: float) -> dict[str, JobHealth]:
        """Return the jobs of a cluster that somebody read in the last `max_age` seconds."""
        monitor = self._monitors.get(cluster)
        return monitor.looked_at(max_age) if monitor else {}

    def _of(self, cluster: str) -> ClusterMonitor:
        monitor = self._monitors.get(cluster)
        if monitor is None:
            client = self._planes.of(self._targets[cluster]).client
            monitor = self._monitors[cluster] = ClusterMonitor(client)
        return monitor
