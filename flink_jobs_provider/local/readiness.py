"""Wait until all of a cluster is there, or until it is clear that it will not be."""

from __future__ import annotations

import time

from flink_jobs_provider.local.errors import LocalClusterError
from flink_jobs_provider.local.layout import Layout
from flink_jobs_provider.local.observation import ClusterStatus, observe
from flink_jobs_provider.local.processes import ClusterProcess
from flink_jobs_provider.local.settings import Settings
from flink_jobs_provider.model.errors import Signal

_PORT_TAKEN = ("BindException", "Address already in use", "Could not start rest endpoint")


class ProcessEnded(Signal):
    """A process of the cluster ended before the cluster was ready."""

    def __init__(self, process: ClusterProcess) -> None:
        super().__init__(process.role)
        self.role = process.role
        self.log = process.last_lines()
        self.port_was_taken = any(words in process.last_lines(60) for words in _PORT_TAKEN)

    def explained(self, now: str, advice: str) -> LocalClusterError:
        """Make the error that says what follows from it."""
        return LocalClusterError(
            f"The {self.role} ended while the cluster was starting.",
            now=now,
            advice=f"{advice} The end of its log is below.",
            details=self.log,
        )


def wait_until_ready(layout: Layout, settings: Settings, timeout: float) -> ClusterStatus:
    """Return once the REST API answers and every slot is registered.

    Raises ProcessEnded as soon as a process is gone, and LocalClusterError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        status = observe(layout, settings)
        if status.state == "running":
            return status
        for process in status.processes:
            if process.pid is None:
                raise ProcessEnded(ClusterProcess(layout, process.role))
        if time.monotonic() > deadline:
            late = next((p.role for p in status.processes if not p.registered), "jobmanager")
            raise LocalClusterError(
                f"The {late} was not ready after {timeout:g} seconds.",
                now="The processes were left running.",
                advice="`up` again waits on, `down` ends them. The end of its log is below.",
                details=ClusterProcess(layout, late).last_lines(),
            )
        time.sleep(0.05)
