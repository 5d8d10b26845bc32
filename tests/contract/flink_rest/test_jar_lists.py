"""The list of a cluster's jars, for which Flink opens every one of them."""

from __future__ import annotations

import asyncio

from tests.contract.flink_rest.scripted import IDENTITY, ScriptedFlink, ok

NAMES = {IDENTITY: "orders"}


def test_who_asks_at_once_shares_one_list() -> None:
    """Shows that there are two in all: the one that was begun, and the next for all who wait."""
    flink = ScriptedFlink()
    plane = flink.plane()

    async def work() -> None:
        assert await asyncio.gather(*(plane.job_names() for _ in range(20))) == [NAMES] * 20

    asyncio.run(work())
    assert flink.count("GET jars") == 2


def test_nobody_gets_a_list_from_before_the_call() -> None:
    """Shows that what changed meanwhile is seen."""
    flink = ScriptedFlink()
    plane = flink.plane()

    async def work() -> None:
        assert await plane.job_names() == NAMES
        flink.answer("GET jars", ok(files=[]))
        assert await plane.job_names() == {}

    asyncio.run(work())
