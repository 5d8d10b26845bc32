"""The configuration directory that Flink reads: its settings, and how it logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from flink_jobs_provider.local.flink_version import FlinkVersion
from flink_jobs_provider.local.layout import Layout
from flink_jobs_provider.local.memory import JOB_MANAGER_MEMORY, TASK_MANAGER_MEMORY
from flink_jobs_provider.local.settings import Settings
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION

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
    """Let System.exit in a program's main fail there, rather than end the JobManager.

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
    """Name the logging configuration in a configuration directory."""
    return directory / "log4j.properties"
