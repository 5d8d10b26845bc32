"""The audit log: who did what to which job, when, and how it ended. A JSON line for each.

It holds no token, no arguments and no Flink options, since it is given none.
"""

from __future__ import annotations

import logging
import logging.handlers
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from flink_jobs_provider.gateway.ops.log import one_line

_CHANNEL = "gateway.audit"


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """A line of the audit log.

    Attributes:
        who: The caller's name; None where nobody showed who they are.
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
        self._handler = logging.handlers.WatchedFileHandler(path, encoding="utf-8")
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
        """Write one line."""
        given = {name: value for name, value in asdict(entry).items() if value is not None}
        self._logger.info("audit", **given)

    def close(self) -> None:
        """Close the file."""
        if self._handler:
            self._handler.close()
