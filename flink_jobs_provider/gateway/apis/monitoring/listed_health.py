"""The health of the jobs of one page of a list, cluster by cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from flink_jobs_provider.gateway.apis.monitoring.list_query import ACTIVE
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError
from flink_jobs_provider.observing.attention import Observation
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.documents import HealthPart
from flink_jobs_provider.observing.health import JobHealth

#: Seconds that restarts and checkpoints of a list may be old, and that its load may be: a cluster
#: gathers metrics every 10 s.
_CHECKPOINTS_AGE, _LOAD_AGE = 15.0, 5.0
#: Seconds that a page waits for the health of its jobs.
_WITHIN = 15.0
_PATIENCE = _WITHIN + 5
#: Stands for a job that is not observed by then.
_LATE = ClusterUnreachable(
    f"it was not observed within {_WITHIN:g} s, as its cluster is slow", remedy="Ask again"
)

Histories = Mapping[str, tuple[Observation, ...] | JobError]


@dataclass(frozen=True)
class ListedHealth:
    """What was observed of one job of a list.

    Attributes:
        history: Its observations, the newest last; empty for a job that has ended.
        problem: Why it was not observed, a sentence; None where it was.
    """

    history: tuple[Observation, ...] = ()
    problem: str | None = None

    @property
    def newest(self) -> JobHealth | None:
        """Its newest observation; None where its cluster does not list it, or did not answer."""
        newest = self.history[-1] if self.history else None
        return newest if isinstance(newest, JobHealth) else None


async def listed_health(
    monitors: Monitors,
    rows: Sequence[JobRow],
    parts: Collection[HealthPart],
    silent: Mapping[str, JobError],
) -> dict[int, ListedHealth]:
    """Observe the jobs of a page; return what was observed by their numbers.

    Args:
        monitors: What observes their clusters.
        rows: The jobs on record.
        parts: What is observed of them.
        silent: Clusters that did not answer, and why; they are not asked again.
    """
    active: dict[str, list[str]] = {}
    for row in rows:
        if row.status in ACTIVE and row.record.job_id and row.cluster not in silent:
            active.setdefault(row.cluster, []).append(row.record.job_id)
    seen = await asyncio.gather(
        *(_observed(monitors, cluster, job_ids, parts) for cluster, job_ids in active.items())
    )
    by_cluster = dict(zip(active, seen, strict=True))

    def health(row: JobRow) -> ListedHealth:
        job_id = row.record.job_id
        if row.status not in ACTIVE or not job_id:
            return ListedHealth()
        if row.cluster in silent:
            return ListedHealth(problem=str(silent[row.cluster]))
        found = by_cluster[row.cluster][job_id]
        return (
            ListedHealth(problem=str(found)) if isinstance(found, JobError) else ListedHealth(found)
        )

    return {row.number: health(row) for row in rows}


async def _observed(
    monitors: Monitors, cluster: str, job_ids: Sequence[str], parts: Collection[HealthPart]
) -> Histories:
    """Return the histories of jobs of one cluster, or why they were not observed, by jobId."""

    async def load(monitor: ClusterMonitor) -> Histories:
        found = await monitor.loads(job_ids, _LOAD_AGE, _WITHIN)
        return {job_id: found.get(job_id, _LATE) for job_id in job_ids}

    async def checkpoints(monitor: ClusterMonitor) -> Histories:
        found = await monitor.listed(job_ids, _CHECKPOINTS_AGE)
        return {job_id: (health,) for job_id, health in found.items()}

    looks = {HealthPart.LOAD: load, HealthPart.CHECKPOINTS: checkpoints}
    seen = await asyncio.gather(
        *(monitors.observe(cluster, looks[part], _PATIENCE) for part in sorted(parts))
    )
    found: dict[str, tuple[Observation, ...] | JobError] = dict.fromkeys(job_ids, ())
    for each in seen:
        for job_id, known in found.items():
            found[job_id] = (
                each if isinstance(each, JobError) else _both(known, each.get(job_id, ()))
            )
    return found


def _both(
    one: tuple[Observation, ...] | JobError, other: tuple[Observation, ...] | JobError
) -> tuple[Observation, ...] | JobError:
    """Return a history whose newest observation has checkpoints and load."""
    if isinstance(one, JobError) or isinstance(other, JobError):
        return one if isinstance(one, JobError) else other
    if not one or not other:
        return one or other
    read, newest = one[-1], other[-1]
    if isinstance(read, JobHealth) and isinstance(newest, JobHealth):
        newest = replace(
            newest, settings=read.settings, counts=read.counts, checkpoints=read.checkpoints
        )
    return (*other[:-1], newest)
