"""The configuration that Flink reads, and the command lines that start its processes.

The memory is enough for many small jobs, and little for a laptop. Flink's own scripts compute the
options of the JVM from the configuration; there are no scripts in the package, so every size is
stated here, and the options follow from the configuration.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.local.packages import Java
from flink_jobs_provider.local.processes import ClusterProcess
from flink_jobs_provider.local.settings import FlinkVersion, Layout, LocalClusterError, Settings
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION

# Network buffers are 32 KiB: 128 MiB are 4096 of them, enough for dozens of small jobs.
JOB_MANAGER_MEMORY = {
    "jobmanager.memory.heap.size": "384m",
    "jobmanager.memory.off-heap.size": "128m",
    "jobmanager.memory.jvm-metaspace.size": "256m",
    "jobmanager.memory.jvm-overhead.min": "192m",
    "jobmanager.memory.jvm-overhead.max": "192m",
}
TASK_MANAGER_MEMORY = {
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.task.heap.size": "384m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.off-heap.size": "0m",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.managed.size": "128m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
}


def job_manager_options(configuration: Mapping[str, str]) -> list[str]:
    """Return the JVM's memory options for the JobManager."""
    prefix = "jobmanager.memory."
    heap = _mebibytes(configuration, f"{prefix}heap.size")
    return [
        f"-Xmx{heap}m",
        f"-XX:MaxDirectMemorySize={_mebibytes(configuration, f'{prefix}off-heap.size')}m",
        f"-XX:MaxMetaspaceSize={_mebibytes(configuration, f'{prefix}jvm-metaspace.size')}m",
    ]


def task_manager_options(configuration: Mapping[str, str]) -> list[str]:
    """Return the JVM's memory options for a TaskManager."""

    def size(*names: str) -> int:
        return sum(_mebibytes(configuration, f"taskmanager.memory.{name}") for name in names)

    heap = size("framework.heap.size", "task.heap.size")
    direct = size("framework.off-heap.size", "task.off-heap.size", "network.max")
    return [
        f"-Xmx{heap}m",
        f"-XX:MaxDirectMemorySize={direct}m",
        f"-XX:MaxMetaspaceSize={size('jvm-metaspace.size')}m",
    ]


def _mebibytes(configuration: Mapping[str, str], key: str) -> int:
    match = re.fullmatch(r"(\d+) *(m|mb|g|gb)", configuration[key].strip().lower())
    if match is None:
        raise LocalClusterError(
            f"'{key}' is '{configuration[key]}'.",
            now="Nothing was started.",
            advice="Give the size in megabytes or gigabytes, such as 512m or 1g.",
        )
    return int(match[1]) * (1024 if match[2].startswith("g") else 1)


_LOOPBACK = "127.0.0.1"

_LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = File
appender.file.name = File
appender.file.type = RollingFile
appender.file.append = true
appender.file.fileName = ${sys:log.file}
appender.file.filePattern = ${sys:log.file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
"""


def flink_configuration(settings: Settings, layout: Layout, java_release: int) -> dict[str, str]:
    """Return every Flink setting of a cluster; what the user gave wins.

    Addresses are loopback only. Checkpoints are retained, so that a job which is cancelled goes on
    from its last one. What decides how quickly a job's state shows is left at Flink's defaults, so
    that a local cluster behaves as any other.
    """
    # Not as_uri(): Flink takes a path as it is written, and would keep a %20.
    savepoints, checkpoints = f"file://{layout.savepoints}", f"file://{layout.checkpoints}"
    return {
        "rest.address": _LOOPBACK,
        "rest.bind-address": _LOOPBACK,
        "rest.port": str(settings.port),
        "rest.bind-port": str(settings.port),
        "jobmanager.rpc.address": _LOOPBACK,
        "jobmanager.bind-host": _LOOPBACK,
        "jobmanager.rpc.port": str(settings.rpc_port),
        "taskmanager.host": _LOOPBACK,
        "taskmanager.bind-host": _LOOPBACK,
        "parallelism.default": "1",
        "web.upload.dir": str(layout.uploads),
        "web.tmpdir": str(layout.scratch),
        "io.tmp.dirs": str(layout.scratch),
        "blob.storage.directory": str(layout.scratch),
        # The names of these two changed in Flink 2; each version passes over the other's.
        "state.savepoints.dir": savepoints,
        "state.checkpoints.dir": checkpoints,
        "execution.checkpointing.savepoint-dir": savepoints,
        "execution.checkpointing.dir": checkpoints,
        RETENTION: RETAINED,
        **_exits(java_release),
        **JOB_MANAGER_MEMORY,
        **TASK_MANAGER_MEMORY,
        **settings.configuration,
    }


def _exits(java_release: int) -> dict[str, str]:
    """Make System.exit in a program's main fail there, rather than end the JobManager.

    Flink does so by a security manager, which Java 24 has no more.
    """
    return {"cluster.intercept-user-system-exit": "THROW"} if java_release < 24 else {}


def write_configuration(
    directory: Path, flink: FlinkVersion, configuration: Mapping[str, str]
) -> None:
    """Write the configuration directory of a cluster, under the file names this Flink reads."""
    # A JSON string is a YAML string; the flat format of old takes everything after the colon.
    write = json.dumps if flink.configuration_file == "config.yaml" else str
    lines = [f"{key}: {write(value)}\n" for key, value in sorted(configuration.items())]
    (directory / flink.configuration_file).write_text("".join(lines), encoding="utf-8")
    for other in {"config.yaml", "flink-conf.yaml"} - {flink.configuration_file}:
        (directory / other).unlink(missing_ok=True)
    logging_file(directory).write_text(_LOGGING, encoding="utf-8")


def logging_file(directory: Path) -> Path:
    """Return the logging configuration's path in a configuration directory."""
    return directory / "log4j.properties"


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
