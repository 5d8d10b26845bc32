"""The clusters in use: one control plane for each, shared by all its jobs.

What a system's control plane needs (an HTTP client first of all) is imported when the first of its
clusters is opened: a preview without new jobs asks no cluster, and starts without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, overload

from flink_jobs_provider.control_planes.protocol import Guard, Resolve
from flink_jobs_provider.model.target import DliTarget, FlinkTarget, HDInsightTarget

if TYPE_CHECKING:
    from flink_jobs_provider.control_planes.dli import DliPlane
    from flink_jobs_provider.control_planes.flink import FlinkRest
    from flink_jobs_provider.control_planes.hdinsight import HDInsightPlane


def _open_flink(target: FlinkTarget, resolve: Resolve, guard: Guard) -> FlinkRest:
    from flink_jobs_provider.control_planes.flink import FlinkRest
    from flink_jobs_provider.control_planes.flink.client import open_client

    return FlinkRest(open_client(target, resolve), guard)


def _open_hdinsight(target: HDInsightTarget, resolve: Resolve, guard: Guard) -> HDInsightPlane:
    from flink_jobs_provider.control_planes.hdinsight import HDInsightPlane
    from flink_jobs_provider.control_planes.hdinsight.auth import open_client

    return HDInsightPlane(target, open_client(target, resolve), guard)


def _open_dli(target: DliTarget, resolve: Resolve, guard: Guard) -> DliPlane:
    from flink_jobs_provider.control_planes.dli import DliPlane
    from flink_jobs_provider.control_planes.dli.signing import open_client

    return DliPlane(target, open_client(target, resolve), guard)


#: How each kind of target is reached.
_OPENERS: Mapping[str, Callable[..., FlinkRest | HDInsightPlane | DliPlane]] = {
    "flink": _open_flink,
    "hdinsight": _open_hdinsight,
    "dli": _open_dli,
}


class Clusters:
    """Opens control planes by target, each once.

    Args:
        resolve: Resolves references to secrets.
        guard: Called before each request that changes something.
    """

    def __init__(self, resolve: Resolve, guard: Guard = lambda: None) -> None:
        self._resolve = resolve
        self._guard = guard
        self._planes: dict[str, FlinkRest | HDInsightPlane | DliPlane] = {}

    @overload
    def of(self, target: FlinkTarget) -> FlinkRest: ...

    @overload
    def of(self, target: HDInsightTarget) -> HDInsightPlane: ...

    @overload
    def of(self, target: DliTarget) -> DliPlane: ...

    def of(
        self, target: FlinkTarget | HDInsightTarget | DliTarget
    ) -> FlinkRest | HDInsightPlane | DliPlane:
        """Return the control plane of a target. Call it in the event loop that will use it.

        Raises:
            ClusterRefused: A reference leads nowhere, or a certificate file cannot be used.
        """
        key = target.model_dump_json()
        if key not in self._planes:
            self._planes[key] = _OPENERS[target.kind](target, self._resolve, self._guard)
        return self._planes[key]

    async def close(self) -> None:
        """Close all connections."""
        for plane in self._planes.values():
            await plane.close()
        self._planes.clear()
