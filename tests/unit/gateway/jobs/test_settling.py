"""A gateway's action has succeeded when what it started stays up for the gateway's settle time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from flink_jobs_provider.model.action import ActionResult
from tests.unit.gateway.jobs.gateway import Gateway
from tests.unit.reconciling.flink.fake_job import Program


def test_an_update_that_does_not_stay_up_gives_way_to_the_previous_version(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path, settle_time="10s")
        gateway.flink.programs["Late"] = Program(fails_after=5.0)
        await gateway.start()
        began = gateway.time.now()
        await gateway.done("NEW")
        assert gateway.time.now() - began >= 10
        await gateway.do("UPDATE", entry_class="Late")
        row = await gateway.row()
        assert row.last.result is ActionResult.FAILED
        assert "it did not stay up for 10 s" in row.last.output
        assert "The previous version runs again" in row.last.output
        assert (row.status, gateway.flink.the_job().base > 0) == ("RUNNING", True)
        await gateway.stop()

    asyncio.run(life())
