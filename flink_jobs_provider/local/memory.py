"""How much memory the processes get: enough for many small jobs, little for a laptop.

Flink's own scripts compute the options of the JVM from the configuration; there are no scripts in
the package, so every size is stated here, and the options follow from the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from flink_jobs_provider.local.errors import LocalClusterError

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
