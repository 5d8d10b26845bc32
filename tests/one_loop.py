"""One event loop for thousands of short runs: to make one takes longer than most of the runs."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns.

    `asyncio.Runner` would also set, and put back, the handler of Ctrl-C around each run. Another
    thread, which runs within one, has a loop of its own.
    """
    if _LOOP.is_running():
        return asyncio.run(work)
    return _LOOP.run_until_complete(work)
