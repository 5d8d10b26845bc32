"""Work that is broken off: a cancel is never lost, whatever else happens in the same moment."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from flink_jobs_provider.gateway.jobs.background import begin, end, reporting


@pytest.mark.parametrize("ticks", range(12))
def test_a_cancel_at_the_end_of_a_step_is_not_lost(ticks: int) -> None:
    """Shows it for each turn of the event loop between a step's end and what follows."""

    async def quiet(_line: str) -> None: ...

    async def run() -> None:
        step = asyncio.Event()

        async def work() -> None:
            async with reporting(lambda: "", quiet, 60):
                await step.wait()
            await asyncio.Event().wait()

        task = begin(work(), "work")
        await asyncio.sleep(0.01)
        step.set()
        for _ in range(ticks):
            await asyncio.sleep(0)
        assert task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()

    asyncio.run(run())


def test_work_that_loses_a_cancel_is_cancelled_again() -> None:
    async def run() -> int:
        lost = 0

        async def stubborn() -> None:
            nonlocal lost
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            lost += 1
            await asyncio.Event().wait()

        task = begin(stubborn(), "stubborn")
        await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await end([task])
        return lost

    assert asyncio.run(run()) == 1
