"""A Flink session cluster on the loopback interface and its gateway, kept in a directory."""

from __future__ import annotations

import os
import select
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from flink_jobs_provider.local.cluster_status import (
    ClusterStatus,
    ProcessEnded,
    observe,
    wait_until_ready,
)
from flink_jobs_provider.local.launch import (
    Launcher,
    flink_configuration,
    free_port,
    require_free,
    write_configuration,
)
from flink_jobs_provider.local.packages import Java, fetch_flink, find_java
from flink_jobs_provider.local.processes import (
    GATEWAY,
    ClusterProcess,
    end,
    end_strays,
    flink_processes_in,
    processes_in,
)
from flink_jobs_provider.local.settings import (
    Layout,
    LocalClusterError,
    Report,
    Request,
    Settings,
    chosen_port,
    differences,
    exclusive,
    new_settings,
    silent,
    wanted_version,
)

Outcome = Literal["already up", "repaired", "started"]


class Up(NamedTuple):
    """What `up` did, and what is there now."""

    outcome: Outcome
    status: ClusterStatus


class LocalCluster:
    """The cluster in a directory; the directory is its identity, and holds all that it keeps."""

    def __init__(self, directory: Path, report: Report = silent) -> None:
        self.layout = Layout(directory.expanduser().resolve())
        self._report = report

    def status(self) -> ClusterStatus:
        """Return what runs of the cluster."""
        with self._disk_errors():
            return observe(self.layout, Settings.load(self.layout.settings))

    def up(self, request: Request | None = None, timeout: float = 120) -> Up:
        """Start what of the cluster does not run, and wait until all its slots are there.

        What already runs is left alone; if it is not what is asked for, that is an error. `timeout`
        is in seconds, and does not count the time to fetch packages.
        """
        request = request or Request()
        request.refuse_nonsense()
        with self._disk_errors():
            self.layout.refuse_foreign()
        with self._alone():
            recorded = Settings.load(self.layout.settings)
            before = observe(self.layout, recorded)
            if recorded is None or before.state in ("absent", "stopped"):
                return Up("started", self._start(request, recorded, timeout))
            self._refuse_differences(request, recorded)
            if before.state == "running":
                return Up("already up", before)
            return Up("repaired", self._repair(recorded, timeout))

    def up_gateway(
        self, configuration: Path, timeout: float = 60
    ) -> Literal["already up", "started"]:
        """Start a gateway with a configuration file, unless it runs, and wait until it serves.

        Raises:
            LocalClusterError: It ended, is not ready in `timeout` seconds, or has another file.
        """
        configuration = configuration.resolve()
        process = ClusterProcess(self.layout, GATEWAY)
        with self._disk_errors():
            self.layout.refuse_foreign()
        with exclusive(self.layout.lock, "another command on this cluster", self._report):
            if running := process.find():
                words = running.cmdline()
                if str(configuration) in words:
                    return "already up"
                raise LocalClusterError(
                    f"The gateway of {self.layout.root} already runs with {words[-1]}.",
                    now="It was left running as it is.",
                    advice="Run `down` first to change it.",
                )
            self._report("Starting the gateway")
            self.layout.create()
            _start_gateway(process, configuration, timeout)
            return "started"

    def down(self, *, purge: bool = False) -> list[str]:
        """End the cluster's processes and return their names; with `purge` remove its data too.

        Savepoints, checkpoints, logs and uploaded jars stay otherwise.
        """
        if not self.layout.is_known:
            return end_strays(self.layout)
        with self._alone():
            ended = end(processes_in(self.layout)) + end_strays(self.layout)
            if purge:
                self.layout.remove()
        return ended

    def _start(self, request: Request, recorded: Settings | None, timeout: float) -> ClusterStatus:
        """Start all of the cluster; if that fails, nothing of it runs and nothing is recorded."""
        # Of an earlier, larger cluster, or of one whose directory was removed under it.
        end(flink_processes_in(self.layout))
        if end_strays(self.layout):
            self._report("Ended processes that were left over in this directory")
        flink = wanted_version(request, recorded)
        port = chosen_port(request, recorded)
        if port:
            require_free(port)
        java = find_java(flink, self._report)
        flink_home = fetch_flink(flink.text, self._report)
        for attempts_left in (2, 1, 0):
            settings = new_settings(
                request,
                recorded,
                version=flink.text,
                port=port or free_port(),
                rpc_port=free_port(),
                java=str(java),
            )
            launcher = self._prepare(settings, flink_home, java)
            shutil.rmtree(self.layout.scratch, ignore_errors=True)
            self.layout.create()
            settings.save(self.layout.settings)
            try:
                return self._complete(settings, launcher, timeout)
            except ProcessEnded as event:
                end(flink_processes_in(self.layout))
                # Another program can take a free port between our check and Flink's use of it.
                if event.port_was_taken and attempts_left:
                    continue
                self._record_again(recorded)
                raise event.explained(
                    "Nothing of it runs now.", "Fix the cause and run `up` again."
                ) from None
        raise AssertionError("the last attempt returns or raises")

    def _repair(self, settings: Settings, timeout: float) -> ClusterStatus:
        """Start what is missing of a cluster that partly runs, and leave the rest alone.

        Without a JobManager there is no rest: what the task managers ran is lost with it, and they
        would take up to a minute to notice the new one (heartbeat.timeout; measured: 50 s). Another
        program may have its port for them meanwhile, so that it gets a new one.
        """
        if ClusterProcess(self.layout, "jobmanager").find() is None:
            end(flink_processes_in(self.layout))
            settings = settings.model_copy(update={"rpc_port": free_port()})
            settings.save(self.layout.settings)
        java = find_java(settings.flink, self._report)
        flink_home = fetch_flink(settings.version, self._report)
        try:
            return self._complete(settings, self._prepare(settings, flink_home, java), timeout)
        except ProcessEnded as event:
            raise event.explained(
                "What else ran of the cluster was left running.",
                "`up` tries again, `down` ends the rest.",
            ) from None

    def _prepare(self, settings: Settings, flink_home: Path, java: Java) -> Launcher:
        """Write the configuration; no process is touched."""
        configuration = flink_configuration(settings, self.layout, java.release)
        launcher = Launcher(flink_home, java, configuration)
        launcher.refuse_unreadable_options()
        self.layout.create()
        write_configuration(self.layout.conf, settings.flink, configuration)
        return launcher

    def _complete(self, settings: Settings, launcher: Launcher, timeout: float) -> ClusterStatus:
        """Start the processes that do not run, and wait until all of them are there."""
        self._report(f"Starting Flink {settings.version} on {launcher.java}")
        job_manager, *task_managers = (ClusterProcess(self.layout, r) for r in settings.roles)
        if job_manager.find() is None:
            launcher.start_job_manager(job_manager)
        for process, slots in zip(task_managers, settings.slots_of_each, strict=True):
            if process.find() is None:
                launcher.start_task_manager(process, slots)
        return wait_until_ready(self.layout, settings, timeout)

    def _record_again(self, recorded: Settings | None) -> None:
        """Forget settings that a cluster could not be started with."""
        if recorded is None:
            self.layout.settings.unlink(missing_ok=True)
        else:
            recorded.save(self.layout.settings)

    def _refuse_differences(self, request: Request, recorded: Settings) -> None:
        found = differences(request, recorded)
        if found:
            raise LocalClusterError(
                f"The cluster in {self.layout.root} already runs with {'; '.join(found)}.",
                now="It was left running as it is.",
                advice="Run `down` first to change it, or choose another --directory.",
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (
            self._disk_errors(),
            exclusive(self.layout.lock, "another command on this cluster", self._report),
        ):
            yield

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LocalClusterError(
                f"{error.filename or self.layout.root}: {error.strerror}.",
                now="The cluster's directory could not be used.",
                advice="Make it readable and writable, or choose another with --directory.",
            ) from error


_GATEWAY_COMMAND = "from flink_jobs_provider.cli import main; main()"


def _start_gateway(process: ClusterProcess, configuration: Path, timeout: float) -> None:
    # -X takes any text: it carries the marks by which the process is found again.
    marks = [word for mark in process.marks for word in ("-X", mark)]
    words = ["gateway", "serve", "--config", str(configuration)]
    with _readiness() as ready:
        environment = {**os.environ, "NOTIFY_SOCKET": ready.getsockname()}
        process.start([sys.executable, *marks, "-c", _GATEWAY_COMMAND, *words], environment)
        deadline = time.monotonic() + timeout
        while not _reported_ready(ready):
            if process.find() is None:
                process.pid_file.unlink(missing_ok=True)
                raise LocalClusterError(
                    "The gateway ended while it was starting.",
                    now="The cluster was left running.",
                    advice="Fix the cause and run `up` again. Its last lines are below.",
                    details=process.last_lines(),
                )
            if time.monotonic() > deadline:
                end([process])
                raise LocalClusterError(
                    f"The gateway was not ready after {timeout:g} seconds.",
                    now="It was ended; the cluster was left running.",
                    advice="Its last lines are below.",
                    details=process.last_lines(),
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
