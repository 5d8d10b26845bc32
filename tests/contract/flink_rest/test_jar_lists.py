"""The list of a cluster's jars, for which Flink opens every one of them."""

from __future__ import annotations

import asyncio

from tests.contract.flink_rest.scripted import JOB_ID, ScriptedFlink
from tests.unit.model.made_up_jobs import DIGEST_1


def test_who_asks_at_once_shares_one_list() -> None:
    flink = ScriptedFlink()
    plane = flink.plane()

    async def work() -> None:
        assert all(await asyncio.gather(*(plane.has_jar(JOB_ID, DIGEST_1) for _ in range(20))))

    asyncio.run(work())
    assert flink.count("GET jars") == 1


def test_nobody_gets_a_list_from_before_the_call() -> None:
    """Shows that a jar that was uploaded meanwhile is seen."""
    flink = ScriptedFlink()
    plane = flink.plane()

    async def work() -> None:
        assert await plane.has_jar(JOB_ID, DIGEST_1)
        assert await plane.has_jar(JOB_ID, DIGEST_1)

    asyncio.run(work())
    assert flink.count("GET jars") == 2
