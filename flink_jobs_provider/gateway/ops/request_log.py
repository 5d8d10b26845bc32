"""A line in the log for each request: method, path, status, seconds. Never its query or headers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from flink_jobs_provider.gateway.ops.log import LogLimit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = structlog.get_logger("gateway.request")
#: Asked every few seconds by machines; of interest only when something looks for a fault.
_PROBES = ("/healthz", "/readyz", "/metrics")
#: What the answers of the faces carry.
_REQUEST_IDS = (b"x-ms-request-id", b"x-request-id")
#: Longer ones are nobody's mistake; they would only fill the log.
_LONGEST_PATH = 512


class RequestLog:
    """Logs the requests of an application (ASGI middleware, the outermost).

    Args:
        app: The application.
        clock: Seconds, from any beginning.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._unauthenticated = LogLimit("requests without authentication", clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        structlog.contextvars.clear_contextvars()
        began = self._clock()
        answer: dict[str, object] = {}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                headers = {key.lower(): value for key, value in message.get("headers", ())}
                for name in _REQUEST_IDS:
                    if request_id := headers.get(name):
                        answer["request_id"] = request_id.decode("latin-1")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            write = _log.debug if scope["path"] in _PROBES else _log.info
            if "principal" not in scope and write is not _log.debug:
                write = write if self._unauthenticated.take() else _log.debug
            client = scope.get("client")
            write(
                "request",
                method=scope["method"][:16],
                path=scope["path"][:_LONGEST_PATH],
                client=client[0] if client else None,
                seconds=round(self._clock() - began, 4),
                **answer,
            )
