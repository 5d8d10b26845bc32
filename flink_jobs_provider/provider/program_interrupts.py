"""What a program prints when its engine interrupts it: nothing.

The Pulumi CLI ends a program by SIGINT once a resource of it has failed, and reports that failure
itself. Its host of Python programs is not prepared for it, so that Python prints the line that the
host was at: a traceback without a word on the program, before the errors (CLI 3.260).
"""

from __future__ import annotations

import sys
from types import TracebackType


def print_no_interrupts() -> None:
    """Print no traceback where an interrupt ends this process, unless others print exceptions.

    It ends as before: by the signal.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _print


def _print(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
