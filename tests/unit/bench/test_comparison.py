"""Ratios, aims and turns of the benchmarks."""

from __future__ import annotations

import pytest

from tests.bench.comparison import Aim, Comparison, in_turns


def test_ratios_are_of_each_round() -> None:
    """Shows that a round in which the machine was busy counts by its own baseline."""
    comparison = Comparison("x", [1.0, 10.0, 3.0], [2.0, 20.0, 2.0])
    assert comparison.ratios == [0.5, 0.5, 1.5]


def test_rounds_without_a_baseline_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        assert Comparison("x", [1.0, 2.0], [1.0]).ratios


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (None, None),
        (Aim("", ratio=0.5), True),
        (Aim("", ratio=0.49), False),
        (Aim("", ours=3.0), True),
        (Aim("", ours=2.9), False),
        (Aim("", ratio=0.5, ours=2.9), False),
    ],
)
def test_medians_decide_whether_an_aim_is_met(aim: Aim | None, met: bool | None) -> None:
    assert Comparison("x", [1.0, 3.0, 90.0], [2.0, 6.0, 90.0], aim=aim).met is met


def test_turns_alternate_and_the_first_of_each_does_not_count() -> None:
    order: list[str] = []

    def turn(name: str) -> float:
        order.append(name)
        return float(len(order))

    ours, baseline = in_turns(2, lambda: turn("ours"), lambda: turn("baseline"))
    assert order == ["ours", "baseline"] * 3
    assert (ours, baseline) == ([3.0, 5.0], [4.0, 6.0])
