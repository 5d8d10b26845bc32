"""Whether this gateway may still execute an action.

A gateway that could not renew its claim in time begins nothing more: another may have taken the
action over. `guard` is called by the control planes before each request that changes something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar

from flink_jobs_provider.model.errors import PermanentError

#: Seconds before the claim's end from which nothing is begun any more: a request takes its time.
_MARGIN = 2.0


class LeaseLost(PermanentError):
    """The claim on the action has run out: nothing more may be begun."""


class Lease:
    """A claim on one action; once it has run out, it stays so.

    Args:
        seconds: How long it is valid, from before the database was asked for it.
        clock: Seconds that only ever grow.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until = clock() + seconds - min(_MARGIN, seconds / 4)
        self._lost = False

    @property
    def held(self) -> bool:
        """Whether it is still valid."""
        self._lost = self._lost or self._clock() >= self._until
        return not self._lost

    def renewed(self, asked_at: float) -> None:
        """Note that the database has renewed it.

        Args:
            asked_at: The time just before it was asked to.
        """
        if self.held:
            self._until = asked_at + self._seconds - min(_MARGIN, self._seconds / 4)

    def again(self) -> Lease:
        """Return another one that ends with it, for another action claimed at once."""
        other = Lease(self._seconds, self._clock)
        other._until = self._until
        return other

    def lose(self) -> None:
        """Release it."""
        self._lost = True


current_lease: ContextVar[Lease | None] = ContextVar("current_lease", default=None)


def guard() -> None:
    """Return while the present action, if any, is this gateway's to execute.

    Raises:
        LeaseLost: It is not.
    """
    lease = current_lease.get()
    if lease is not None and not lease.held:
        raise LeaseLost(
            "this gateway could not renew its claim on the action",
            now="It began nothing more",
            remedy="Another gateway takes the action up",
        )
