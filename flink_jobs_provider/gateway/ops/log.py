"""The gateway's log: one stream for its own events and those of the libraries below it.

An event carries what was bound to its context: `request_id` within a request, `action_id` within an
action.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from flink_jobs_provider.gateway.ops.log_redaction import one_line, redact, show_exception

_log = structlog.get_logger("gateway.request")

_PER_SECOND = 5.0
_AT_ONCE = 100.0


class LogLimit:
    """Counts lines of one kind; those beyond the limit are left out, and how many is logged.

    Args:
        what: What is left out, for the line that says so.
        clock: Seconds, from any beginning.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._left = _AT_ONCE
        self._seen = clock()
        self._left_out = 0

    def take(self) -> bool:
        """Count a line, and return whether it may be written."""
        now = self._clock()
        self._left = min(_AT_ONCE, self._left + (now - self._seen) * _PER_SECOND)
        self._seen = now
        if self._left < 1:
            self._left_out += 1
            return False
        self._left -= 1
        if self._left_out:
            left_out, self._left_out = self._left_out, 0
            _log.warning("lines were left out: too many at once", what=self._what, lines=left_out)
        return True


#: They say at INFO what the gateway says in its own words, or what is of no use to operators.
_QUIET = ("httpx", "httpcore", "alembic", "sqlalchemy", "asyncio", "azure", "urllib3", "fsspec")
_AUDIT = "gateway.audit"


def configure_logging(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to one stream.

    Args:
        level: The least level: debug, info, warning, error. The audit log is written at any.
        style: `json`, a line for each event; or `console`, for people.
        stream: Where to; standard output if not given.
    """
    stream = stream or sys.stdout
    common: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if style == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=common,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            show_exception,
            redact,
            one_line,
            renderer,
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for before in list(root.handlers):
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger(_AUDIT).setLevel(logging.INFO)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
