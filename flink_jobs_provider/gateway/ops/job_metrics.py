"""Metrics of each job, as Prometheus scrapes them: read when they are scraped, never per job.

Their labels are the cluster and the name of a job. A cluster is asked what a list costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flink_jobs_provider.gateway.job_board import JobBoard, JobOrder, JobSearch
from flink_jobs_provider.gateway.job_service import JobRow
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.health import ClusterHealth

#: Seconds that what is shown of a cluster may be old.
_AGE = 10.0


class Deployments:
    """When the tasks of jobs were deployed, as successive scrapes show it.

    What a list tells of it also changes when a task comes to its own end: that is no deployment.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[ObservedJob, int]] = {}

    def update(self, seen: Mapping[str, ClusterHealth]) -> None:
        """Note the jobs of the clusters that answer, by key."""
        known = {key: value for key, value in self._known.items() if key[0] not in seen}
        for cluster, health in seen.items():
            for job in health.snapshot.jobs:
                if job.active:
                    known.update(self._noted(cluster, job))
        self._known = known

    def at(self, cluster: str, job_id: str) -> int | None:
        """Return when the tasks of a job were deployed last: milliseconds since the epoch.

        None until all of them were seen to run or to be done.
        """
        known = self._known.get((cluster, job_id))
        return known[1] if known else None

    def _noted(
        self, cluster: str, job: ObservedJob
    ) -> dict[tuple[str, str], tuple[ObservedJob, int]]:
        key = cluster, job.job_id
        before, at = self._known.get(key, (None, job.modified))
        if not job.healthy:
            return {key: (before, at)} if before else {}
        return {key: (job, job.modified if before and job.redeployed_since(before) else at)}


class JobMetrics(Collector):
    """Holds the metrics of all jobs as they were last read.

    Args:
        board: The jobs on record.
        clusters: Keys of the clusters.
        monitors: Observe the clusters.
        most: Jobs that have metrics, by name; the others are counted.
    """

    def __init__(
        self, board: JobBoard, clusters: Sequence[str], monitors: Monitors, most: int
    ) -> None:
        self._board = board
        self._clusters = clusters
        self._monitors = monitors
        self._most = most
        self._deployments = Deployments()
        self._families: list[Metric] = []

    async def refresh(self) -> None:
        """Read them. Where the database does not answer there are none: old ones would mislead."""
        search = JobSearch(self._clusters, order=JobOrder.NAME, limit=self._most)
        try:
            page = await self._board.board(search)
        except Refusal:
            self._families = []
            return
        observed = await asyncio.gather(
            *(
                self._monitors.observe(key, lambda each: each.cluster(_AGE))
                for key in self._clusters
            )
        )
        seen = {
            key: health
            for key, health in zip(self._clusters, observed, strict=True)
            if isinstance(health, ClusterHealth)
        }
        self._deployments.update(seen)
        omitted = page.found - len(page.rows)
        self._families = [
            *job_families(page.rows, seen, self._deployments, omitted=omitted),
            *cluster_families(seen),
        ]

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._families


def job_families(
    rows: Sequence[JobRow],
    seen: Mapping[str, ClusterHealth],
    deployments: Deployments,
    *,
    omitted: int,
) -> list[Metric]:
    """Return the metrics of jobs.

    Args:
        rows: The jobs on record.
        seen: The clusters that answer, by key.
        deployments: When their jobs' tasks were deployed.
        omitted: How many jobs are left out.
    """
    status = _gauge("job_status", "1 for the status that a job has.", "status")
    failed = _gauge("job_last_action_failed", "1 where a job's last action failed, else 0.")
    tasks = _gauge("job_tasks", "Tasks of an active job, by its cluster's list.")
    running = _gauge("job_tasks_up", "Tasks of an active job that run or are done.")
    deployed = _gauge(
        "job_tasks_deployed_timestamp_seconds",
        "When the tasks of an active job were deployed last: each restart changes it.",
    )
    for row in rows:
        labels = [row.cluster, row.job_name]
        status.add_metric([*labels, row.status or "STARTING"], 1)
        failed.add_metric(labels, int(row.last.result is ActionResult.FAILED))
        if job := _listed(row, seen):
            tasks.add_metric(labels, job.tasks)
            running.add_metric(labels, job.running_tasks + job.finished_tasks)
            if (at := deployments.at(row.cluster, job.job_id)) is not None:
                deployed.add_metric(labels, at / 1000)
    left_out = GaugeMetricFamily("flink_jobs_jobs_omitted", "Jobs that have no metrics.", omitted)
    return [status, failed, tasks, running, deployed, left_out]


def cluster_families(seen: Mapping[str, ClusterHealth]) -> list[Metric]:
    """Return the metrics of the clusters that answer."""
    managers = _cluster_gauge("task_managers", "TaskManagers of a cluster.")
    slots = _cluster_gauge("slots", "Task slots of a cluster.")
    free = _cluster_gauge("free_slots", "Task slots of a cluster that no job has.")
    metaspace = _cluster_gauge(
        "metaspace_ratio", "Metaspace in use, 0 to 1, of the TaskManager that has used most."
    )
    for key, health in seen.items():
        managers.add_metric([key], health.task_managers)
        slots.add_metric([key], health.slots)
        free.add_metric([key], health.free_slots)
        if health.metaspace and health.metaspace.share is not None:
            metaspace.add_metric([key], health.metaspace.share)
    return [managers, slots, free, metaspace]


def _listed(row: JobRow, seen: Mapping[str, ClusterHealth]) -> ObservedJob | None:
    health = seen.get(row.cluster)
    job = health.snapshot.by_id.get(row.record.job_id or "") if health else None
    return job if job and job.active else None


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    # Not `job`: Prometheus labels all that it scrapes so, by the name of its configuration.
    return GaugeMetricFamily(f"flink_jobs_{name}", text, labels=["cluster", "job_name", *labels])


def _cluster_gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"flink_jobs_cluster_{name}", text, labels=["cluster"])
