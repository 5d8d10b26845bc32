"""The directory of a local cluster: its paths, its lock, and the error of what fails in it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from flink_jobs_provider.model.errors import SetupError


class LocalClusterError(SetupError):
    """What happened, how things stand now, and what to do, one sentence each.

    Everything that a user or a machine can bring about is raised as this; anything else that
    leaves this package is a defect of it.
    """

    def __init__(self, what: str, *, now: str, advice: str, details: str = "") -> None:
        super().__init__(f"{what} {now} {advice}")
        self.what = what
        self.now = now
        self.advice = advice
        self.details = details
        """Lines of a log or of another program's output, to be shown below the message."""


Report: TypeAlias = Callable[[str], None]
"""Takes what is being done now, as a short phrase without a full stop."""


def silent(step: str) -> None:
    """Show nothing."""


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


class Layout:
    """The paths under a cluster's directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        #: What the cluster was last started with.
        self.settings = root / "cluster.json"
        #: Locked by whoever starts or stops it.
        self.lock = root / ".flink-jobs.lock"
        #: Flink's configuration directory.
        self.conf = root / "conf"
        #: Logs (`.log`) and what the processes print (`.out`).
        self.logs = root / "log"
        #: The process id of each process.
        self.pids = root / "run"
        #: Uploaded jars; they survive a restart of the JobManager.
        self.uploads = root / "uploads"
        #: Savepoints for which no directory is named.
        self.savepoints = root / "savepoints"
        self.checkpoints = root / "checkpoints"
        #: Temporary files of the processes, emptied at each start.
        self.scratch = root / "tmp"
        self._directories = (
            *(self.conf, self.logs, self.pids, self.uploads),
            *(self.savepoints, self.checkpoints, self.scratch),
        )

    @property
    def is_known(self) -> bool:
        """Whether the directory is, or was, a cluster's."""
        return self.lock.exists() or self.settings.exists()

    def refuse_foreign(self) -> None:
        """Raise if the directory holds something that no cluster put there."""
        if self.root.is_dir() and any(self.root.iterdir()) and not self.is_known:
            raise LocalClusterError(
                f"{self.root} is not empty, and no cluster's directory.",
                now="Nothing was started, and nothing in it was touched.",
                advice="Choose a new directory with --directory.",
            )
        # Flink takes these as the ends of a path in lists of directories.
        if any(sign in str(self.root) for sign in ",:|"):
            raise LocalClusterError(
                f"Flink cannot work in {self.root}: a comma, colon or bar is in its path.",
                now="Nothing was started.",
                advice="Choose another directory with --directory.",
            )

    def create(self) -> None:
        """Make the directories."""
        for directory in self._directories:
            directory.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove what `create` and the cluster made, and nothing else that lies there."""
        for directory in self._directories:
            shutil.rmtree(directory, ignore_errors=True)
        self.settings.unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)
        if not any(self.root.iterdir()):
            self.root.rmdir()
