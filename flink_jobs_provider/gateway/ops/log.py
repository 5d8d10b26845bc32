"""The gateway's log: one stream for its own events and those of the libraries below it.

An event carries what was bound to its context: `request_id` within a request, `action_id` within an
action. The gateway's own log calls are given no token, password, argument or Flink option. What
masks those here is the second wall, for what libraries log and for the messages of unforeseen
errors. `model/redaction.py` knows what looks like a credential in any text; here is what logs hold
besides.

The audit log records who did what to which job, when, and how it ended: a JSON line for each. It is
given no token, no arguments and no Flink options.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import re
import sys
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from pydantic import ValidationError

from flink_jobs_provider.model.redaction import HIDDEN, mask_foreign, mask_tokens

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


#: They log at INFO what the gateway logs in its own words, or what is of no use to operators.
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
    logging.captureWarnings(capture=True)
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

#: Asked every few seconds by machines; of interest only when a fault is searched for.
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


# What no log may hold

_KEYS = {
    "args",
    "as_given",
    "authorization",
    "body",
    "changes",
    "flink_configuration",
    "flinkconfiguration",
    "headers",
    "hash",
    "params",
    "parameters",
    "password",
    "secret",
    "secret_key",
    "security_token",
    "token",
    "x-auth-token",
    "x-security-token",
}
#: Callers decide what some logged texts hold, so each of these takes a time that grows as the text
#: does: what is masked up to a mark is masked up to the end where the mark is missing.
_PATTERNS = [
    # SQLAlchemy and PostgreSQL quote the values of the row that was refused.
    (re.compile(r"\[parameters: (?:.*?\](?=\s|$)|.*)", re.DOTALL), f"[parameters: {HIDDEN}]"),
    (re.compile(r"DETAIL:.*"), f"DETAIL: {HIDDEN}"),
    # pydantic quotes the input.
    (
        re.compile(r"input_value=(?:.*?, input_type=|.*)", re.DOTALL),
        f"input_value={HIDDEN}, input_type=",
    ),
]
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MULTI_LINE = {"exception"}
_LONGEST_TEXT = 20_000


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what is secret in a log event (a structlog processor)."""
    for key in list(event):
        event[key] = HIDDEN if _is_secret(key) else _masked(event[key])
    return event


def one_line(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Write out control characters, so that no value can look like a line of its own."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _MULTI_LINE:
            event[key] = _CONTROL.sub(lambda match: repr(match[0])[1:-1], value)
    return event


def show_exception(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Turn `exc_info` into text: where, what, and of invalid values only where they stood."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"] = _shown(error)
    return event


def hidden_in(text: str) -> str:
    """Mask what is secret in a text."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return mask_tokens(mask_foreign(text))


def _shown(error: BaseException) -> str:
    parts = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"{frames}{type(current).__name__}: {_message(current)}")
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "\n\ncaused:\n\n".join(reversed(parts))


def _message(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        places = [".".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)]
        return f"{error.title}: {', '.join(places)}"
    return str(error)


def _is_secret(key: str) -> bool:
    return key.lower() in _KEYS


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return hidden_in(value[:_LONGEST_TEXT])
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _is_secret(str(key)) else _masked(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return hidden_in(str(value)[:_LONGEST_TEXT])


_CHANNEL = "gateway.audit"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """A line of the audit log.

    Attributes:
        who: The caller's name; None where the request was not authenticated.
        what: The action, or the request's method and route.
        cluster: Key of the cluster.
        job: Name of the job.
        action_id: The action, where there is one.
        result: How it ended, in a word.
        status: HTTP status of the answer; None where the line is no answer's.
    """

    who: str | None
    what: str
    cluster: str | None = None
    job: str | None = None
    action_id: str | None = None
    result: str
    status: int | None = None


class _AuditFile(logging.handlers.WatchedFileHandler):
    """A file whose errors are raised, instead of printed with all that was to be written."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - so it is named
        """Raise what went wrong."""
        del record
        raise


class AuditLog:
    """Writes the audit log.

    Args:
        path: The file it is appended to; it may be rotated at any time. None: it goes with the
            rest of the log.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._handler: logging.Handler | None = None
        self._logger: Any = structlog.get_logger(_CHANNEL)
        if path is None:
            return
        Path(path).touch(mode=0o600)
        self._handler = _AuditFile(path, encoding="utf-8")
        channel = logging.Logger(_CHANNEL)
        channel.addHandler(self._handler)
        self._logger = structlog.wrap_logger(
            channel,
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                one_line,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.BoundLogger,
        )

    def write(self, entry: AuditEntry) -> None:
        """Write one line; with the rest of the log, where the file cannot be written now.

        Whoever is answered next is told what became of their request: it was accepted or refused,
        whether or not it could be audited.
        """
        given = {name: value for name, value in asdict(entry).items() if value is not None}
        try:
            self._logger.info("audit", **given)
        except (OSError, ValueError) as error:
            structlog.get_logger(_CHANNEL).error(
                "audit: the audit file cannot be written", reason=str(error), **given
            )

    def close(self) -> None:
        """Close the file."""
        if self._handler:
            with contextlib.suppress(OSError):  # what it could not write is in the log
                self._handler.close()
