"""A Flink session cluster on the loopback interface, kept in a directory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from flink_jobs_provider.local.configuration import flink_configuration, write_configuration
from flink_jobs_provider.local.errors import LocalClusterError, Report, silent
from flink_jobs_provider.local.java import Java, find_java
from flink_jobs_provider.local.launch import Launcher, free_port, require_free
from flink_jobs_provider.local.layout import Layout
from flink_jobs_provider.local.locking import exclusive
from flink_jobs_provider.local.observation import (
    ClusterStatus,
    ProcessEnded,
    observe,
    wait_until_ready,
)
from flink_jobs_provider.local.packages import fetch_flink
from flink_jobs_provider.local.processes import (
    ClusterProcess,
    end,
    end_strays,
    flink_processes_in,
    processes_in,
)
from flink_jobs_provider.local.settings import (
    Request,
    Settings,
    chosen_port,
    differences,
    new_settings,
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
        would take up to a minute to notice the new one (heartbeat.timeout; measured: 50 s).
        """
        if ClusterProcess(self.layout, "jobmanager").find() is None:
            end(flink_processes_in(self.layout))
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
