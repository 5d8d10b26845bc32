"""Many who look at lists: what they cost clusters, and what is remembered of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.portal import live, observed
from flink_jobs_provider.gateway.portal.live import SharedParts
from flink_jobs_provider.gateway.portal.observed import Freshness, Observed
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway
from tests.unit.gateway.portal.browsing import Look, Opened
from tests.unit.gateway.portal.seen_flink import SeenFlink
from tests.unit.gateway.portal.test_live import Stream

_VIEWERS = 20
#: An observation is made once in a test.
_ONCE = Freshness(job=3600, cluster=3600, listed=3600, usable=3600, wait=30, patience=30)


def test_each_of_many_is_sent_a_change_and_the_cluster_is_asked_as_for_one(look: Look) -> None:
    """Shows it of people each of whom searches for something else: no list is made for two."""

    async def test(portal: Opened) -> None:
        portal.portal._jobs.observed._freshness = _ONCE
        await portal.gateway.done("NEW")
        browser = await portal.signed_in()
        await browser.get("/portal/")
        alone = len(portal.seen.sent)
        assert alone > 0
        addresses = [f"/portal/events/jobs?q=orders&page={n + 1}" for n in range(_VIEWERS // 2)]
        addresses += [f"/portal/events/jobs?sort=-name&page={n + 1}" for n in range(_VIEWERS // 2)]
        streams = [Stream(portal.app, browser, address) for address in addresses]
        async with AsyncExitStack() as opened:
            for stream in streams:
                await opened.enter_async_context(stream.opened())
                await stream.event()
            assert len(portal.portal._live._shared._calls) == _VIEWERS
            assert len(portal.seen.sent) == alone
            await portal.gateway.draft("second")
            for stream in streams:
                while "2 jobs" not in (await stream.event())["data"]:
                    pass
            assert len(portal.seen.sent) == alone

    look(test)


def test_parts_that_nobody_asks_for_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that what is remembered does not grow with what was ever searched for."""
    monkeypatch.setattr(live, "_MOST_SHARED", 8)

    async def life() -> None:
        parts = SharedParts(3600)
        made: list[int] = []

        async def make(number: int) -> str:
            made.append(number)
            return str(number)

        for number in range(100):
            assert await parts.get(number, lambda n=number: make(n)) == str(number)  # type: ignore[misc]
            assert await parts.get(0, lambda: make(0)) == "0"  # looked at all the time
        assert len(parts._calls) == 8
        assert made == list(range(100))

    asyncio.run(life())


def test_observations_that_nobody_asks_for_are_forgotten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shows it of an hour in which other jobs are listed all the time: page by page of 50."""
    monkeypatch.setattr(observed, "_MOST", 8)
    gateway = Gateway(tmp_path)
    now = 0.0

    async def life() -> None:
        nonlocal now
        monitors = Monitors(gateway.configuration.clusters, SeenFlink(gateway.flink), patience=60)
        pages = Observed(monitors, _ONCE, lambda: now)
        for number in range(240):
            now += 15
            await pages.listed(CLUSTER, [f"{number:016x}{job:016x}" for job in range(50)])
            await pages.job(CLUSTER, f"{number:032x}")
        assert len(pages._looks) == 8
        # Those of the last half minute.
        assert len(pages._wanted[CLUSTER]) == 3 * 50

    asyncio.run(life())
