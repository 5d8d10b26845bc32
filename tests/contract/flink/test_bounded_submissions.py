"""No more jobs are given to one cluster at once than it is set to take."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.protocol import Submission


@pytest.mark.parametrize(("most", "at_once"), [(None, 6), (1, 1), (2, 2)])
def test_submissions_take_turns(
    monkeypatch: pytest.MonkeyPatch, most: int | None, at_once: int
) -> None:
    """Shows that the time of each begins with its turn."""

    async def run() -> int:
        async with httpx.AsyncClient(base_url="http://flink:8081") as http:
            plane = FlinkRest(http, submissions=most)
            busy, seen = 0, 0
            timeouts: list[float] = []

            async def submit(_submission: Submission, timeout: float) -> None:
                nonlocal busy, seen
                busy += 1
                timeouts.append(timeout)
                seen = max(seen, busy)
                for _ in range(10):
                    await asyncio.sleep(0)
                busy -= 1

            monkeypatch.setattr(plane._submissions, "submit", submit)
            one: Submission = object()  # type: ignore[assignment]
            await asyncio.gather(*(plane.submit(one, 5.0) for _ in range(6)))
            assert timeouts == [5.0] * 6
            return seen

    assert asyncio.run(run()) == at_once
