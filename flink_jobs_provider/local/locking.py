"""An exclusive lock on a directory, across processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flink_jobs_provider.local.errors import LocalClusterError, Report, silent


@contextmanager
def exclusive(lock_file: Path, waiting_for: str, report: Report = silent) -> Iterator[None]:
    """Lock `lock_file` for the duration of the block, waiting for whoever holds it.

    The operating system frees the lock when its holder dies, however it dies. `waiting_for` is
    reported when there is something to wait for.
    """
    if sys.platform == "win32":
        raise LocalClusterError(
            "A local Flink cluster needs Linux or macOS.",
            now="Nothing was started.",
            advice="On Windows, use it inside WSL.",
        )
    import fcntl

    while True:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report(f"Waiting for {waiting_for}")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_still(lock_file, descriptor):
                continue  # Its holder removed the file: what we hold locks nothing any more.
            yield
            return
        finally:
            os.close(descriptor)


def _is_still(lock_file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(lock_file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
