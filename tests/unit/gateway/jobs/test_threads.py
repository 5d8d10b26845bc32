"""How long a call may take, and how long it waits for one of a few threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.jobs.background import QueueTimeout, Threads
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import ActionResult
from tests.unit.gateway.jobs.gateway import STILL, Gateway


def _with_a_busy_thread(
    then: Callable[[Threads, threading.Event], Awaitable[None]],
) -> None:
    """Do something while the only thread is busy, until an event is set."""

    async def life() -> None:
        threads, release = Threads(1, "test"), threading.Event()
        busy = asyncio.create_task(threads.call(release.wait, 30))
        await asyncio.sleep(0)
        try:
            await then(threads, release)
        finally:
            release.set()
            assert await busy
            await threads.close(30)

    asyncio.run(life())


def test_waiting_for_a_thread_is_not_counted() -> None:
    async def then(threads: Threads, release: threading.Event) -> None:
        call = asyncio.create_task(threads.call_within(0.2, 30, lambda: "done"))
        done, _ = await asyncio.wait((call,), timeout=0.5)
        assert done == set(), "it waits for longer than it may take itself"
        release.set()
        assert await call == "done"

    _with_a_busy_thread(then)


def test_a_call_whose_turn_does_not_come_is_given_up() -> None:
    called: list[int] = []

    async def then(threads: Threads, release: threading.Event) -> None:
        with pytest.raises(QueueTimeout):
            await threads.call_within(30, 0.05, lambda: called.append(1))
        release.set()
        assert await threads.call(list, called) == []

    _with_a_busy_thread(then)


def test_a_call_that_takes_too_long_is_told() -> None:
    async def life() -> None:
        threads, release = Threads(1, "test"), threading.Event()
        with pytest.raises(TimeoutError):
            await threads.call_within(0.05, 30, lambda: release.wait(30))
        release.set()
        with pytest.raises(ValueError, match="wrong"):
            await threads.call_within(30, 30, _wrong)
        await threads.close(30)

    asyncio.run(life())


def _wrong() -> None:
    raise ValueError("wrong")


@pytest.mark.parametrize("turn_comes", [True, False])
def test_a_jar_is_not_blamed_for_others_that_are_read_before_it(
    tmp_path: Path, turn_comes: bool
) -> None:
    async def life() -> None:
        intervals = replace(STILL, open_jar=0.2, jar_queue=30.0 if turn_comes else 0.05)
        async with Gateway(tmp_path, intervals=intervals).running() as gateway:
            release, threads = threading.Event(), gateway.jobs._process.opener._storage
            others = [asyncio.create_task(threads.call(release.wait, 30)) for _ in range(4)]
            await asyncio.sleep(0)
            asked = asyncio.create_task(gateway.submit("NEW"))
            try:
                if turn_comes:
                    done, _ = await asyncio.wait((asked,), timeout=0.5)
                    assert done == set()
                else:
                    with pytest.raises(Refusal, match="ask again later") as caught:
                        await asked
                    assert (status_of(caught.value), caught.value.code) == (
                        503,
                        "ServiceUnavailable",
                    )
            finally:
                release.set()
                await asyncio.gather(*others)
            if turn_comes:
                assert (await gateway.ended((await asked).id)).result is ActionResult.SUCCESS
            else:
                assert await gateway.rows() == []

    asyncio.run(life())
