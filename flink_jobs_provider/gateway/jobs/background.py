"""Work that goes on for as long as the gateway does, and its own errors in the log."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any


def where(error: BaseException) -> str:
    """Return the kind of an error and where it came from; never its text, which may hold inputs."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{frames}"


_log = logging.getLogger(__name__)


def begin(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Let work go on by itself; if it ever ends with an error, the log says so."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_say_why)
    return task


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Break work off, and wait until it has ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s ended: %s", task.get_name(), where(error))
