"""Keep two runs on one stack apart, with the CLI's own lock files."""

import getpass
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from flink_jobs_provider.engine.backend import write_durably
from flink_jobs_provider.engine.errors import LockedError


@dataclass(frozen=True)
class Lock:
    """Hold what a lock file says of its owner."""

    path: Path
    pid: int
    username: str
    hostname: str
    timestamp: str

    def __str__(self) -> str:
        return f"{self.username}@{self.hostname}, process {self.pid}, since {self.timestamp}"

    def is_abandoned(self) -> bool:
        """Tell whether the owner was a process of this host that is no more.

        A process that began after the lock was made only bears the owner's number.
        """
        if self.hostname != socket.gethostname():
            return False
        try:
            began = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
        try:
            locked = datetime.fromisoformat(self.timestamp).timestamp()
        except ValueError:
            return False
        # A second of grace: the kernel counts a process' beginning in ticks since boot.
        return began > locked + 1


def locks_in(directory: Path) -> list[Lock]:
    """Read the locks on a stack."""
    locks = []
    for path in sorted(directory.glob("*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            data = {}
        locks.append(
            Lock(
                path,
                int(data.get("pid") or 0),
                str(data.get("username") or "somebody"),
                str(data.get("hostname") or "some host"),
                str(data.get("timestamp") or "some time"),
            )
        )
    return locks


@contextmanager
def held(directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a stack's lock.

    Locks whose owner died on this host are taken over, and it is said; any other raises
    LockedError.
    """
    for lock in locks_in(directory):
        if lock.is_abandoned():
            say(f"taking over the lock of a run that died ({lock})")
            remove(lock)
    _refuse_others(directory, own=None)
    own = directory / f"{uuid.uuid4()}.json"
    content = {
        "pid": os.getpid(),
        "username": getpass.getuser(),
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    write_durably(own, json.dumps(content))
    try:
        # Looked at again: of two that came at once, both must not go on.
        _refuse_others(directory, own=own)
        yield
    finally:
        own.unlink(missing_ok=True)


def remove(lock: Lock) -> None:
    """Remove a lock, and what the CLI keeps beside it."""
    lock.path.unlink(missing_ok=True)
    lock.path.with_name(lock.path.name + ".attrs").unlink(missing_ok=True)


def _refuse_others(directory: Path, own: Path | None) -> None:
    others = [lock for lock in locks_in(directory) if lock.path != own]
    if others:
        raise LockedError(
            "the stack is locked by " + "; ".join(map(str, others)),
            "Wait for that run to end. If it is no more, remove the lock: flink-jobs cancel",
        )
