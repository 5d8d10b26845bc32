"""How often one caller may call: a bucket of tokens for each, filled at a steady rate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from flink_jobs_provider.gateway.refusals import Refusal

#: Full buckets say nothing; they are thrown away when there are this many.
_MANY = 1024


class RateLimit:
    """Refuses what comes too fast.

    Args:
        per_second: Requests that one caller may make in a second, over time.
        burst: Requests that one caller may make at once.
        clock: Seconds, from any beginning.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Count a request of a caller.

        Raises:
            Refusal: 429; it came too fast. It is not counted.
        """
        now = self._clock()
        left = self._left(name, now)
        if left < 1:
            wait = math.ceil((1 - left) / self._per_second)
            raise Refusal(
                "TooManyRequests",
                f"Too many requests: {self._per_second:g} a second are allowed, and "
                f"{self._burst:g} at once. Try again in {wait} s.",
                retry_after=wait,
            )
        if len(self._buckets) >= _MANY:
            self._forget_full(now)
        self._buckets[name] = (left - 1, now)

    def _left(self, name: str, now: float) -> float:
        left, seen = self._buckets.get(name, (self._burst, now))
        return min(self._burst, left + (now - seen) * self._per_second)

    def _forget_full(self, now: float) -> None:
        full = [name for name in self._buckets if self._left(name, now) >= self._burst]
        for name in full:
            del self._buckets[name]
