"""Recorded sequences of observations, as a waiter keeps them."""

from __future__ import annotations

from typing import TypeVar

from flink_jobs_provider.reconciling.conditions import Observation, with_observation

T = TypeVar("T")


def history(*observed: tuple[float, T]) -> list[Observation[T]]:
    """Return what a waiter records of observations, each with its time in seconds."""
    found: list[Observation[T]] = []
    for at, each in observed:
        found = with_observation(found, each, at)
    return found
