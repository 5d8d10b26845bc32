"""The disks that an accepted action is written to: its jar, and the records if they are a file."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from flink_jobs_provider.gateway.jobs.threads import Threads

#: Bytes that must be free: room for the records of many actions, and for a jar.
LEAST_FREE = 64 << 20
_PROBE = b"\0" * 4096


class Disks:
    """Some directories that must be writable.

    Args:
        directories: The directories; those on one file system count once.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self._directories = list(dict.fromkeys(directories))
        self._threads = Threads(1, "disks")

    async def problems(self) -> list[str]:
        """Return what keeps the directories from being written to, a sentence each."""
        return await self._threads.call(self._look)

    async def close(self) -> None:
        """Stop; a disk that hangs is not waited for."""
        await self._threads.close(0)

    def _look(self) -> list[str]:
        found = (_problem(directory) for directory in self._directories)
        return [problem for problem in found if problem]


def _problem(directory: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=directory, prefix=".ready-") as probe:
            probe.write(_PROBE)
            probe.flush()
            os.fsync(probe.fileno())
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return f"{directory} cannot be written to: {error.strerror or error}."
    if free < LEAST_FREE:
        return (
            f"The disk of {directory} is full: {free >> 20} MB are free, and {LEAST_FREE >> 20} MB "
            "are needed."
        )
    return ""
