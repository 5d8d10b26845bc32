"""Metrics of jobs: what a gateway in memory shows of its jobs when it is scraped."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from flink_jobs_provider.gateway.ops.job_metrics import (
    Deployments,
    JobMetrics,
    cluster_families,
    job_families,
)
from flink_jobs_provider.gateway.ops.prometheus import Metrics
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.observing.health import ClusterHealth, Memory
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway
from tests.unit.gateway.ops.test_prometheus import samples


def test_jobs_of_a_gateway(tmp_path: Path) -> None:
    """Shows the record where the cluster does not answer, what is left out, and a database away."""

    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            await gateway.done("NEW")
            await gateway.done("NEW", "second")
            await gateway.done("CANCEL", "second")
            row = await gateway.row()
            assert gateway.jobs._sampling
            metrics = Metrics()
            jobs = JobMetrics(gateway.jobs, [CLUSTER], gateway.jobs._sampling._monitors, 1)
            metrics.add_jobs(jobs)
            await metrics.refresh()
            found = samples(metrics)
            assert found["flink_jobs_job_status", CLUSTER, "orders", "RUNNING"] == 1
            assert found["flink_jobs_job_last_action_failed", CLUSTER, "orders"] == 0
            assert found["flink_jobs_jobs_omitted",] == 1
            assert not [name for name, *_ in found if name == "flink_jobs_job_tasks"]
            job = ObservedJob(
                str(row.record.job_id),
                "x",
                "RUNNING",
                tasks=3,
                running_tasks=1,
                finished_tasks=1,
                modified=5000,
            )
            deployments = Deployments()
            deployments.update({CLUSTER: _cluster(replace(job, running_tasks=2))})
            health = _cluster(job)
            seen = {CLUSTER: replace(health, metaspace=Memory(64, 256))}
            values = {
                family.name: [each.value for each in family.samples]
                for family in [
                    *job_families([row], seen, deployments, omitted=0),
                    *cluster_families(seen),
                ]
            }
            assert values == {
                "flink_jobs_job_status": [1],
                "flink_jobs_job_last_action_failed": [0],
                "flink_jobs_job_tasks": [3],
                "flink_jobs_job_tasks_up": [2],
                "flink_jobs_job_tasks_deployed_timestamp_seconds": [5],
                "flink_jobs_jobs_omitted": [0],
                "flink_jobs_cluster_task_managers": [2],
                "flink_jobs_cluster_slots": [8],
                "flink_jobs_cluster_free_slots": [3],
                "flink_jobs_cluster_metaspace_ratio": [0.25],
            }

    asyncio.run(life())


def test_a_restart_is_one_deployment_and_a_task_that_ends_is_none() -> None:
    """Shows the value that FlinkJobRestartsOften counts the changes of, scrape by scrape."""
    ran = ObservedJob("a", "x", "RUNNING", tasks=2, running_tasks=2, modified=1000)
    steps: list[tuple[ObservedJob | None, int | None]] = [
        (replace(ran, running_tasks=1), None),
        (ran, 1000),
        (replace(ran, running_tasks=1, finished_tasks=1, modified=2000), 1000),
        (replace(ran, state="RESTARTING", running_tasks=0, modified=3000), 1000),
        (replace(ran, running_tasks=1, modified=4000), 1000),
        (replace(ran, modified=5000), 5000),
        (None, 5000),
        (replace(ran, modified=5000), 5000),
        (replace(ran, state="CANCELED", modified=6000), None),
    ]
    deployments = Deployments()
    for job, at in steps:
        deployments.update({CLUSTER: _cluster(job)} if job else {})
        assert deployments.at(CLUSTER, "a") == at


def _cluster(job: ObservedJob) -> ClusterHealth:
    return ClusterHealth(0, "2.3.0", 2, 8, 3, ClusterSnapshot((job,)))


def test_no_job_has_a_metric_where_that_is_off() -> None:
    asyncio.run(_scraped(metrics := Metrics()))
    assert not [
        name
        for name, *_ in samples(metrics)
        if not name.startswith(("flink_jobs_gateway", "process_"))
    ]


async def _scraped(metrics: Metrics) -> None:
    await metrics.refresh()
