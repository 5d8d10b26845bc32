"""The one waiter: when it looks, when it ends, and what it reports on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.reconciling.conditions import (
    Failed,
    Judgement,
    Met,
    NotYet,
    Observation,
)
from flink_jobs_provider.reconciling.waiter import (
    Clock,
    Waited,
    Waiter,
    constant_backoff,
    service_backoff,
)
from tests.unit.reconciling.fake_clock import FakeClock


@dataclass(frozen=True)
class Counted:
    """So much was seen; a negative number is a failure."""

    wanted: int

    def judge(self, history: Sequence[Observation[int]]) -> Judgement:
        """Judge by the last number."""
        seen = history[-1].seen
        if seen < 0:
            return Failed("it fell", self)
        return Met() if seen >= self.wanted else NotYet(f"{seen} of {self.wanted}")


@dataclass
class Numbers:
    """Shows one number after another, the last again and again."""

    numbers: list[int]
    time: FakeClock = field(default_factory=FakeClock)
    said: list[str] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)

    def until(
        self, wanted: int, timeout: float, pause: float = 1.0, about: str = ""
    ) -> Waited[int]:
        """Wait for a number."""

        async def observe(_deadline: float) -> int:
            self.looks.append(self.time.now() - 1000)
            return self.numbers[min(len(self.looks), len(self.numbers)) - 1]

        waiter = Waiter(self.time.clock(), self.said.append)
        return asyncio.run(
            waiter.until(
                observe, Counted(wanted), timeout, backoff=constant_backoff(pause), about=about
            )
        )


def test_what_is_met_at_once_costs_one_look() -> None:
    numbers = Numbers([3])
    assert numbers.until(3, 60).met
    assert numbers.looks == [0]


def test_a_failure_ends_the_wait() -> None:
    numbers = Numbers([1, 2, -1, 3])
    waited = numbers.until(3, 60)
    assert (waited.met, waited.reason, waited.last) == (False, "it fell", -1)
    assert waited.failed is not None
    assert waited.failed.by == Counted(3)
    assert len(numbers.looks) == 3


def test_a_wait_that_is_over_says_what_was_seen_last() -> None:
    """Shows the last thing seen, all that was seen before, and one look even without any time."""
    numbers = Numbers([0, 1, 1, 2])
    waited = numbers.until(3, 5)
    assert (waited.met, waited.failed, waited.reason) == (False, None, "2 of 3")
    assert [each.seen for each in waited.history] == [0, 1, 2]
    assert numbers.looks == [0, 1, 2, 3, 4, 5]
    assert Numbers([1]).until(3, 0).reason == "1 of 3"


def test_a_long_wait_reports_what_it_sees() -> None:
    """Shows the first report after 15 s, then twice as late each time, and a minute apart."""
    numbers = Numbers([1])
    numbers.until(2, 200, about="orders")
    assert numbers.said == [
        f"orders: still waiting after {seconds} s: 1 of 2" for seconds in (15, 30, 60, 120, 180)
    ]
    quiet = Numbers([1])
    quiet.until(2, 200)
    assert quiet.said == []


def test_pauses_grow_and_end_when_time_alone_may_decide() -> None:
    backoff = service_backoff()
    assert [round(backoff.take(), 3) for _ in range(3)] == [0.05, 0.075, 0.113]
    for _ in range(20):
        backoff.take()
    assert backoff.take() == 5.0
    assert backoff.take(left=1.5) == 1.5
    assert backoff.take(left=-3) > 0


def test_an_outage_is_waited_for_until_the_deadline() -> None:
    time, asked = FakeClock(), []

    async def ask() -> str:
        asked.append(time.now())
        raise ClusterUnreachable("no connection")

    waiter = Waiter(time.clock())
    with pytest.raises(ClusterUnreachable):
        asyncio.run(waiter.reach(ask, time.now() + 10, 2.0))
    assert len(asked) == 6


def test_a_task_that_ends_wakes_the_waiter() -> None:
    """Shows that what runs at the same time is seen when it is done, not a pause later."""

    async def wait() -> float:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        began = loop.time()

        async def work() -> None:
            await asyncio.sleep(0.01)
            done.set()

        async def observe(_deadline: float) -> int:
            return int(done.is_set())

        task = asyncio.create_task(work())
        waited = await Waiter(Clock()).until(
            observe, Counted(1), 60, backoff=constant_backoff(30), wake=task
        )
        assert waited.met
        return loop.time() - began

    assert asyncio.run(wait()) < 10
