"""One event loop for the whole process, which the provider's worker threads share.

The dynamic provider is served by four threads; the core is asynchronous. Connections and the
shared list calls live in this loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None
_lock = threading.Lock()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the shared loop, and wait for its result."""
    return asyncio.run_coroutine_threadsafe(work, _started()).result()


def _started() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="flink-jobs", daemon=True).start()
        return _loop
