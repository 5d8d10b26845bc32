"""Turns of a change on a job service."""

from __future__ import annotations

import asyncio

import pytest

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.service_loop import until_reached
from tests.unit.model.made_up_jobs import spec


class Turns:
    """Finds the job as it should be in one of its turns, or never."""

    def __init__(self, reached: int | None) -> None:
        self._reached = reached
        self.taken = 0

    standing = ""

    async def turn(self) -> JobRecord | None:
        """Take one."""
        self.taken += 1
        record = JobRecord(spec=spec(), status=JobStatus.RUNNING)
        return record if self.taken == self._reached else None


def test_the_turn_that_finds_nothing_to_do_is_the_last() -> None:
    turns = Turns(3)
    assert asyncio.run(until_reached(turns, 3, "orders", "step")).status is JobStatus.RUNNING
    assert turns.taken == 3


def test_a_change_that_never_comes_to_its_end_is_given_up() -> None:
    turns = Turns(None)
    with pytest.raises(PermanentError) as caught:
        asyncio.run(until_reached(turns, 3, "orders", "step"))
    assert turns.taken == 3
    what = "orders: gave up after 3 steps without reaching the desired state."
    assert caught.value.happened == what
    assert caught.value.now == "The last step has ended, and nothing more was begun."
