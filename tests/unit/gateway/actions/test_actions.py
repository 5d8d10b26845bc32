"""Each action, on a Flink in memory: what runs afterwards, and what the records say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.service import Refusal
from tests.unit.gateway.actions.gateway import Gateway


def test_new_stop_start_update(tmp_path: Path) -> None:
    """Shows a job's life: its state is carried from each version to the next."""

    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            row = await gateway.done("NEW", parallelism=3)
            assert (row.status, row.number, row.record.spec.parallelism) == ("RUNNING", 1, 3)
            assert row.record.job_id == gateway.flink.the_job().job_id
            gateway.flink.pass_time(10)

            row = await gateway.done("STOP")
            assert row.status == "STOPPED"
            assert gateway.flink.active() == []
            assert row.record.last_savepoint in gateway.flink.progress_in
            assert row.last.output == f"Savepoint completed. Path: {row.record.last_savepoint}"

            row = await gateway.done("START")
            assert row.status == "RUNNING"
            assert gateway.flink.the_job().base >= 100
            gateway.flink.pass_time(10)

            row = await gateway.done("UPDATE", entry_class="New", parallelism=4)
            job = gateway.flink.the_job()
            assert job.base >= 200
            assert gateway.flink.submissions[-1].entry_class == "New"
            assert (row.status, row.record.job_id) == ("RUNNING", job.job_id)
            assert row.record.spec.parallelism == 4
            assert len(await gateway.jobs.savepoints(row.cluster, row.number)) == 2

    asyncio.run(life())


def test_update_without_any_change_restarts(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            before = (await gateway.done("NEW")).record.job_id
            after = (await gateway.done("UPDATE")).record.job_id
            assert before != after
            assert gateway.flink.the_job().restored_from

    asyncio.run(life())


def test_a_second_action_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path)
        async with gateway.running():
            await gateway.done("NEW")
            first = await gateway.submit("UPDATE")
            with pytest.raises(Refusal) as refused:
                await gateway.submit("STOP")
            assert (refused.value.status, refused.value.code) == (409, "ActionInProgress")
            assert first.id in refused.value.message
            assert "UPDATE" in refused.value.message
            assert (await gateway.ended(first.id)).result == "SUCCESS"

    asyncio.run(life())
