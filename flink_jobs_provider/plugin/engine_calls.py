"""The engine's calls in progress: which resource each is of, and what a cancel means to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from flink_jobs_provider.model.errors import EngineGone


@dataclass
class EngineCall:
    """One call of the engine.

    Attributes:
        urn: The resource; empty for none.
        has_begun: Whether a request that changes something was sent for it.
        last_line: What was said of it last.
    """

    urn: str
    has_begun: bool = False
    last_line: str = ""
    _since: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Return how long it has lasted."""
        return time.monotonic() - self._since


#: The call that a thread, or a task of an event loop, works for.
current_call: ContextVar[EngineCall | None] = ContextVar("current_call", default=None)


class Cancellation:
    """Whether the engine has cancelled its run.

    What has begun to change something goes on to its end, within its timeouts: a job that was
    stopped for its new version is started. Nothing else begins, and a first version that its
    cluster has accepted is not waited for.
    """

    def __init__(self) -> None:
        self.is_requested = False

    def request(self) -> None:
        """Begin nothing more."""
        self.is_requested = True

    def guard(self, check_engine: Callable[[], None]) -> None:
        """Return where a request that changes something may be sent.

        Raises:
            EngineGone: The engine has ended, or the run was cancelled before anything had begun.
        """
        check_engine()
        call = current_call.get()
        if call is None:
            return
        if self.is_requested and not call.has_begun:
            raise EngineGone(
                "the run was cancelled", now="Nothing was begun", remedy="Run again to go on"
            )
        call.has_begun = True
