"""What a fault may do to a job that none must."""

from __future__ import annotations


class Violated(AssertionError):
    """What must hold does not: state was lost."""


class Doubled(Violated):
    """Something was counted twice, or two jobs run."""


class CountedTwice(Doubled):
    """A number was counted twice."""
