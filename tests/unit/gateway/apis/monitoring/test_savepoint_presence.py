"""Reading savepoints for many callers: once for all, and never in many threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flink_jobs_provider.gateway.apis.monitoring import savepoint_presence
from flink_jobs_provider.gateway.apis.monitoring.savepoint_presence import (
    PRESENT,
    UNKNOWN,
    Presence,
    SavepointPresence,
)


class Storage:
    """Answers as soon as it may.

    Attributes:
        reads: The paths that were read, in order.
        answers: Set while it does not hang.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hangs: bool) -> None:
        self.reads: list[str] = []
        self.answers = threading.Event()
        if not hangs:
            self.answers.set()
        monkeypatch.setattr(savepoint_presence, "_presence", self.read)

    def read(self, path: str, *, same_machine: bool) -> Presence:
        """Return that a savepoint is there, when it may."""
        assert not same_machine
        self.reads.append(path)
        self.answers.wait(60)
        return Presence(PRESENT, 1)


def test_a_storage_that_hangs_takes_no_more_than_its_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shows it over several requests, and that what it holds up is shown once it answers."""
    storage = Storage(monkeypatch, hangs=True)
    presence = SavepointPresence(0.1)
    paths = [f"s3://b/{number}" for number in range(12)]

    async def life() -> None:
        for _ in range(4):
            seen = await presence.of(paths, same_machine=False)
            assert {each.state for each in seen} == {UNKNOWN}
        assert len(storage.reads) == 8
        storage.answers.set()
        async with asyncio.timeout(60):
            while {each.state for each in seen} != {PRESENT}:
                seen = await presence.of(paths, same_machine=False)
        assert sorted(storage.reads) == sorted(paths), "each was read once"

    try:
        asyncio.run(life())
    finally:
        storage.answers.set()


@pytest.mark.parametrize(("max_age", "reads"), [(30, 1), (0, 3)])
def test_requests_to_storages_do_not_grow_with_callers(
    monkeypatch: pytest.MonkeyPatch, max_age: float, reads: int
) -> None:
    storage = Storage(monkeypatch, hangs=False)
    presence = SavepointPresence(60, max_age)

    async def life() -> None:
        for _ in range(3):
            (seen,) = await presence.of(["s3://b/1"], same_machine=False)
            assert seen == Presence(PRESENT, 1)

    asyncio.run(life())
    assert len(storage.reads) == reads
