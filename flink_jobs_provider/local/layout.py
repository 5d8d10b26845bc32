"""Where the files of one local cluster lie, under the one directory that is its identity."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from flink_jobs_provider.local.errors import LocalClusterError


@dataclass(frozen=True)
class Layout:
    """The paths under a cluster's directory."""

    root: Path

    @property
    def settings(self) -> Path:
        """What the cluster was last started with."""
        return self.root / "cluster.json"

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops it."""
        return self.root / ".flink-jobs.lock"

    @property
    def conf(self) -> Path:
        """Flink's configuration directory."""
        return self.root / "conf"

    @property
    def logs(self) -> Path:
        """Logs (`.log`) and what the processes print (`.out`)."""
        return self.root / "log"

    @property
    def pids(self) -> Path:
        """The process id of each process."""
        return self.root / "run"

    @property
    def uploads(self) -> Path:
        """Uploaded jars; they survive a restart of the JobManager."""
        return self.root / "uploads"

    @property
    def savepoints(self) -> Path:
        """Where savepoints go that name no directory."""
        return self.root / "savepoints"

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints go."""
        return self.root / "checkpoints"

    @property
    def scratch(self) -> Path:
        """Temporary files of the processes, emptied at each start."""
        return self.root / "tmp"

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
        for directory in self._directories():
            directory.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove what `create` and the cluster made, and nothing else that lies there."""
        for directory in self._directories():
            shutil.rmtree(directory, ignore_errors=True)
        self.settings.unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)
        if not any(self.root.iterdir()):
            self.root.rmdir()

    def _directories(self) -> tuple[Path, ...]:
        return (
            self.conf,
            self.logs,
            self.pids,
            self.uploads,
            self.savepoints,
            self.checkpoints,
            self.scratch,
        )
