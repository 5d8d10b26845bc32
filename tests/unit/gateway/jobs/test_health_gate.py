"""The health gate of a cluster's jobs: each version that an action starts is judged by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gateway.jobs.gateway import Gateway
from tests.unit.reconciling.flink.fake_job import Program

GATE: dict[str, Any] = {"window": "20s"}


def _run(
    directory: Path, test: Callable[[Gateway], Awaitable[None]], health: dict[str, Any] | None
) -> None:
    async def run() -> None:
        gateway = Gateway(directory, cluster={"health": health})
        gateway.flink.programs["Bad"] = Program(restarts_after=4.0)
        async with gateway.running():
            await test(gateway)

    asyncio.run(run())


@pytest.mark.parametrize("gated", [True, False])
def test_a_version_that_is_not_healthy_goes_back(tmp_path: Path, gated: bool) -> None:
    """Shows the check, the previous version on record, and that without a gate it stays."""

    async def test(gateway: Gateway) -> None:
        await gateway.done("NEW")
        gateway.flink.pass_time(61)
        action = await gateway.do("UPDATE", entry_class="Bad")
        row = await gateway.row()
        assert row.status == "RUNNING"
        if not gated:
            assert (action.result, row.record.spec.entry_class) == ("SUCCESS", "Bad")
            return
        assert action.result == "FAILED"
        assert "did not pass its health gate: health.max_restarts" in str(action.output)
        assert row.record.spec.entry_class == "Old"
        assert row.record.job_id == gateway.flink.the_job().job_id
        assert gateway.flink.progress(gateway.flink.the_job()) > 0

    _run(tmp_path, test, GATE if gated else None)


def test_a_gate_of_the_configuration_counts_for_jobs_that_are_there(tmp_path: Path) -> None:
    """Shows it for a gateway that is started again with one, and then without it."""

    async def run() -> None:
        first = Gateway(tmp_path)
        async with first.running():
            await first.done("NEW")
        first.flink.programs["Bad"] = Program(restarts_after=4.0)
        first.flink.pass_time(61)
        for health, result in ((GATE, "FAILED"), (None, "SUCCESS")):
            again = Gateway(tmp_path, cluster={"health": health})
            again.flink, again.time = first.flink, first.time
            async with again.running():
                action = await again.do("UPDATE", entry_class="Bad")
                assert action.result == result, action.output
                assert (await again.row()).record.spec.health is None

    asyncio.run(run())
