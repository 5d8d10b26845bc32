"""How often one caller may call."""

from __future__ import annotations

import pytest

from flink_jobs_provider.gateway.auth.authenticator import RateLimit
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.refusals import Refusal


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def allowed(limit: RateLimit, name: str, tries: int) -> int:
    """Return how many of a number of requests pass."""
    passed = 0
    for _ in range(tries):
        try:
            limit.take(name)
        except Refusal:
            continue
        passed += 1
    return passed


def test_a_burst_passes_and_then_the_steady_rate() -> None:
    clock = Clock()
    limit = RateLimit(per_second=10, burst=20, clock=clock)
    assert allowed(limit, "ci", 50) == 20
    clock.now += 1
    assert allowed(limit, "ci", 50) == 10
    clock.now += 3600
    assert allowed(limit, "ci", 50) == 20


def test_callers_do_not_take_from_each_other() -> None:
    limit = RateLimit(per_second=1, burst=5, clock=Clock())
    assert allowed(limit, "one", 9) == 5
    assert allowed(limit, "two", 9) == 5


def test_a_refusal_says_when_to_come_back() -> None:
    clock = Clock()
    limit = RateLimit(per_second=0.1, burst=1, clock=clock)
    limit.take("ci")
    with pytest.raises(Refusal) as caught:
        limit.take("ci")
    assert (status_of(caught.value), caught.value.code) == (429, "TooManyRequests")
    assert caught.value.retry_after == 10
    clock.now += 10
    limit.take("ci")


def test_callers_of_long_ago_take_no_memory() -> None:
    clock = Clock()
    limit = RateLimit(per_second=1, burst=1, clock=clock)
    for number in range(5000):
        limit.take(f"caller-{number}")
        clock.now += 1
    assert len(limit._buckets) <= 1024


def test_nobody_is_let_go_by_forgetting() -> None:
    """Shows that a caller who has used up the burst stays so while others come and go."""
    clock = Clock()
    limit = RateLimit(per_second=0.001, burst=3, clock=clock)
    assert allowed(limit, "ci", 9) == 3
    for number in range(3000):
        limit.take(f"caller-{number}")
    assert allowed(limit, "ci", 9) == 0
