"""A clock that stands still until somebody sleeps."""

from __future__ import annotations

import asyncio

from flink_jobs_provider.reconciling.waiter import Clock


class FakeClock:
    """Time in seconds; a sleep passes it at once."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start

    def now(self) -> float:
        """Return the time."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and let other coroutines have their turn."""
        self.time += seconds
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        """Return it as the reconciler takes it."""
        return Clock(self.now, self.sleep, wall=self.now)
