"""Jars while their storage hangs: whoever needs none of it is held up by none, nobody for long."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.http import SERVICE_ANSWERS_WITHIN
from flink_jobs_provider.gateway.jobs import admission
from flink_jobs_provider.gateway.jobs.background import Intervals
from flink_jobs_provider.gateway.refusals import Refusal
from tests.unit.gateway.jobs.gateway import STILL, Gateway, make_jar, until

#: For what waits while a storage hangs. All else has as long as a busy machine needs.
_HASTY = replace(STILL, kept_jar=60.0, open_jar=0.1, jar_queue=0.1)
_PATIENT = replace(STILL, kept_jar=60.0, open_jar=60.0, jar_queue=60.0)


def be_hasty(gateway: Gateway, kept_jar: float) -> None:
    """Have the gateway wait no longer than the hanging storage is worth."""
    intervals = replace(_HASTY, kept_jar=kept_jar)
    jobs = gateway.jobs
    jobs._process.opener._intervals = intervals
    hasty = replace(jobs._process, intervals=intervals)
    jobs._admission._process = jobs._workers._process = hasty


@asynccontextmanager
async def hanging_storage(
    gateway: Gateway, readers: int, kept_jar: float = 60.0
) -> AsyncIterator[None]:
    """Have a storage answer nobody, and so many threads wait for it."""
    answers, waiting = threading.Event(), threading.Semaphore(0)
    open_ = gateway.jobs._jars.open

    def never(uri: str) -> Jar:
        waiting.release()
        assert answers.wait(60)
        return open_(uri)

    gateway.jobs._jars.open = never  # type: ignore[method-assign]
    requests = [
        asyncio.create_task(gateway.submit("NEW", f"other-{number}")) for number in range(readers)
    ]
    for _ in requests:
        await asyncio.to_thread(waiting.acquire)
    be_hasty(gateway, kept_jar)
    try:
        yield
    finally:
        answers.set()
        await asyncio.gather(*requests, return_exceptions=True)
        gateway.jobs._jars.open = open_  # type: ignore[method-assign]


@pytest.mark.parametrize("kept", ["on the gateway", "on the cluster"])
def test_a_start_whose_jar_is_kept_needs_no_storage(tmp_path: Path, kept: str) -> None:
    async def life() -> None:
        async with Gateway(tmp_path, intervals=_PATIENT).running() as gateway:
            await gateway.done("NEW")
            await gateway.done("STOP")
            if kept == "on the cluster":
                for jar in (tmp_path / "data/jars").iterdir():
                    jar.unlink()
            async with hanging_storage(gateway, readers=4), asyncio.timeout(60):
                assert (await gateway.done("START")).status == "RUNNING"

    asyncio.run(life())


@pytest.mark.parametrize("readers", [0, 4])
def test_a_look_at_a_kept_jar_that_hangs_is_given_up(tmp_path: Path, readers: int) -> None:
    """Shows a disk that hangs: the cluster may have the jar."""

    async def life() -> None:
        async with Gateway(tmp_path, intervals=_PATIENT).running() as gateway:
            await gateway.done("NEW")
            await gateway.done("STOP")
            answers = threading.Event()

            def never(digest: str) -> Jar | None:
                assert answers.wait(60), digest
                return None

            async with hanging_storage(gateway, readers, kept_jar=0.05), asyncio.timeout(60):
                gateway.jobs._jars.get = never  # type: ignore[method-assign]
                try:
                    assert (await gateway.done("START")).status == "RUNNING"
                finally:
                    answers.set()

    asyncio.run(life())


def test_a_caller_is_answered_while_it_waits() -> None:
    """Shows that nothing is accepted for a caller that has given up: this provider's, at least."""
    intervals = Intervals()
    longest = intervals.patience + intervals.jar_queue + intervals.open_jar
    assert longest < SERVICE_ANSWERS_WITHIN - 5, "some time is for the rest"


def test_another_jar_is_not_opened_when_its_turn_would_come_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows it where the job gets another jar while its first one is read."""
    later = 0.0
    monkeypatch.setattr(
        admission, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + later)
    )

    async def life() -> None:
        nonlocal later
        async with Gateway(tmp_path, intervals=_PATIENT).running() as gateway:
            row = await gateway.draft()
            other = make_jar(tmp_path / "storage/other.jar", "other")
            opens, may_read = threading.Event(), threading.Event()
            open_, uris = gateway.jobs._jars.open, []

            def slowly(uri: str) -> Jar:
                uris.append(uri)
                opens.set()
                assert may_read.wait(30)
                return open_(uri)

            gateway.jobs._jars.open = slowly  # type: ignore[method-assign]
            asked = asyncio.create_task(gateway.submit("NEW", run_id=row.run_id))
            await until(opens.is_set)
            await gateway.change(jar=str(other))
            assert not asked.done()
            later = _PATIENT.jar_queue
            may_read.set()
            with pytest.raises(Refusal, match="ask again later"):
                await asked
            assert uris == [str(gateway.jar)]
            assert (await gateway.row()).status == "DRAFT"

    asyncio.run(life())
