"""The tests' side: one preloaded process for each test process, and commands forked off it."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NUMBER = struct.Struct("=i")
_SERVE = "from tests.preloaded.server import serve; serve({})"


class PreloadedCommand:
    """A running command: what tests use of `subprocess.Popen`.

    Args:
        args: Its command line.
        status: Where its pid is read, and its exit code when it has ended.
        out: Where what it writes is read; None where that goes to a file.
        err: The same, of its standard error.
    """

    def __init__(self, args: Sequence[str], status: int, out: int | None, err: int | None) -> None:
        self.args = args
        self.returncode: int | None = None
        self._status = status
        self._written: dict[int, bytearray] = {
            descriptor: bytearray() for descriptor in (out, err) if descriptor is not None
        }
        self._open = set(self._written)
        self.pid = self._number()

    def _number(self) -> int:
        data = os.read(self._status, _NUMBER.size)
        if len(data) < _NUMBER.size:
            raise RuntimeError("the process that commands are forked off has ended")
        number: int = _NUMBER.unpack(data)[0]
        return number

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return the exit code."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._status, selectors.EVENT_READ)
                if not selector.select(timeout):
                    return None
            self.returncode = self._number()
            os.close(self._status)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read what it writes until it has ended; return that of both streams."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            for descriptor in self._open:
                selector.register(descriptor, selectors.EVENT_READ)
            while self._open:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = selector.select(left)
                if not ready:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                for key, _ in ready:
                    if chunk := os.read(key.fd, 65536):
                        self._written[key.fd] += chunk
                    else:
                        selector.unregister(key.fd)
                        self._open.discard(key.fd)
                        os.close(key.fd)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        texts = [bytes(written).decode() for written in self._written.values()]
        out, err = [*texts, "", ""][:2]
        return out, err

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def start(
    args: Sequence[str],
    environment: Mapping[str, str],
    directory: Path | None = None,
    output: int | None = None,
) -> PreloadedCommand | None:
    """Start a command such as `(sys.executable, "-c", code, …)`.

    Args:
        args: The command line.
        environment: All of its environment.
        directory: Where it runs; else here.
        output: The file that both of its streams go to; else they are read by `communicate`.

    Returns:
        The command; None where the system cannot fork off commands safely.
    """
    if sys.platform != "linux":
        return None
    server = _server()
    status, status_end = os.pipe()
    out: int | None = None
    err: int | None = None
    if output is None:
        out, out_end = os.pipe()
        err, err_end = os.pipe()
    else:
        out_end, err_end = os.dup(output), os.dup(output)
    request = {
        "args": list(args),
        "environment": dict(environment),
        "directory": str(directory) if directory else os.getcwd(),
        "ignores_interrupts": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }
    ends = [out_end, err_end, status_end]
    try:
        socket.send_fds(server, [json.dumps(request).encode()], ends)
    finally:
        for descriptor in ends:
            os.close(descriptor)
    return PreloadedCommand(args, status, out, err)


@cache
def _server() -> socket.socket:
    """Start the process that commands are forked off; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for connection in (ours, theirs):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE.format(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait(60)

    atexit.register(end)
    return ours
