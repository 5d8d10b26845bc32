"""Ends a provider process whose engine has gone, within a minute.

An engine that is killed, or that ends because nobody reads what it writes, leaves its provider
process behind, which would serve nobody for ever. What is in progress then gets a while to end by
itself: its next request that would change something is refused (`engine_liveness`). A process that
ends while it waits leaves what it asked for with the cluster, where the next run finds it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flink_jobs_provider.model.errors import EngineGone
from flink_jobs_provider.provider.engine_liveness import EngineLiveness

#: Between two looks, in seconds.
_PAUSE_S = 2.0
#: How long what is in progress may take to end, in seconds.
GRACE_S = 30.0


class CallsInProgress:
    """Counts the engine's calls that have not been answered."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one call until it ends."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    def __bool__(self) -> bool:
        return self._count > 0


class EngineWatch:
    """Watches the engine, and ends this process after it.

    Args:
        liveness: Tells whether the engine lives.
        busy: Tells whether something is in progress.
        end: Ends the process.
        sleep: Waits, in seconds.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        liveness: EngineLiveness,
        busy: Callable[[], bool],
        end: Callable[[int], object] = os._exit,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._liveness = liveness
        self._busy = busy
        self._end = end
        self._sleep = sleep
        self._clock = clock

    def start(self) -> None:
        """Watch in a thread of its own; not in a process that no engine has started."""
        if self._liveness.is_told_an_engine:
            threading.Thread(target=self.run, name="engine-watch", daemon=True).start()

    def run(self) -> None:
        """Wait for the engine's end, and then for that of what is in progress; end the process."""
        while self._lives():
            self._sleep(_PAUSE_S)
        deadline = self._clock() + GRACE_S
        while self._busy() and self._clock() < deadline:
            self._sleep(_PAUSE_S / 4)
        self._end(0)

    def _lives(self) -> bool:
        try:
            self._liveness.check()
        except EngineGone:
            return False
        return True
