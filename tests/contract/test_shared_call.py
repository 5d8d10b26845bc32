"""A call to a cluster that all who ask at once share, such as the list of jobs."""

from __future__ import annotations

import asyncio
import gc

import pytest

from flink_jobs_provider.control_planes.http import SharedCall
from flink_jobs_provider.model.errors import ClusterUnreachable
from tests.unit.reconciling.fake_clock import FakeClock


class Cluster:
    """Answers when it is told to; each answer names the number of its request."""

    def __init__(self) -> None:
        self.time = FakeClock()
        self.begun: list[float] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.shared = SharedCall(self.fetch, self.time.now)

    async def fetch(self) -> int:
        """Begin a request."""
        self.begun.append(self.time.now())
        number = len(self.begun)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        await future
        return number

    async def ask(self, max_age: float = 0.0) -> asyncio.Task[int]:
        """Begin a call; its result is the number of the request that it was given."""
        task = asyncio.create_task(self.shared.get(max_age))
        await self.settle()
        return task

    async def answer(self, error: Exception | None = None) -> None:
        """Answer the oldest request."""
        future = self.waiting.pop(0)
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)
        await self.settle()

    async def settle(self) -> None:
        """Let everything that can run do so, and a moment pass."""
        for _ in range(10):
            await asyncio.sleep(0)
        self.time.time += 0.001


def test_who_asks_at_once_shares_one_request() -> None:
    async def work() -> None:
        cluster = Cluster()
        calls = [asyncio.create_task(cluster.shared.get()) for _ in range(1000)]
        await cluster.settle()
        await cluster.answer()
        assert len({id(await call) for call in calls}) == 1
        assert len(cluster.begun) == 1

    asyncio.run(work())


def test_a_slow_system_that_several_wait_for_is_left_alone_in_between() -> None:
    """Shows that it has as much rest as an answer took, and that who waits alone has no delay."""

    async def work() -> None:
        cluster = Cluster()
        rests: list[float] = []

        async def rest(seconds: float) -> None:
            rests.append(seconds)
            cluster.time.time += seconds

        cluster.shared = SharedCall(cluster.fetch, cluster.time.now, rest=rest)

        async def answered_after(seconds: float) -> None:
            cluster.time.time += seconds
            await cluster.answer()

        for _ in range(2):
            alone = await cluster.ask()
            await answered_after(0.4)
            await alone
        assert rests == []
        first, second = await cluster.ask(), await cluster.ask()
        await answered_after(0.4)
        await first
        assert rests == [pytest.approx(0.4, abs=0.01)], "the second one waits for it"
        third = await cluster.ask()
        await answered_after(60)
        await second
        assert rests[1:] == [pytest.approx(1, abs=0.01)], "and never longer than a second"
        await answered_after(0.4)
        await third

    asyncio.run(work())


def test_nobody_gets_a_list_begun_before_the_call() -> None:
    """Shows that who asks while a request is out gets the next one, shared by all such."""

    async def work() -> None:
        cluster = Cluster()
        first = await cluster.ask()
        late = [await cluster.ask() for _ in range(20)]
        await cluster.answer()
        assert await first == 1
        assert not any(call.done() for call in late)
        await cluster.answer()
        assert {await call for call in late} == {2}
        assert len(cluster.begun) == 2

    asyncio.run(work())


def test_never_two_requests_at_once() -> None:
    async def work() -> None:
        cluster = Cluster()
        calls = [await cluster.ask() for _ in range(10)]
        while not all(call.done() for call in calls):
            assert len(cluster.waiting) == 1
            await cluster.answer()
        assert len(cluster.begun) == 2

    asyncio.run(work())


def test_an_older_list_is_shared_where_that_is_allowed() -> None:
    """Shows how a refresh of many jobs costs one request."""

    async def work() -> None:
        cluster = Cluster()
        first = await cluster.ask()
        await cluster.answer()
        assert await first == 1
        cluster.time.time += 10
        assert await (await cluster.ask(max_age=15)) == 1
        cluster.time.time += 10
        later = await cluster.ask(max_age=15)
        await cluster.answer()
        assert await later == 2

    asyncio.run(work())


def test_a_failure_is_everybodys_and_the_next_call_asks_again() -> None:
    async def work() -> None:
        cluster = Cluster()
        calls = [asyncio.create_task(cluster.shared.get()) for _ in range(5)]
        await cluster.settle()
        await cluster.answer(ClusterUnreachable("gone"))
        for call in calls:
            with pytest.raises(ClusterUnreachable):
                await call
        again = await cluster.ask()
        await cluster.answer()
        assert await again == 2

    asyncio.run(work())


def test_one_that_gives_up_leaves_the_others_waiting() -> None:
    async def work() -> None:
        cluster = Cluster()
        calls = [asyncio.create_task(cluster.shared.get()) for _ in range(2)]
        await cluster.settle()
        calls[0].cancel()
        await cluster.settle()
        await cluster.answer()
        assert await calls[1] == 1
        assert len(cluster.begun) == 1

    asyncio.run(work())


def test_a_failure_that_nobody_waits_for_is_nobodys() -> None:
    async def work() -> None:
        reported: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
        cluster = Cluster()
        call = await cluster.ask()
        call.cancel()
        await cluster.settle()
        await cluster.answer(ClusterUnreachable("gone"))
        gc.collect()
        again = await cluster.ask()
        await cluster.answer()
        assert await again == 2
        assert not reported

    asyncio.run(work())


@pytest.mark.timeout(20)
def test_a_call_just_as_a_request_ends_makes_another() -> None:
    """Shows one that comes before those who waited for the request go on."""

    async def work() -> None:
        later: list[asyncio.Task[int]] = []

        async def fetch() -> int:
            if not later:
                later.append(asyncio.create_task(shared.get()))
            return len(later)

        shared = SharedCall(fetch)
        assert await shared.get() == 1
        assert await later[0] == 1

    asyncio.run(work())
