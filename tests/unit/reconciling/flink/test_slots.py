"""Task slots: a job that does not fit is refused with numbers, and no slot is promised twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.flink.preflight import NotEnoughSlots, SlotCount, Slots
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.unit.reconciling.flink.fake_job import Program
from tests.unit.reconciling.flink.stack import Stack, jar
from tests.unit.reconciling.flink.test_matrix import running, version


def test_a_first_start_that_cannot_fit_is_refused_with_numbers() -> None:
    """Shows it of a program that sets its own parallelism, which only its plan tells."""
    stack = Stack(slots=60)
    stack.flink.programs["Wide"] = Program(parallelism=200)
    with pytest.raises(NotEnoughSlots) as caught:
        stack.up(version("Wide", "savepoint"))
    assert caught.value.happened == "orders: 200 task slots are needed, 60 are free."
    assert caught.value.now == "Nothing of it runs."
    assert stack.flink.submissions == []


def test_a_cluster_that_has_just_started_is_waited_for() -> None:
    """Shows that TaskManagers which come late are none that are missing."""
    stack = Stack(slots=0)
    looks = 0

    def register(step: str) -> None:
        nonlocal looks
        looks += step == "free slots"
        stack.flink.slots = 24 if looks > 8 else 0

    stack.flink.on_step = register
    stack.up(version("Old", "savepoint", parallelism=16))
    assert len(stack.flink.active()) == 1


def test_a_first_start_is_not_planned_where_the_cluster_gets_slots_on_demand() -> None:
    stack = Stack(slots=1)
    stack.flink.cluster = replace(stack.flink.cluster, fixed_slots=False)
    stack.flink.slots = 60
    stack.up(version("Wide", "savepoint", parallelism=40))
    assert "plan" not in stack.flink.steps


def together(stack: Stack, *wanted: tuple[str, int]) -> list[JobRecord | BaseException]:
    """Start jobs at the same time, each by name and parallelism; return what came of each."""

    async def start(name: str, parallelism: int) -> JobRecord:
        spec = version("Old", "savepoint", job_name=name, parallelism=parallelism)
        reconciler = Reconciler(stack.flink, say=stack.said.append, clock=stack.time.clock())
        return await reconciler.bring_about(None, spec, jar(spec))

    async def all_of_them() -> list[JobRecord | BaseException]:
        starts = (start(*each) for each in wanted)
        return await asyncio.gather(*starts, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_jobs_of_one_run_that_fit_together_all_start() -> None:
    """Shows that slots which a job has taken are not counted again as promised to it."""
    stack = Stack(slots=24)
    results = together(stack, ("a", 8), ("b", 8), ("c", 8))
    assert [isinstance(each, JobRecord) for each in results] == [True] * 3, results


def test_of_jobs_that_do_not_fit_together_one_is_refused() -> None:
    stack = Stack(slots=24)
    results = together(stack, ("a", 16), ("b", 16))
    [refused] = [each for each in results if not isinstance(each, JobRecord)]
    assert isinstance(refused, NotEnoughSlots)
    assert "16 task slots are needed, 8 are free." in str(refused)
    assert len(stack.flink.submissions) == 1
    assert len(stack.flink.active()) == 1


def test_slots_of_a_job_that_does_not_come_up_are_free_again() -> None:
    stack = Stack(slots=24)
    stack.flink.programs["Old"] = Program(task_error="RuntimeException: no")
    assert not [each for each in together(stack, ("a", 16)) if isinstance(each, JobRecord)]
    stack.flink.programs.clear()
    [started] = together(stack, ("b", 16))
    assert isinstance(started, JobRecord)


def test_a_job_that_is_stuck_is_not_waited_for_for_ever() -> None:
    """Shows that the slots which it was promised are told apart from those that are taken."""
    stack = Stack(slots=24)
    stack.flink.programs["Stuck"] = Program(comes_up=False)

    async def work() -> None:
        def reconciler() -> Reconciler:
            return Reconciler(stack.flink, clock=stack.time.clock())

        stuck = version(
            "Stuck",
            "savepoint",
            job_name="stuck",
            parallelism=16,
            timeouts={"running": "1000h"},
        )
        submitted = asyncio.Event()
        stack.flink.on_step = lambda step: submitted.set() if step == "submitted" else None
        starting = asyncio.create_task(reconciler().bring_about(None, stuck, jar(stuck)))
        await submitted.wait()
        # What it has of slots the fake does not count before its tasks run, as Flink may not.
        stack.flink.slots = 24 + 16
        wide = version("Old", "savepoint", job_name="wide", parallelism=16)
        with pytest.raises(NotEnoughSlots, match="24 are free, 16 of them promised to other jobs"):
            await reconciler().bring_about(None, wide, jar(wide))
        starting.cancel()

    asyncio.run(work())


def test_an_update_counts_the_slots_of_the_version_that_it_replaces() -> None:
    stack = running("savepoint")
    stack.flink.slots = 10
    stack.up(version("Old", "savepoint", parallelism=10))
    assert stack.flink.the_job().parallelism == 10
    with pytest.raises(PermanentError) as caught:
        stack.up(version("Old", "savepoint", parallelism=11))
    assert caught.value.happened == (
        "orders: 11 task slots are needed, 0 are free, and 10 more when the present version stops."
    )


def test_a_version_alongside_another_one_gets_none_of_its_slots() -> None:
    """Shows that what was promised to the same job, which takes it later, is not counted twice."""
    stack = Stack(slots=5)
    stack.up(version("Old", "savepoint", parallelism=3))
    slots = Slots(stack.flink, stack.time.clock())
    running, copy = stack.flink.the_job().job_id, "f" * 32

    async def take() -> list[SlotCount | None]:
        return [
            await slots.take(running[:18] + "0" * 14, 5, replaced=running, used=3),
            await slots.take(copy, 2, alongside=running),
            await slots.take(copy, 3, alongside=running),
        ]

    assert asyncio.run(take()) == [None, None, SlotCount(2, 5)]
