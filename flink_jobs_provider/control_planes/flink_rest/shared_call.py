"""One call to a cluster, shared by all who ask at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedCall(Generic[T]):
    """Fetches an answer for everybody who waits for it, and never two at once."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[T]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._flight: asyncio.Task[T] | None = None
        self._answers: list[T] = []
        self._begun = float("-inf")

    async def get(self, max_age: float = 0.0) -> T:
        """Return an answer whose fetching began at most `max_age` seconds before this call."""
        oldest = self._clock() - max_age
        while not self._answers or self._begun < oldest:
            if self._flight is None:
                self._flight = asyncio.create_task(self._refresh(self._clock()))
            flight = self._flight
            try:
                await asyncio.shield(flight)
            finally:
                if flight.done() and self._flight is flight:
                    self._flight = None
        return self._answers[0]

    async def _refresh(self, begun: float) -> T:
        answer = await self._fetch()
        self._answers, self._begun = [answer], begun
        return answer
