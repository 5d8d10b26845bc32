"""A Flink session cluster on the loopback interface, kept in a directory."""

from __future__ import annotations

import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple

from flink_jobs_provider.local.configuration import flink_configuration, write_configuration
from flink_jobs_provider.local.errors import LocalClusterError
from flink_jobs_provider.local.java import Java, find_java
from flink_jobs_provider.local.launch import Launcher
from flink_jobs_provider.local.layout import Layout
from flink_jobs_provider.local.locking import exclusive
from flink_jobs_provider.local.observation import ClusterStatus, observe
from flink_jobs_provider.local.packages import fetch_flink
from flink_jobs_provider.local.ports import free_port, require_free
from flink_jobs_provider.local.processes import ClusterProcess, end
from flink_jobs_provider.local.reporting import Report, silent
from flink_jobs_provider.local.settings import (
    Request,
    Settings,
    chosen_port,
    differences,
    new_settings,
    wanted_version,
)

Outcome = Literal["already up", "mended", "started"]


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
        """Look at the cluster, changing nothing."""
        return observe(self.layout, Settings.load(self.layout.settings))

    def up(self, request: Request | None = None, timeout: float = 120) -> Up:
        """Start what of the cluster does not run, and wait until all its slots are there.

        What already runs is left alone; if it is not what is asked for, that is an error. `timeout`
        is in seconds, and does not count the time to fetch packages.
        """
        request = request or Request()
        request.refuse_nonsense()
        with self._alone():
            recorded = Settings.load(self.layout.settings)
            before = observe(self.layout, recorded)
            if recorded is None or before.state in ("absent", "stopped"):
                return Up("started", self._start(request, recorded, timeout))
            self._refuse_differences(request, recorded)
            if before.state == "running":
                return Up("already up", before)
            launcher = self._prepare(recorded, find_java(recorded.flink, self._report))
            return Up("mended", self._complete(recorded, launcher, timeout))

    def down(self, *, purge: bool = False) -> list[str]:
        """End the cluster's processes and return their names; with `purge` remove its data too.

        Savepoints, checkpoints, logs and uploaded jars stay otherwise.
        """
        if not self.layout.root.exists():
            return []
        with self._alone():
            ended = end(self._processes(Settings.load(self.layout.settings)))
            if purge:
                self.layout.remove()
        return ended

    def _start(self, request: Request, recorded: Settings | None, timeout: float) -> ClusterStatus:
        flink = wanted_version(request, recorded)
        port = chosen_port(request, recorded)
        if port:
            require_free(port)
        java = find_java(flink, self._report)
        settings = new_settings(
            request,
            recorded,
            version=flink.text,
            port=port or free_port(),
            rpc_port=free_port(),
            java=str(java),
        )
        launcher = self._prepare(settings, java)
        # Task managers of an earlier, larger cluster must not outlive the record of them.
        end(self._processes(recorded))
        shutil.rmtree(self.layout.scratch, ignore_errors=True)
        self.layout.create()
        settings.save(self.layout.settings)
        return self._complete(settings, launcher, timeout)

    def _prepare(self, settings: Settings, java: Java) -> Launcher:
        """Fetch what is needed and write the configuration; no process is touched."""
        flink_home = fetch_flink(settings.version, self._report)
        configuration = flink_configuration(settings, self.layout)
        launcher = Launcher(flink_home, java, configuration)
        launcher.refuse_bad_sizes()
        self.layout.create()
        write_configuration(self.layout.conf, settings.flink, configuration)
        return launcher

    def _complete(self, settings: Settings, launcher: Launcher, timeout: float) -> ClusterStatus:
        """Start the processes that do not run, and wait until all of them are there."""
        processes = self._processes(settings)
        job_manager, *task_managers = processes
        if job_manager.find() is None:
            launcher.start_job_manager(job_manager)
        for process, slots in zip(task_managers, settings.slots_of_each, strict=True):
            if process.find() is None:
                launcher.start_task_manager(process, slots)
        self._report(f"Starting Flink {settings.version} on {launcher.java}")
        return self._wait(settings, processes, timeout)

    def _wait(
        self, settings: Settings, processes: list[ClusterProcess], timeout: float
    ) -> ClusterStatus:
        deadline = time.monotonic() + timeout
        while True:
            status = observe(self.layout, settings)
            if status.state == "running":
                return status
            for process, shown in zip(processes, status.processes, strict=True):
                if shown.pid is None:
                    raise LocalClusterError(
                        f"The {process.role} ended while the cluster was starting.",
                        now="The rest of the cluster was left as it is.",
                        advice="The end of its log is below; `down` ends what still runs.",
                        details=process.last_lines(),
                    )
            if time.monotonic() > deadline:
                late = next((p for p in status.processes if not p.registered), None)
                role = late.role if late else "jobmanager"
                raise LocalClusterError(
                    f"The {role} was not ready after {timeout:.0f} seconds.",
                    now="The processes were left running.",
                    advice="The end of its log is below; `up` again waits on, `down` ends them.",
                    details=ClusterProcess(self.layout, role).last_lines(),
                )
            time.sleep(0.05)

    def _refuse_differences(self, request: Request, recorded: Settings) -> None:
        found = differences(request, recorded)
        if found:
            raise LocalClusterError(
                f"The cluster in {self.layout.root} already runs with {'; '.join(found)}.",
                now="It was left running as it is.",
                advice="Run `down` first to change it, or choose another --directory.",
            )

    def _processes(self, settings: Settings | None) -> list[ClusterProcess]:
        """List the cluster's processes, with any that only their pid files still tell of."""
        roles = settings.roles if settings else []
        left = sorted(file.stem for file in self.layout.pids.glob("*.pid"))
        return [
            ClusterProcess(self.layout, role)
            for role in [*roles, *(role for role in left if role not in roles)]
        ]

    def _alone(self) -> AbstractContextManager[None]:
        return exclusive(self.layout.lock, "another command on this cluster", self._report)
