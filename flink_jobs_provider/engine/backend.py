"""The CLI's file backend: a stack's checkpoint, and the locks that keep two runs on it apart.

.pulumi/meta.yaml                                        version: 1
.pulumi/stacks/<project>/<stack>.json                    the checkpoint
.pulumi/stacks/<project>/<stack>.json.bak                the one before the last run
.pulumi/locks/organization/<project>/<stack>/<uuid>.json one for each run
"""

import getpass
import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import psutil
import yaml

from flink_jobs_provider.engine.errors import (
    BackendError,
    LockedError,
    StackError,
    UnsupportedError,
)

_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
ORGANIZATION = "organization"


@dataclass(frozen=True)
class StackFiles:
    """The files of one stack's state."""

    project: str
    stack: str
    checkpoint: Path
    locks: Path

    @property
    def full_name(self) -> str:
        """Return the stack's name as checkpoints have it."""
        return f"{ORGANIZATION}/{self.project}/{self.stack}"

    def exists(self) -> bool:
        """Return whether the stack exists."""
        return self.checkpoint.is_file()

    def read_checkpoint(self) -> str:
        """Return the checkpoint's text.

        Raises StackError when there is no such stack.
        """
        try:
            return self.checkpoint.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            zipped = _beside(self.checkpoint, ".gz")
            if zipped.exists():
                raise UnsupportedError(f"compressed checkpoints ({zipped})") from error
            raise StackError(
                f"no stack named {self.stack!r} in project {self.project!r}",
                f"Make it: flink-jobs stack init {self.stack}",
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise BackendError(f"{self.checkpoint} cannot be read: {error}") from error

    def keep_backup(self) -> None:
        """Copy the checkpoint aside before a run changes it."""
        if self.exists():
            new = _beside(self.checkpoint, ".bak.new")
            shutil.copyfile(self.checkpoint, new)
            os.replace(new, self.backup)

    @property
    def backup(self) -> Path:
        """Return where `keep_backup` has copied the checkpoint to."""
        return _beside(self.checkpoint, ".bak")

    def remove(self) -> Path:
        """Remove the stack's state but for a backup of it; return that."""
        self.keep_backup()
        for path in (self.checkpoint, _beside(self.checkpoint, ".attrs")):
            path.unlink(missing_ok=True)
        return self.backup


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


class FileBackend:
    """A `file://` backend."""

    def __init__(self, url: str) -> None:
        """Raise BackendError for a place that cannot be used."""
        self.url = url
        self._root = _directory_of(url) / ".pulumi"

    def files_of(self, project: str, stack: str) -> StackFiles:
        """Return the files of a stack, whether it exists or not."""
        name = _short_name(project, stack)
        return StackFiles(
            project=project,
            stack=name,
            checkpoint=self._root / "stacks" / project / f"{name}.json",
            locks=self._root / "locks" / ORGANIZATION / project / name,
        )

    def stacks_of(self, project: str) -> list[str]:
        """Return the names of a project's stacks."""
        return sorted(path.stem for path in (self._root / "stacks" / project).glob("*.json"))

    def check(self) -> None:
        """Raise BackendError unless the state is laid out as this engine expects it."""
        meta = self._root / "meta.yaml"
        if meta.exists():
            try:
                version = (yaml.safe_load(meta.read_text(encoding="utf-8")) or {}).get("version")
            except (OSError, yaml.YAMLError, AttributeError) as error:
                raise BackendError(f"{meta} cannot be read: {error}") from error
            if version != 1:
                raise UnsupportedError(f"a backend of layout version {version} ({meta})")
        elif list((self._root / "stacks").glob("*.json")):
            raise UnsupportedError(
                f"the layout of {self._root} without projects (see `pulumi state upgrade`)"
            )

    def prepare(self) -> None:
        """Lay out an empty backend as the CLI does."""
        self.check()
        meta = self._root / "meta.yaml"
        if not meta.exists():
            write_durably(meta, "version: 1\n")


def write_durably(path: Path, text: str) -> None:
    """Write a file so that it is on disk and whole, or not there at all.

    Raises BackendError when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One name for all writes: a stack has one writer, and a killed one leaves one file at most.
        temporary = path.with_name(f".{path.name}.new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise BackendError(f"{path} cannot be written: {error.strerror or error}") from error


def _directory_of(url: str) -> Path:
    if not url.startswith("file://"):
        raise BackendError(
            f"the embedded engine keeps state in files only, not in {url}",
            "Set PULUMI_BACKEND_URL=file:///some/directory, or run with --engine pulumi.",
        )
    path = unquote(url.removeprefix("file://").partition("?")[0])
    if not path:
        raise BackendError(f"{url} names no directory")
    return Path(path).expanduser().absolute()


def _short_name(project: str, stack: str) -> str:
    organization, _, rest = stack.partition("/") if stack.count("/") == 2 else ("", "", stack)
    stack_project, _, name = rest.partition("/") if "/" in rest else (project, "", rest)
    if organization not in ("", ORGANIZATION) or stack_project != project:
        raise StackError(f"stack {stack!r} does not belong to project {project!r}")
    if not _STACK_NAME.fullmatch(name):
        raise StackError(
            f"{stack!r} is no name for a stack", "Use letters, digits, `-`, `_` and `.`."
        )
    return name


@dataclass(frozen=True)
class Lock:
    """A lock file, and the run that made it."""

    path: Path
    pid: int
    username: str
    hostname: str
    timestamp: str

    def __str__(self) -> str:
        return f"{self.username}@{self.hostname}, process {self.pid}, since {self.timestamp}"

    def is_abandoned(self) -> bool:
        """Return whether the owner was a process of this host that has ended.

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
def hold_lock(directory: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """Lock a stack for the duration of the block.

    Locks whose owner died on this host are taken over with a warning; any other raises
    LockedError.
    """
    for lock in locks_in(directory):
        if lock.is_abandoned():
            warn(f"taking over the lock of a run that died ({lock})")
            remove_lock(lock)
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
        # Read again: of two that came at once, both must not go on.
        _refuse_others(directory, own=own)
        yield
    finally:
        own.unlink(missing_ok=True)


def remove_lock(lock: Lock) -> None:
    """Remove a lock, and the attributes that the CLI keeps with it."""
    lock.path.unlink(missing_ok=True)
    _beside(lock.path, ".attrs").unlink(missing_ok=True)


def _refuse_others(directory: Path, own: Path | None) -> None:
    others = [lock for lock in locks_in(directory) if lock.path != own]
    if others:
        raise LockedError(
            "the stack is locked by " + "; ".join(map(str, others)),
            "Wait for that run to end. If it has died, remove the lock: flink-jobs cancel",
        )
