"""A command of `flink-jobs` on a terminal, as somebody sees it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

_PROGRAM = "from flink_jobs_provider.cli import main; main()"


class Terminal:
    """A command that runs on a terminal.

    Attributes:
        seen: All that it printed so far.
    """

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process = process
        self._screen = screen
        self.seen = ""

    def read_until(self, done: Callable[[str], object], timeout: float = 60) -> None:
        """Read what it prints until there is enough of it, or it has ended."""
        deadline = time.monotonic() + timeout
        while not done(self.seen):
            assert time.monotonic() < deadline, self.seen
            if select.select([self._screen], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._screen, 4096).decode(errors="replace")
                except OSError:  # the other end is closed
                    break

    def interrupt(self) -> int:
        """Press Ctrl-C; return its exit code."""
        self._process.send_signal(signal.SIGINT)
        self.read_until(lambda _seen: self._process.poll() is not None)
        return self._process.wait(10)


@contextmanager
def on_a_terminal(words: list[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a command on a terminal with 160 columns; see that it has ended."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "160", "LINES": "40", "TERM": "xterm", **environment},
        start_new_session=True,
        # A test run in the background ignores interrupts, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
