"""A gateway for the cluster: one more process in its directory, ended with it."""

from __future__ import annotations

import os
import select
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psutil

from flink_jobs_provider.local.errors import LocalClusterError, Report, silent
from flink_jobs_provider.local.layout import Layout
from flink_jobs_provider.local.locking import exclusive
from flink_jobs_provider.local.processes import GATEWAY, ClusterProcess, end

_COMMAND = "from flink_jobs_provider.cli import main; main()"


class LocalGateway:
    """The gateway of a local cluster.

    Args:
        directory: The cluster's.
        report: Receives each step.
    """

    def __init__(self, directory: Path, report: Report = silent) -> None:
        self._layout = Layout(directory.expanduser().resolve())
        self._process = ClusterProcess(self._layout, GATEWAY)
        self._report = report

    def up(self, configuration: Path, timeout: float = 60) -> Literal["already up", "started"]:
        """Start it, unless it runs, and wait until it serves.

        Args:
            configuration: The gateway's file.
            timeout: Seconds.

        Raises:
            LocalClusterError: It ended, is not ready in time, or runs with another file.
        """
        configuration = configuration.resolve()
        self._layout.refuse_foreign()
        with exclusive(self._layout.lock, "another command on this cluster", self._report):
            running = self._process.find()
            if running is not None:
                self._refuse_another(running, configuration)
                return "already up"
            self._report("Starting the gateway")
            self._layout.create()
            self._start(configuration, timeout)
            return "started"

    def _start(self, configuration: Path, timeout: float) -> None:
        # -X takes any text: it carries the marks by which the process is found again.
        marks = [word for mark in self._process.marks for word in ("-X", mark)]
        words = ["gateway", "serve", "--config", str(configuration)]
        with _readiness() as ready:
            environment = {**os.environ, "NOTIFY_SOCKET": ready.getsockname()}
            self._process.start([sys.executable, *marks, "-c", _COMMAND, *words], environment)
            deadline = time.monotonic() + timeout
            while not _reported_ready(ready):
                if self._process.find() is None:
                    self._process.pid_file.unlink(missing_ok=True)
                    raise LocalClusterError(
                        "The gateway ended while it was starting.",
                        now="The cluster was left running.",
                        advice="Fix the cause and run `up` again. Its last lines are below.",
                        details=self._process.last_lines(),
                    )
                if time.monotonic() > deadline:
                    end([self._process])
                    raise LocalClusterError(
                        f"The gateway was not ready after {timeout:g} seconds.",
                        now="It was ended; the cluster was left running.",
                        advice="Its last lines are below.",
                        details=self._process.last_lines(),
                    )

    def _refuse_another(self, running: psutil.Process, configuration: Path) -> None:
        words = running.cmdline()
        if str(configuration) not in words:
            raise LocalClusterError(
                f"The gateway of {self._layout.root} already runs with {words[-1]}.",
                now="It was left running as it is.",
                advice="Run `down` first to change it.",
            )


@contextmanager
def _readiness() -> Iterator[socket.socket]:
    """Open a socket for the message by which a service reports that it is ready (sd_notify(3))."""
    # Not in the cluster's directory: a socket's path may have 107 bytes at most.
    with (
        tempfile.TemporaryDirectory(prefix="flink-jobs-") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready,
    ):
        ready.bind(f"{directory}/ready")
        yield ready


def _reported_ready(ready: socket.socket) -> bool:
    """Wait for up to a tenth of a second."""
    readable, _, _ = select.select([ready], [], [], 0.1)
    return bool(readable) and b"READY=1" in ready.recv(4096).splitlines()
