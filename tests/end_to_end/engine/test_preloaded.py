"""A command that is forked off a preloaded process is seen as one that starts afresh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import preloaded

#: Programs, and what they show.
PROGRAMS = {
    "streams": "import sys; print('out'); print('err', file=sys.stderr)",
    "exit code": "import sys; sys.exit(3)",
    "exit message": "import sys; sys.exit('no')",
    "exception": "print('before'); raise ValueError('no')",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "interrupt": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)",
    "exit handler": "import atexit; atexit.register(print, 'bye')",
    "thread": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "arguments": "import sys; print(sys.argv)",
    "environment": "import os; print(sorted(os.environ.items()))",
    "path": "import sys; print(sys.path[:3], 'marked' in sys.path)",
    "directory": "import os, sys; print(os.getcwd(), sys.path[0])",
    "standard input": "import sys; print(repr(sys.stdin.read()), sys.stdin.isatty())",
    "main": "import __main__; x = 1; print(__main__.x, __name__)",
    "session": "import os; print(os.getsid(0) == os.getsid(os.getppid()))",
    "signals": "import signal; print(signal.getsignal(signal.SIGINT).__name__, "
    "signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGPIPE))",
}


@pytest.mark.skipif(sys.platform != "linux", reason="commands are forked off on Linux alone")
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_both_are_seen_alike(program: str, tmp_path: Path) -> None:
    """Shows it of the exit code, of what is written, and of what a command knows of itself."""
    command = [sys.executable, "-c", program, "one", "two words"]
    environment = {**os.environ, "MARKER": "x", "PYTHONPATH": "marked"}
    fresh = subprocess.run(
        command,
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    forked = preloaded.start(command, environment, tmp_path)
    assert forked is not None
    out, err = forked.communicate(60)
    assert (forked.returncode, out, err) == (fresh.returncode, fresh.stdout, fresh.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="commands are forked off on Linux alone")
def test_a_command_is_waited_for_and_ended(tmp_path: Path) -> None:
    """Shows a time-out, a signal, and the code that follows."""
    command = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    forked = preloaded.start(command, os.environ, tmp_path)
    assert forked is not None
    with pytest.raises(subprocess.TimeoutExpired):
        forked.communicate(1)
    assert forked.poll() is None
    forked.kill()
    assert forked.communicate(60) == ("up\n", "")
    assert forked.wait() == forked.poll() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="commands are forked off on Linux alone")
def test_a_command_ignores_interrupts_where_a_fresh_one_would(tmp_path: Path) -> None:
    """Shows it after the first process was started, which may have been otherwise."""
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    command = [sys.executable, "-c", program]
    seen = []
    before = signal.getsignal(signal.SIGINT)
    for handler in (signal.default_int_handler, signal.SIG_IGN, signal.default_int_handler):
        signal.signal(signal.SIGINT, handler)
        try:
            forked = preloaded.start(command, os.environ, tmp_path)
            assert forked is not None
            seen.append(forked.communicate(60)[0].strip())
        finally:
            signal.signal(signal.SIGINT, before)
    assert seen == ["False", "True", "False"]
