"""Answers of the SDK's provider server that are errors of ours, without a traceback.

`pulumi.dynamic` answers a failed call with `traceback.format_exc()` (SDK 3.272), and the Pulumi CLI
prints all of it before the one line that says what happened. The name that its module has for
`traceback` is replaced by one that gives our errors in their own words. Another SDK may do without
that name: then nothing changes.
"""

from __future__ import annotations

import sys
import traceback
from types import ModuleType

_SERVER = "pulumi.dynamic.__main__"


class _ShortTracebacks:
    """Stands in for the module `traceback`, for errors of one class."""

    def __init__(self, kind: type[Exception]) -> None:
        self._kind = kind

    def format_exc(self) -> str:
        """Return the error in progress: in its own words, or with its traceback."""
        error = sys.exc_info()[1]
        return str(error) if isinstance(error, self._kind) else traceback.format_exc()

    def __getattr__(self, name: str) -> object:
        return getattr(traceback, name)


def answer_in_words(kind: type[Exception], module: ModuleType | None = None) -> None:
    """Have the provider server of this process answer with an error's own words.

    Args:
        kind: The errors that are worded for people.
        module: The server's module; that of this process if not given.
    """
    server = module or sys.modules["__main__"]
    spec = getattr(server, "__spec__", None)
    if spec is not None and spec.name == _SERVER and hasattr(server, "traceback"):
        server.traceback = _ShortTracebacks(kind)  # type: ignore[attr-defined]
