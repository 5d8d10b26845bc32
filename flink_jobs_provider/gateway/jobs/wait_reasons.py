"""Saying what an action waits for inside one of its steps: a cluster that does not answer.

A step goes on by itself for minutes while its cluster is away, and nobody would know what for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable


@contextlib.asynccontextmanager
async def saying(
    trouble: Callable[[], str], say: Callable[[str], Awaitable[object]], every: float
) -> AsyncIterator[None]:
    """Say each change of the trouble while a step goes on; nothing after its end.

    Args:
        trouble: What is wrong at the moment; empty where nothing is.
        say: Told what is wrong, and an empty line when it is over.
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
