"""The command lines by which the JobManager and the TaskManagers are started."""

from __future__ import annotations

import os
import secrets
import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.local.configuration import (
    job_manager_options,
    logging_file,
    task_manager_options,
)
from flink_jobs_provider.local.errors import LocalClusterError
from flink_jobs_provider.local.java import Java
from flink_jobs_provider.local.processes import ClusterProcess


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int) -> None:
    """Raise if something listens on the port."""
    with socket.socket() as probe:
        # As Flink does: a port whose last connections only linger is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalClusterError(
                f"Port {port} cannot be used: {error.strerror}.",
                now="Nothing was started.",
                advice="Choose another with --port; 0 takes any free one.",
            ) from error


_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

# A small cluster on a shared machine: a quick start and little memory before peak throughput.
# The timers of the actor systems (Pekko, before Flink 1.18 Akka) tick each 10 ms by default. With
# 50 ms an idle JobManager and TaskManager take half the CPU (measured on Flink 2.3.0: 1.2 % of a
# core instead of 2.3 %), and what is timed is late by no more than that.
_SMALL = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dpekko.scheduler.tick-duration=50ms",
    "-Dakka.scheduler.tick-duration=50ms",
]


@dataclass(frozen=True)
class Launcher:
    """Starts the processes of one cluster from one Flink with one Java."""

    flink_home: Path
    java: Java
    configuration: Mapping[str, str]

    def refuse_unreadable_options(self) -> None:
        """Raise for a memory size or an option of the JVM that cannot be read."""
        job_manager_options(self.configuration)
        task_manager_options(self.configuration)
        for role in ("jobmanager", "taskmanager"):
            self._given_options(role)

    def start_job_manager(self, process: ClusterProcess) -> None:
        """Start the JobManager."""
        self._start(
            process,
            [*job_manager_options(self.configuration), *self._given_options("jobmanager")],
            [_JOB_MANAGER, "--configDir", str(process.layout.conf), "--executionMode", "cluster"],
        )

    def start_task_manager(self, process: ClusterProcess, slots: int) -> None:
        """Start a TaskManager under an id of its own, by which its registration is recognised."""
        settings = {
            "taskmanager.resource-id": f"{process.role}-{secrets.token_hex(4)}",
            "taskmanager.numberOfTaskSlots": str(slots),
            "taskmanager.cpu.cores": str(slots),
        }
        self._start(
            process,
            [*task_manager_options(self.configuration), *self._given_options("taskmanager")],
            [_TASK_MANAGER, "--configDir", str(process.layout.conf)]
            + [word for key, value in settings.items() for word in ("-D", f"{key}={value}")],
        )

    def _given_options(self, role: str) -> list[str]:
        """Return the options of the JVM in the configuration, which Flink's own scripts read."""
        words: list[str] = []
        for key in ("env.java.opts.all", f"env.java.opts.{role}"):
            value = self.configuration.get(key, "")
            try:
                words += shlex.split(value)
            except ValueError as error:
                raise LocalClusterError(
                    f"'{key}' is '{value}': {error}.",
                    now="Nothing was started.",
                    advice="Give options of the JVM, parted by blanks.",
                ) from error
        return words

    def _start(self, process: ClusterProcess, options: list[str], program: list[str]) -> None:
        jars = sorted(str(jar) for jar in (self.flink_home / "lib").glob("*.jar"))
        command = [
            str(self.java.program),
            *process.marks,
            f"-Dlog.file={process.log}",
            f"-Dlog4j.configurationFile={logging_file(process.layout.conf).as_uri()}",
            *_SMALL,
            *self.java.module_options,
            *options,
            "-cp",
            os.pathsep.join(jars),
            *program,
        ]
        environment = {
            **os.environ,
            "FLINK_CONF_DIR": str(process.layout.conf),
            "FLINK_LIB_DIR": str(self.flink_home / "lib"),
            "FLINK_OPT_DIR": str(self.flink_home / "opt"),
            "FLINK_PLUGINS_DIR": str(self.flink_home / "plugins"),
        }
        process.start(command, environment)
