"""How often something may be logged that anybody can cause, without having shown who they are."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

_log = structlog.get_logger("gateway.request")

_PER_SECOND = 5.0
_AT_ONCE = 100.0


class LogLimit:
    """Counts lines of one kind; those beyond the limit are left out, and how many is logged.

    Args:
        what: What is left out, for the line that says so.
        clock: Seconds, from any beginning.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._left = _AT_ONCE
        self._seen = clock()
        self._left_out = 0

    def take(self) -> bool:
        """Count a line, and return whether it may be written."""
        now = self._clock()
        self._left = min(_AT_ONCE, self._left + (now - self._seen) * _PER_SECOND)
        self._seen = now
        if self._left < 1:
            self._left_out += 1
            return False
        self._left -= 1
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            _log.warning("lines were left out: too many at once", what=self._what, lines=left_out)
        return True
