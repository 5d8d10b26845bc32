"""What the provider processes of one run declare: so that none ends a job of another's resource.

An engine starts a process for each kind of provider, and for each explicit instance of one. Where a
resource changes from one to the other without an alias, the new one's create finds the job running,
and the old one's delete, in another process, would cancel it.

Each process writes the jobs that the program declares by it, a line each, into a file in a
directory of its user. With it is how the job's cluster is reached, without any secret: two
addresses may lead to one cluster. What a process has written counts as long as it runs, which it
does until its run ends. Runs are told apart by the address of their engine.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import psutil

_OWN_USER_ONLY = 0o700
#: How far two readings of the time at which one process started may differ, in seconds.
_SAME_START = 0.05


@dataclass(frozen=True)
class Claim:
    """A job that a process declares by a resource, and its target as plain data."""

    place: str
    job_name: str
    resource: str
    target: dict[str, Any]

    def line(self) -> str:
        """Return it as a line of a file."""
        return json.dumps([self.place, self.job_name, self.resource, self.target]) + "\n"


class RunClaims:
    """The jobs that this process declares, and those of the other processes of its run.

    Args:
        engine: The address of the run's engine.
        directory: Where the files of all processes are; one of the user if none is given.

    Raises:
        OSError: The directory cannot be used, or is not the user's own.
    """

    def __init__(self, engine: str, directory: Path | None = None) -> None:
        self._directory = directory or _directory()
        self._run = hashlib.sha256(engine.encode()).hexdigest()[:16]
        self._file = self._directory / f"{self._run}-{os.getpid()}-{psutil.Process().create_time()}"
        self._own: set[tuple[str, str]] = set()
        self._read: dict[str, tuple[int, dict[str, list[Claim]]]] = {}
        self._lock = Lock()

    def add(self, claim: Claim) -> None:
        """Write down that the program declares a job by a resource."""
        job = claim.place, claim.job_name
        with self._lock:
            if job in self._own:
                return
            if not self._own:
                atexit.register(self.close)
            self._own.add(job)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(claim.line())

    def of_others(self, job_name: str) -> list[Claim]:
        """Return the claims of jobs of this name by other processes of this run."""
        found = []
        with self._lock:
            for file in self._directory.glob(f"{self._run}-*"):
                if file == self._file:
                    continue
                if not _lives(file):
                    file.unlink(missing_ok=True)
                else:
                    found += self._declared_in(file).get(job_name, [])
        return found

    def _declared_in(self, file: Path) -> dict[str, list[Claim]]:
        try:
            size = file.stat().st_size
            known = self._read.get(file.name)
            if known is None or known[0] != size:
                declared: dict[str, list[Claim]] = {}
                for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
                    if line.endswith("\n"):
                        claim = Claim(*json.loads(line))
                        declared.setdefault(claim.job_name, []).append(claim)
                known = self._read[file.name] = size, declared
        except FileNotFoundError:  # its process has just ended
            return {}
        return known[1]

    def close(self) -> None:
        """Remove what this process has written."""
        self._file.unlink(missing_ok=True)


def claims_of(engine: str | None, say: Callable[[str], None]) -> RunClaims | None:
    """Return what is shared in the run of an engine; None where nothing can be, with a warning."""
    if engine is None:
        return None
    try:
        return RunClaims(engine)
    except OSError as error:
        say(
            "warning: the processes of the providers cannot tell each other what they declare, so "
            f"do not move a job from one provider to another in this run: {error}"
        )
        return None


def _directory() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    directory = Path(tempfile.gettempdir()) / f"flink-jobs-runs-{user}"
    directory.mkdir(_OWN_USER_ONLY, exist_ok=True)
    seen = directory.lstat()
    if directory.is_symlink() or (hasattr(os, "getuid") and seen.st_uid != user):
        raise OSError(f"{directory} belongs to somebody else")
    return directory


def _lives(file: Path) -> bool:
    """Whether the process that has written a file still runs."""
    _, pid, began = file.name.split("-", 2)
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(began)) < _SAME_START
    except psutil.NoSuchProcess:
        return False
