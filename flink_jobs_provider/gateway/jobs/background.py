"""Work in the background: tasks, threads for calls that block, and how often and how long."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from flink_jobs_provider.model.errors import Signal

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intervals:
    """The gateway's intervals and limits of time, in seconds; tests bring their own.

    Attributes:
        observe: Between two observations of a cluster.
        fresh: How old an observation may be when a list is asked for.
        patience: How long a list waits for it; a cluster that does not answer delays no one.
        lease: For how long an action is claimed; after a crash others wait that long.
        renew: Between two renewals of the claims, and two searches for actions left behind.
        first_retry: Before an action that met a temporary error is retried; doubled each time.
        longest_retry: The longest of these pauses.
        slots: For how long a start waits for task slots: a cluster that was just started has none.
        relaunch_after: How long a job is lost before it is started again: one that its cluster
            is about to recover by itself must not run twice.
        relaunch_pause: Between two such starts that failed; doubled each time.
        longest_relaunch_pause: The longest of these pauses.
        sweep: Between two clearings of old records.
        sample: Between two checks whether a minute is to be recorded in the history.
        kept_jar: How long reading a jar that is cached here may take.
        open_jar: How long opening a jar may take, once it is its turn.
        jar_queue: Until when after a request that turn must come, while others are opened. Both
            together are less than the 60 s for which clients wait, this provider's own among them.
    """

    observe: float = 3.0
    fresh: float = 2.0
    patience: float = 2.0
    lease: float = 30.0
    renew: float = 5.0
    first_retry: float = 1.0
    longest_retry: float = 30.0
    slots: float = 60.0
    relaunch_after: float = 15.0
    relaunch_pause: float = 15.0
    longest_relaunch_pause: float = 600.0
    sweep: float = 3600.0
    sample: float = 5.0
    kept_jar: float = 5.0
    open_jar: float = 30.0
    jar_queue: float = 20.0


# Tasks


def where(error: BaseException) -> str:
    """Return the kind of an error and where it came from; never its text, which may hold inputs."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{frames}"


def begin(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a task; if it ever ends with an error, that is logged."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_error)
    return task


#: Seconds after which work that was cancelled, and goes on, is cancelled again.
_CANCELLED_AGAIN_S = 1.0


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they have ended.

    A cancel can be lost: libraries catch what they take for their own, and until Python 3.12 an
    error that arrives in the same moment hides it.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCELLED_AGAIN_S)


def _log_error(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s ended: %s", task.get_name(), where(error))


@contextlib.asynccontextmanager
async def reporting(
    state: Callable[[], str], report: Callable[[str], Awaitable[object]], every: float
) -> AsyncIterator[None]:
    """Report each change of how far a step is, or what it waits for; nothing after its end.

    A step goes on by itself for minutes while its cluster is away; without these reports nobody
    would know what it waits for.

    Args:
        state: Returns how far the step is, or what it waits for; empty where nothing is known.
        report: Reports a change; an empty line when a wait is over.
        every: Seconds between two checks.
    """
    over = asyncio.Event()

    async def watch() -> None:
        reported = ""
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):  # `wait_for` of Python 3.11 can lose a cancel
                    await over.wait()
            now = state()
            if now != reported and not over.is_set():
                await report(now)
                reported = now

    watching = asyncio.create_task(watch(), name="state")
    try:
        yield
    finally:
        over.set()
        try:
            # It is not awaited itself: a cancel of this task would go to it, and may end there.
            await asyncio.wait({watching})
        finally:
            watching.cancel()
    watching.result()


# Threads


class QueueTimeout(Signal):
    """All threads were busy for too long."""


class Threads:
    """A few threads for one kind of call that blocks: a hanging storage holds up no record."""

    def __init__(self, number: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._calls: set[Future[Any]] = set()

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in one of the threads."""
        return await asyncio.wrap_future(self._submit(partial(function, *args, **kwargs)))

    async def call_within(self, seconds: float, patience: float, function: Callable[[], R]) -> R:
        """Call a function in one of the threads, which may take N seconds.

        They count from when a thread begins it: a call that waits for others is not slow itself.

        Args:
            seconds: How long the function may take.
            patience: How long it may wait for a thread.
            function: What is called.

        Raises:
            TimeoutError: It takes longer.
            QueueTimeout: No thread took it up in time; it is not called any more.
        """
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[None] = loop.create_future()

        def beginning() -> R:
            loop.call_soon_threadsafe(begun.set_result, None)
            return function()

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

        A call goes on in its thread although it is no longer waited for.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._calls and patience > 0:
            await asyncio.to_thread(wait, set(self._calls), patience)
