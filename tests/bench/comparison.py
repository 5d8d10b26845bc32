"""What was measured against what, and how the two compare. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Aim:
    """What a measurement should show: at most this ratio, or at most this much of our own.

    Attributes:
        text: The aim in words.
        ratio: The greatest ratio of ours to the baseline.
        ours: The greatest median of ours.
    """

    text: str
    ratio: float | None = None
    ours: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Ours against a baseline, measured in turns: ours, baseline, ours, baseline.

    Attributes:
        what: What was measured.
        ours: One value for each round.
        baseline: One value for each round.
        unit: Of the values.
        aim: What they should show; none where they only tell.
    """

    what: str
    ours: Sequence[float]
    baseline: Sequence[float]
    unit: str = "s"
    aim: Aim | None = None

    @property
    def ratios(self) -> list[float]:
        """Ours as a multiple of the baseline, round by round."""
        return [ours / base for ours, base in zip(self.ours, self.baseline, strict=True)]

    @property
    def met(self) -> bool | None:
        """Whether the medians meet the aim; none where there is none."""
        if self.aim is None:
            return None
        by_ratio = self.aim.ratio is None or median(self.ratios) <= self.aim.ratio
        by_ours = self.aim.ours is None or median(self.ours) <= self.aim.ours
        return by_ratio and by_ours


@dataclass(frozen=True)
class Fact:
    """Something counted, or measured once, without a baseline."""

    what: str
    value: str


@dataclass(frozen=True)
class Measured:
    """All that one benchmark found.

    Attributes:
        title: What it is about.
        how: How it was measured, in whole sentences.
        comparisons: Ours against baselines.
        facts: What else is worth knowing.
    """

    title: str
    how: str
    comparisons: list[Comparison] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


#: What takes less than a second varies more: it is measured so many times in each round.
SHORT = 4


def in_turns(
    rounds: int, ours: Callable[[], float], baseline: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Measure both in turns; see `all_in_turns`."""
    first, second = all_in_turns(rounds, ours, baseline)
    return first, second


def all_in_turns(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Measure in turns, so that what else loads the machine loads all of them.

    One turn of each comes before the first that counts: it fills caches. Returned are the values
    of each, one for each round.
    """
    turns = [[measure() for measure in measures] for _ in range(rounds + 1)]
    return [list(values) for values in zip(*turns[1:], strict=True)]
