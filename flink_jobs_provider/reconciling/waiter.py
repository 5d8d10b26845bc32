"""The one waiter: observes, asks a condition for its judgement, pauses, and observes again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import (
    Condition,
    Failed,
    History,
    Judgement,
    Met,
    NotYet,
    with_observation,
)


@dataclass
class Backoff:
    """The pauses of one wait, in seconds: each is `growth` times as long as the one before."""

    next_pause: float
    longest: float
    growth: float

    def take(self, left: float | None = None) -> float:
        """Return the next pause, no longer than what is left, and never none at all."""
        pause = self.next_pause
        self.next_pause = min(pause * self.growth, self.longest)
        return pause if left is None else min(pause, max(left, SHORTEST))


#: The shortest pause, in seconds.
SHORTEST = 0.02


def cluster_backoff() -> Backoff:
    """Return the pauses between observations of a Flink cluster: it is near, and quick."""
    return Backoff(SHORTEST, 0.25, 1.3)


def service_backoff() -> Backoff:
    """Return the pauses between observations of a job service."""
    return Backoff(0.05, 5.0, 1.5)


def constant_backoff(seconds: float) -> Backoff:
    """Return pauses that are all the same."""
    return Backoff(seconds, seconds, 1.0)


T = TypeVar("T")

#: After how many seconds a wait is reported first. Each further report comes twice as late as the
#: one before, and a minute later at most.
_REPORTED_AFTER, _REPORTED_AGAIN = 15.0, 60.0
_STILL = ": still waiting after "


def is_progress(line: str) -> bool:
    """Whether a line reports a wait that goes on, which is of no interest once it has ended."""
    return _STILL in line


@dataclass(frozen=True)
class Clock:
    """Time as the waiter sees it; tests bring their own.

    Attributes:
        now: Seconds that only ever grow.
        wall: Seconds since the epoch.
        sleep: Waits that many seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wall: Callable[[], float] = time.time


@dataclass(frozen=True)
class Waited(Generic[T]):
    """How a wait ended: NotYet where the time was up; and all that was observed."""

    judgement: Judgement
    history: History[T]

    @property
    def met(self) -> bool:
        """Whether the condition holds."""
        return isinstance(self.judgement, Met)

    @property
    def failed(self) -> Failed | None:
        """Why the condition will not hold any more; None where it may, or does."""
        return self.judgement if isinstance(self.judgement, Failed) else None

    @property
    def last(self) -> T:
        """What was observed last."""
        return self.history[-1].seen

    @property
    def reason(self) -> str:
        """Why the condition does not hold; empty where it does."""
        return "" if isinstance(self.judgement, Met) else self.judgement.reason


class Waiter:
    """Waits for conditions; reports from time to time what a long wait has observed last."""

    def __init__(self, clock: Clock, say: Say = lambda _line: None) -> None:
        self.clock = clock
        self._say = say

    async def until(
        self,
        observe: Callable[[float], Awaitable[T]],
        condition: Condition[T],
        timeout: float,
        *,
        backoff: Backoff | None = None,
        first: History[T] = (),
        wake: asyncio.Task[None] | None = None,
        about: str = "",
    ) -> Waited[T]:
        """Observe until a condition is met or has failed, or the time is up.

        Args:
            observe: Returns what is seen now. It is given the time until which a system that does
                not answer may be waited for.
            condition: What is waited for.
            timeout: The seconds that it may take. There is always one observation.
            backoff: The pauses; those for a cluster if none are given.
            first: What was observed before.
            wake: What ends a pause when it is done.
            about: What is waited for, for progress reports; empty for none.
        """
        began, backoff = self.clock.now(), backoff or cluster_backoff()
        history, report = [*first], _Reports(self._say if about else None, about)
        known = bool(first)
        while True:
            if not known:
                seen = await observe(began + timeout)
                history = with_observation(history, seen, self.clock.now())
            known = False
            judgement = condition.judge(history)
            passed = self.clock.now() - began
            if not isinstance(judgement, NotYet) or passed >= timeout:
                return Waited(judgement, history)
            report.of(judgement.reason, passed)
            await self._pause(backoff.take(judgement.due), wake)

    async def reach(self, ask: Callable[[], Awaitable[T]], deadline: float, pause: float) -> T:
        """Return an answer; what cannot be reached for a moment is asked again until a deadline."""
        while True:
            try:
                return await ask()
            except ClusterUnreachable:
                if self.clock.now() >= deadline:
                    raise
                await self.clock.sleep(pause)

    async def _pause(self, seconds: float, wake: asyncio.Task[None] | None) -> None:
        if wake is None or wake.done():
            await self.clock.sleep(seconds)
            return
        sleeping = asyncio.ensure_future(self.clock.sleep(seconds))
        try:
            await asyncio.wait({sleeping, wake}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            await asyncio.wait({sleeping})


class _Reports:
    """The progress reports of one wait."""

    def __init__(self, say: Say | None, about: str) -> None:
        self._say = say
        self._about = about
        self._due = _REPORTED_AFTER

    def of(self, reason: str, passed: float) -> None:
        """Report what was seen, where that is due."""
        if self._say is None or passed < self._due:
            return
        self._say(f"{self._about}{_STILL}{passed:.0f} s: {reason}")
        self._due = passed + min(self._due, _REPORTED_AGAIN)
