"""Tasks in the background: their begin, their end, their errors in the log, what they wait for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from typing import Any


def where(error: BaseException) -> str:
    """Return the kind of an error and where it came from; never its text, which may hold inputs."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{frames}"


_log = logging.getLogger(__name__)


def begin(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a task; if it ever ends with an error, that is logged."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_say_why)
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


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s ended: %s", task.get_name(), where(error))


@contextlib.asynccontextmanager
async def reporting(
    trouble: Callable[[], str], say: Callable[[str], Awaitable[object]], every: float
) -> AsyncIterator[None]:
    """Report each change of what a step waits for while it goes on; nothing after its end.

    A step goes on by itself for minutes while its cluster is away, and nobody would know what it
    waits for.

    Args:
        trouble: Returns what the step waits for; empty for nothing.
        say: Reports a change; an empty line when the wait is over.
        every: Seconds between two looks.
    """
    over = asyncio.Event()

    async def watch() -> None:
        said = ""
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):  # `wait_for` of Python 3.11 can lose a cancel
                    await over.wait()
            now = trouble()
            if now != said and not over.is_set():
                await say(now)
                said = now

    watching = asyncio.create_task(watch(), name="trouble")
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
