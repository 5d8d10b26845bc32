"""Arrivals, rescales and task slots, on recorded sequences of observations."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.reconciling.conditions import Failed, Judgement, Met, NotYet
from flink_jobs_provider.reconciling.flink.earlier_runs import Arrival, Arrived
from flink_jobs_provider.reconciling.flink.preflight import EnoughSlots, SlotCount, slots_registered
from flink_jobs_provider.reconciling.flink.rescaler import RescaleEnded, RescaleObservation
from tests.unit.reconciling.recorded import history

NONE: frozenset[str] = frozenset()
OURS, OURS_AND_LATER = frozenset({"main-1"}), frozenset({"main-1", "main-2"})


def arrival(shown: bool, mains: frozenset[str] | None) -> Arrival:
    """Return what a cluster shows."""
    return Arrival(shown, mains)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([arrival(True, NONE)], Met),
        ([arrival(False, OURS)], NotYet),
        ([arrival(False, OURS), arrival(False, NONE)], Failed),
        ([arrival(False, OURS), arrival(True, NONE)], Met),
        ([arrival(False, OURS), arrival(False, frozenset({"main-2"}))], Failed),
        ([arrival(False, None)], NotYet),
        ([arrival(False, None), arrival(False, OURS_AND_LATER)], NotYet),
    ],
)
def test_a_submission_arrives_or_no_main_is_left(looks: list[Arrival], expected: type) -> None:
    """Shows that a `main` which begins later is another submission's."""
    assert isinstance(Arrived().judge(history(*enumerate(looks))), expected)


def test_a_main_that_was_waited_for_before_is_passed_over() -> None:
    observed = history((0, arrival(False, OURS_AND_LATER)), (1, arrival(False, OURS)))
    assert Arrived().left(observed) == OURS
    assert isinstance(Arrived(OURS).judge(observed), Failed)


def rescaled(state: str, tasks: int, running: int, free: int | None = None) -> RescaleObservation:
    """Return a job of some tasks."""
    row = ObservedJob("0" * 32, "x", state, tasks=tasks, running_tasks=running)
    return RescaleObservation(row, free)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (rescaled("RUNNING", 4, 4), Met()),
        (rescaled("RUNNING", 4, 2), NotYet("2 of 4 tasks run")),
        (rescaled("RUNNING", 2, 2, free=1), NotYet("2 of 4 tasks run")),
        (rescaled("RUNNING", 2, 2, free=0), Met()),
        (rescaled("FAILED", 4, 0), Failed("the job is FAILED", RescaleEnded(4))),
        (
            RescaleObservation(None),
            Failed("its cluster no longer lists it", RescaleEnded(4)),
        ),
    ],
)
def test_a_rescale_ends_with_its_tasks_or_with_the_slots(
    seen: RescaleObservation, expected: Judgement
) -> None:
    assert RescaleEnded(4).judge(history((0, seen))) == expected


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(0, SlotCount(4, 8))], Met),
        ([(0, SlotCount(2, 8))], Failed),
        ([(0, SlotCount(2, 2)), (9, SlotCount(2, 2))], NotYet),
        ([(0, SlotCount(2, 2)), (10, SlotCount(2, 2))], Failed),
        ([(0, SlotCount(4, 8, promised=1)), (50, SlotCount(4, 8, promised=1))], NotYet),
        ([(0, SlotCount(4, 8, promised=1)), (1, SlotCount(4, 8))], Met),
    ],
)
def test_slots_are_waited_for_that_may_still_come(
    looks: list[tuple[float, SlotCount]], expected: type
) -> None:
    """Shows TaskManagers that register, and slots that other jobs of the run may leave."""
    assert isinstance(EnoughSlots(4, 0, 10).judge(history(*looks)), expected)


def test_the_slots_of_the_version_that_is_stopped_count() -> None:
    assert EnoughSlots(4, 2, 0).judge(history((0, SlotCount(2, 8)))) == Met()
    assert slots_registered(4).judge(history((0, SlotCount(0, 4)))) == Met()
    assert isinstance(slots_registered(4).judge(history((0, SlotCount(0, 2)))), NotYet)
