"""Operations that outlive their job: Flink may never say how they ended.

A checkpoint that was triggered just as its job failed stays IN_PROGRESS for good (measured on
1.20.5), and a savepoint goes the same way through Flink.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

#: How often the job is looked at, and how long an ended one's operation is given, in seconds.
_EVERY, _GRACE = 1.0, 5.0


class Outliving:
    """Watches the job of one operation.

    Args:
        ended: Returns the job's state where it has ended or is gone; else an empty text.
        clock: Seconds that only ever grow.
    """

    def __init__(self, ended: Callable[[], Awaitable[str]], clock: Callable[[], float]) -> None:
        self._ended = ended
        self._clock = clock
        self._due = clock() + _EVERY
        self._since: float | None = None

    async def state(self) -> str:
        """Return the state of a job that ended a while ago; an empty text for any other."""
        now = self._clock()
        if now < self._due:
            return ""
        self._due = now + _EVERY
        state = await self._ended()
        if not state:
            self._since = None
            return ""
        if self._since is None:
            self._since = now
        return state if now - self._since >= _GRACE else ""
