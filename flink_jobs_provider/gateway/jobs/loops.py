"""Work that goes on for as long as the gateway does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from flink_jobs_provider.gateway.jobs.internal_errors import where

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
