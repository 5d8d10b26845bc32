"""The clusters in use: one control plane for each, shared by all its jobs.

What a system's control plane needs (an HTTP client first of all) is imported when the first of its
clusters is opened: a preview without new jobs asks no cluster, and starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from flink_jobs_provider.control_planes.protocol import Guard, Resolve
from flink_jobs_provider.model.target import DliTarget, FlinkTarget, HDInsightTarget

if TYPE_CHECKING:
    from flink_jobs_provider.control_planes.dli import DliPlane
    from flink_jobs_provider.control_planes.flink_rest import FlinkRest
    from flink_jobs_provider.control_planes.hdinsight import HDInsightPlane


class Clusters:
    """Opens control planes by target, each once.

    Args:
        resolve: Resolves references to secrets.
        guard: Called before each request that changes something.
    """

    def __init__(self, resolve: Resolve, guard: Guard = lambda: None) -> None:
        self._resolve = resolve
        self._guard = guard
        self._flink: dict[str, FlinkRest] = {}
        self._hdinsight: dict[str, HDInsightPlane] = {}
        self._dli: dict[str, DliPlane] = {}

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
        if isinstance(target, HDInsightTarget):
            return self._of_hdinsight(target)
        if isinstance(target, DliTarget):
            return self._of_dli(target)
        key = target.model_dump_json()
        if key not in self._flink:
            from flink_jobs_provider.control_planes.flink_rest import FlinkRest
            from flink_jobs_provider.control_planes.flink_rest.access import open_client

            client = open_client(target, self._resolve)
            self._flink[key] = FlinkRest(client, self._guard)
        return self._flink[key]

    def _of_hdinsight(self, target: HDInsightTarget) -> HDInsightPlane:
        key = target.model_dump_json()
        if key not in self._hdinsight:
            from flink_jobs_provider.control_planes.hdinsight import HDInsightPlane
            from flink_jobs_provider.control_planes.hdinsight.access import open_client

            client = open_client(target, self._resolve)
            self._hdinsight[key] = HDInsightPlane(target, client, self._guard)
        return self._hdinsight[key]

    def _of_dli(self, target: DliTarget) -> DliPlane:
        key = target.model_dump_json()
        if key not in self._dli:
            from flink_jobs_provider.control_planes.dli import DliPlane
            from flink_jobs_provider.control_planes.dli.access import open_client

            client = open_client(target, self._resolve)
            self._dli[key] = DliPlane(target, client, self._guard)
        return self._dli[key]

    async def close(self) -> None:
        """Close all connections."""
        for flink in self._flink.values():
            await flink.close()
        for hdinsight in self._hdinsight.values():
            await hdinsight.close()
        for dli in self._dli.values():
            await dli.close()
        self._flink.clear()
        self._hdinsight.clear()
        self._dli.clear()
