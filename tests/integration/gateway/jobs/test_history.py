"""The history of a job on a real Flink that breaks down in turn, part by part."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.job_history import UNREACHABLE, JobPoint, Span
from flink_jobs_provider.gateway.store import sample_records
from tests.flink_cluster import FlinkCluster
from tests.integration.gateway.jobs.gateway import QUICK, RealGateway, until
from tests.unit.gateway.jobs.gateway import CLUSTER
from tests.unit.gateway.store.entries import let_a_minute_pass

RETAINED = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}

#: After the delay Flink lists a job as RUNNING, also one that has no slots yet.
_LATE_RESTART = {
    **RETAINED,
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "100",
    "restart-strategy.fixed-delay.delay": "30 s",
}


def test_a_history_outlives_task_manager_job_manager_and_gateway(
    tmp_path: Path, private_flink: FlinkCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows the minutes of one job: restarted, unreachable, and started again as a new one."""
    monkeypatch.setattr(sample_records, "_LATE", 0)  # no other gateway is waited for
    flink = private_flink
    gateway = RealGateway(tmp_path, flink, intervals=replace(QUICK, sample=3600))

    async def minute(number: int) -> JobPoint:
        """Let the next minute come, and return what is recorded of it."""
        let_a_minute_pass(gateway.store)
        assert gateway.jobs._sampling
        await gateway.jobs._sampling.sample()
        now = gateway.store.minute()
        return (await gateway.jobs.series(CLUSTER, number, Span(now - 30, now + 1)))[-1]

    async def life() -> None:
        await gateway.start()
        row = await gateway.done("NEW", **gateway.version("v1", flink_configuration=_LATE_RESTART))
        first = str(row.record.job_id)
        await gateway.counts("v1")
        point = await minute(row.number)
        assert (point.state, point.running_tasks, point.restarts) == ("RUNNING", point.tasks, 0)

        await asyncio.to_thread(flink.stop_task_manager)
        await until(lambda: flink.jobs()[first]["state"] == "RESTARTING")
        point = await minute(row.number)
        assert (point.state, point.running_tasks) == ("RESTARTING", 0)
        await asyncio.to_thread(flink.start_missing)
        await asyncio.to_thread(flink.await_tasks_running, first)
        await gateway.monitors.observe(CLUSTER, lambda each: each.job(first))
        point = await minute(row.number)
        assert (point.state, point.job_id) == ("RUNNING", first)

        await asyncio.to_thread(flink.stop_job_manager)
        await until(lambda: not gateway.jobs.answers()[CLUSTER].answers)
        assert (await minute(row.number)).state == UNREACHABLE
        await gateway.stop()
        await asyncio.to_thread(flink.start_missing)
        await gateway.start()
        again = await gateway.row_that(
            lambda row: row.last.action == "RE_LAUNCH" and row.status == "RUNNING"
        )
        point = await minute(row.number)
        assert (point.state, point.job_id) == ("RUNNING", again.record.job_id)
        assert again.record.job_id != first

        now = gateway.store.minute()
        told = await gateway.jobs.series(CLUSTER, row.number, Span(now - 60, now + 1))
        assert [each.job_id for each in told] == sorted(
            (each.job_id for each in told), key=[first, again.record.job_id].index
        )
        states = [each.state for each in told]
        assert sum(each.restarts for each in told if each.job_id == first) == 1
        kept = [
            state for state, before in zip(states, [None, *states], strict=False) if state != before
        ]
        assert [each for each in kept if each in ("RUNNING", "RESTARTING", UNREACHABLE)] == [
            *("RUNNING", "RESTARTING", "RUNNING", UNREACHABLE, "RUNNING")
        ]
        loads = [each.load for each in told if each.load]
        assert loads
        assert (loads[0].checkpoints_completed or 0) > 0
        await gateway.done("CANCEL")
        await gateway.stop()

    asyncio.run(life())
