"""Calls that block, each kind in threads of its own: a hanging storage holds up no record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Threads:
    """A few threads for one kind of call."""

    def __init__(self, number: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._calls: set[Future[Any]] = set()

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in one of the threads."""
        call = self._pool.submit(partial(function, *args, **kwargs))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.wrap_future(call)

    async def close(self, patience: float) -> None:
        """Take no more calls, and wait a while for those that are being made.

        A call goes on in its thread although nobody waits for it any more.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._calls and patience > 0:
            await asyncio.to_thread(wait, set(self._calls), patience)
