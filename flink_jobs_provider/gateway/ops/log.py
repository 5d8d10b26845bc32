"""The gateway's log: one stream for its own events and those of the libraries below it.

An event carries what was bound to its context: `request_id` within a request, `action_id` within an
action.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

from flink_jobs_provider.gateway.ops.redaction import one_line, redact, show_exception

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
