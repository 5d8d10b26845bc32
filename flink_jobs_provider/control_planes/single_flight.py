"""One call to a cluster, shared by all who ask at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Answer(Generic[T]):
    value: T
    number: int
    begun: float


class SharedCall(Generic[T]):
    """Fetches an answer for everybody who waits for it, and never two at once."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[T]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._flight: asyncio.Task[None] | None = None
        self._latest: _Answer[T] | None = None
        self._begun = 0

    @property
    def latest(self) -> T | None:
        """The newest answer that was fetched, or None."""
        return self._latest.value if self._latest else None

    async def get(self, max_age: float = 0.0) -> T:
        """Return an answer whose fetching began at most `max_age` seconds before this call."""
        # Counted, not timed: a coarse clock could take what began just before for what began after.
        begun_before = self._begun
        oldest = self._clock() - max_age if max_age > 0 else float("inf")
        while self._latest is None or (
            self._latest.number <= begun_before and self._latest.begun < oldest
        ):
            if self._flight is None:
                self._flight = asyncio.create_task(self._refresh())
            flight = self._flight
            try:
                await asyncio.shield(flight)
            finally:
                if flight.done() and self._flight is flight:
                    self._flight = None
        return self._latest.value

    async def _refresh(self) -> None:
        self._begun += 1  # here, not where the task is made: until now all may share it
        number, begun = self._begun, self._clock()
        self._latest = _Answer(await self._fetch(), number, begun)
