"""Whether the engine that this provider process works for still lives.

A killed engine leaves its provider process alive, while the next run begins: two writers. So
nothing is begun once the engine has gone. The engine's address is the first argument of
`python -m pulumi.dynamic`; with the real CLI a shell lies between it and this process, so the
parent process alone does not tell.
"""

from __future__ import annotations

import os
import re
import socket
import sys

from flink_jobs_provider.model.errors import EngineGone


class EngineLiveness:
    """Remembers parent and engine address at the start, and looks at both each time."""

    def __init__(self, arguments: list[str] | None = None) -> None:
        self._parent = os.getppid()
        self._address = _engine_address(sys.argv[1:] if arguments is None else arguments)

    @property
    def is_told_an_engine(self) -> bool:
        """Whether this process was started with an engine's address."""
        return self._address is not None

    def check(self) -> None:
        """Return while the engine lives.

        Raises:
            EngineGone: It has ended.
        """
        if os.getppid() != self._parent or not self._answers():
            raise EngineGone(
                "the Pulumi engine of this run has ended",
                now="Nothing more was begun",
                remedy="Run again: it goes on where this run stopped",
            )

    def _answers(self) -> bool:
        if self._address is None:
            return True
        try:
            socket.create_connection(self._address, timeout=5).close()
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # out of sockets, or slow: no sign that it has ended
        return True


def _engine_address(arguments: list[str]) -> tuple[str, int] | None:
    for argument in arguments:
        match = re.fullmatch(r"(127\.0\.0\.1|localhost|\[::1\]):(\d+)", argument)
        if match:
            return match.group(1).strip("[]"), int(match.group(2))
    return None
