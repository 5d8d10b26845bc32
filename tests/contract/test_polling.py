"""The one poll of control planes: when it reads, how long it pauses, and when it ends."""

from __future__ import annotations

import asyncio

from flink_jobs_provider.control_planes.http import Polling
from tests.unit.reconciling.fake_clock import FakeClock


def poll(found_at: float, deadline: float, longest: float | None = None) -> tuple[str, list[float]]:
    """Return what is found, if it shows from a time on, and when it was read."""
    time, reads = FakeClock(), []

    async def observe() -> str:
        reads.append(round(time.now() - begin, 6))
        return "found" if reads[-1] >= found_at else ""

    begin = time.now()
    polling = Polling(time.now, time.sleep)
    found = asyncio.run(polling.until(observe, begin + deadline, 1.0, longest))
    return found, reads


def test_what_is_there_needs_no_pause() -> None:
    assert poll(0, deadline=10) == ("found", [0])


def test_pauses_are_all_the_same_where_no_longest_is_given() -> None:
    assert poll(3, deadline=10) == ("found", [0, 1, 2, 3])


def test_pauses_grow_up_to_the_longest() -> None:
    assert poll(7, deadline=10, longest=2) == ("found", [0, 1, 2.5, 4.5, 6.5, 8.5])


def test_the_last_read_is_not_before_the_deadline() -> None:
    """Shows that what comes up in the last pause is still found, and else nothing is."""
    assert poll(2, deadline=2) == ("found", [0, 1, 2])
    assert poll(99, deadline=2) == ("", [0, 1, 2])
