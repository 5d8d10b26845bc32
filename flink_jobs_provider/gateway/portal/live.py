"""Parts of pages that are kept up to date: by server-sent events, or asked for again and again.

What a part shows is read and made once for all who look at the same thing at the same time, however
many they are. Who looks is looked up each time: whoever is signed out, or may read less, sees no
more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Protocol

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from flink_jobs_provider.control_planes.http import SharedCall
from flink_jobs_provider.gateway.portal.sessions import Sessions
from flink_jobs_provider.gateway.portal.templating import NOT_STORED
from flink_jobs_provider.gateway.portal.visit import SESSION, Visit, Visits
from flink_jobs_provider.gateway.refusals import Refusal

#: Seconds between two looks at the records, for all who look at the same.
EVERY = 1.0
#: Seconds after which a silent stream says that it is still there.
PING = 15
_MOST_SHARED = 256
_SEEN = "X-Part"


class Part(Protocol):
    """A part of a page."""

    def key(self, request: Request, visit: Visit) -> Hashable:
        """Return what tells it from others: who has the same is shown the same."""

    async def html(self, request: Request, visit: Visit) -> str:
        """Return what it shows now.

        Raises:
            Refusal: There is no such thing any more, or not for whoever looks.
        """


class SharedParts:
    """Makes each part once for all who look at it.

    Args:
        max_age: For how many seconds what was made is shown.
    """

    def __init__(self, max_age: float = EVERY) -> None:
        self._max_age = max_age
        self._calls: OrderedDict[Hashable, SharedCall[str]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[str]]) -> str:
        """Return a part as it is, or was a moment ago."""
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = SharedCall(make)
        self._calls.move_to_end(key)
        while len(self._calls) > _MOST_SHARED:
            self._calls.popitem(last=False)
        return await call.get(self._max_age)


class Live:
    """Serves the parts of pages.

    Args:
        sessions: Who is signed in.
        visits: How they are spoken to.
        stopping: Set when the gateway stops: no stream may hold that up.
        every: Seconds between two looks.
    """

    def __init__(
        self, sessions: Sessions, visits: Visits, stopping: asyncio.Event, every: float = EVERY
    ) -> None:
        self._sessions = sessions
        self._visits = visits
        self._stopping = stopping
        self._every = every
        self._shared = SharedParts(every)

    async def once(self, request: Request, part: Part) -> Response:
        """Return a part as it is now."""
        html = await self._made(request, part, self._visits.of(request))
        return HTMLResponse(html, headers={_SEEN: digest(html), **NOT_STORED})

    def stream(self, request: Request, part: Part) -> Response:
        """Return a stream of a part, from the next change on."""
        seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
        return EventSourceResponse(self._events(request, part, seen), ping=PING)

    async def _events(
        self, request: Request, part: Part, seen: str
    ) -> AsyncIterator[ServerSentEvent]:
        text = self._visits.text(request)
        while not self._stopping.is_set():
            try:
                session = await self._sessions.find(request.scope)
                if session is None:
                    yield ServerSentEvent("", event="signed-out")
                    return
                request.scope[SESSION] = session
                html = await self._made(request, part, self._visits.by(session, text))
            except Refusal as refusal:
                yield ServerSentEvent("", event=_EVENTS.get(refusal.code, "unavailable"))
                if refusal.code in _EVENTS:
                    return
                seen = ""  # the page says so until it is sent what is there then
            else:
                now = digest(html)
                if now != seen:
                    yield ServerSentEvent(html, event="part", id=now)
                    seen = now
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._every):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _made(self, request: Request, part: Part, visit: Visit) -> str:
        key = (type(part), visit.text.language, part.key(request, visit))
        return await self._shared.get(key, lambda: part.html(request, visit))


#: What ends a stream, and how its page is told.
_EVENTS = {
    "JobNotFound": "gone",
    "NotFound": "gone",
    "ResourceNotFound": "gone",
    "AuthorizationFailed": "gone",
}


def digest(html: str) -> str:
    """Return what tells one content of a part from another."""
    return hashlib.sha256(html.encode()).hexdigest()[:16]
