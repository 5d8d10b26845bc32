"""A job as a stream of server-sent events: one each time that something of it has changed.

Who asks is authenticated again before each look: a token that is revoked ends the stream.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.observing.attention_sentences import without_spans

#: Seconds between two looks, and after which a silent stream says that it is still there.
EVERY, _PING = 2.0, 15
#: Refusals after which there is nothing to wait for.
_ENDS = frozenset(
    (
        "JobNotFound",
        "InvalidAuthenticationToken",
        "ExpiredAuthenticationToken",
        "AuthorizationFailed",
    )
)


def job_events(
    look: Callable[[], Awaitable[dict[str, Any]]], stopping: asyncio.Event, every: float = EVERY
) -> Response:
    """Return the stream of a job.

    Args:
        look: Returns the job as the caller may see it now.
        stopping: Set when the gateway stops: no stream may hold that up.
        every: Seconds between two looks.
    """
    return EventSourceResponse(changes(look, stopping, every), ping=_PING)


async def changes(
    look: Callable[[], Awaitable[dict[str, Any]]], stopping: asyncio.Event, every: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield `job` with each change, `problem` where it cannot be read, `end` where it is over."""
    seen = ""
    while not stopping.is_set():
        try:
            event, data = "job", await look()
        except Refusal as refusal:
            event = "end" if refusal.code in _ENDS else "problem"
            data = {"code": refusal.code, "message": refusal.message}
        now = event + json.dumps(_lasting(data), sort_keys=True)
        if now != seen:
            yield ServerSentEvent(json.dumps(data), event=event)
            seen = now
        if event == "end":
            return
        await _pause(stopping, every)


def _lasting(data: dict[str, Any]) -> dict[str, Any]:
    """Return what is compared: that it was observed once more, or time went by, is no change."""
    health = data.get("health")
    attention = data.get("needs_attention")
    return {
        **data,
        "health": {**health, "observed_at": None} if health else None,
        "needs_attention": attention
        and [each | {"reason": without_spans(each["reason"])} for each in attention],
    }


async def _pause(stopping: asyncio.Event, every: float) -> None:
    try:
        async with asyncio.timeout(every):
            await stopping.wait()
    except TimeoutError:
        return
