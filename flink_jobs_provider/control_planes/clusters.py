"""The clusters in use: one control plane for each, shared by all its jobs.

What a system's control plane needs (an HTTP client first of all) is imported when the first of its
clusters is opened: a preview without new jobs asks no cluster, and starts without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, overload

from flink_jobs_provider.control_planes.protocol import Guard, Resolve
from flink_jobs_provider.model.target import DliTarget, FlinkTarget, HDInsightTarget, Target

if TYPE_CHECKING:
    from flink_jobs_provider.control_planes.action_plane import ActionJob
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


async def _starts_on_flink(plane: FlinkRest, _job_name: str) -> set[tuple[object, ...]]:
    # A program may rename its job: all of them count.
    return {(job.job_id, job.started) for job in (await plane.jobs()).jobs if job.started}


async def _starts_on_hdinsight(plane: HDInsightPlane, job_name: str) -> set[tuple[object, ...]]:
    return _starts([row for row in await plane.jobs() if row.job_name == job_name])


async def _starts_on_dli(plane: DliPlane, job_name: str) -> set[tuple[object, ...]]:
    return _starts(await plane.named(job_name))


def _starts(rows: Sequence[ActionJob]) -> set[tuple[object, ...]]:
    return {(row.run_id, row.job_id, row.started) for row in rows if row.started}


#: How each kind of target shows the starts of jobs.
_STARTS: Mapping[str, Callable[..., Awaitable[set[tuple[object, ...]]]]] = {
    "flink": _starts_on_flink,
    "hdinsight": _starts_on_hdinsight,
    "dli": _starts_on_dli,
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


async def instance_of(clusters: Clusters, target: Target) -> str:
    """Return what a target's cluster shows and no other one has; empty where it shows none."""
    return "" if target.is_job_service else (await clusters.of(target).facts()).instance


async def started_jobs(clusters: Clusters, target: Target, name: str) -> set[tuple[object, ...]]:
    """Return the ids and start times of a target's jobs of a name; on Flink, of all its jobs."""
    return await _STARTS[target.kind](clusters.of(target), name)
