"""Calls that block, each kind in threads of its own: a hanging storage holds up no record."""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, ParamSpec, TypeVar

from flink_jobs_provider.model.errors import Signal

P = ParamSpec("P")
R = TypeVar("R")


class QueueTimeout(Signal):
    """All threads were busy for too long."""


class Threads:
    """A few threads for one kind of call."""

    def __init__(self, number: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._calls: set[Future[Any]] = set()

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in one of the threads."""
        return await asyncio.wrap_future(self._submit(partial(function, *args, **kwargs)))

    async def call_within(
        self,
        seconds: float,
        patience: float,
        function: Callable[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Call a function in one of the threads, which may take so many seconds.

        They count from when a thread begins it: a call that waits for others is not slow itself.

        Args:
            seconds: How long the function may take.
            patience: How long it may wait for a thread.
            function: What is called.
            args: With what.
            kwargs: With what.

        Raises:
            TimeoutError: It takes longer.
            QueueTimeout: No thread took it up in time; it is not called any more.
        """
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[None] = loop.create_future()

        def beginning() -> R:
            loop.call_soon_threadsafe(begun.set_result, None)
            return function(*args, **kwargs)

        submitted = self._submit(beginning)
        call = asyncio.wrap_future(submitted)
        try:
            await asyncio.wait((begun, call), timeout=patience, return_when=FIRST_COMPLETED)
            if submitted.cancel():
                raise QueueTimeout
            async with asyncio.timeout(seconds):
                return await call
        finally:
            submitted.cancel()

    def _submit(self, function: Callable[[], R]) -> Future[R]:
        call = self._pool.submit(function)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    async def close(self, patience: float) -> None:
        """Accept no more calls, and wait a while for those in progress.

        A call goes on in its thread although nobody waits for it any more.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._calls and patience > 0:
            await asyncio.to_thread(wait, set(self._calls), patience)
