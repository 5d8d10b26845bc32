"""What a local cluster is started with, and its directory: paths, lock, and what fails in it.

A setting is what was asked for, else what is recorded, else the default.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

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
        """Raise if the directory holds something that is not of a cluster."""
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


DEFAULT_PORT = 8081
_DEFAULTS: dict[str, Any] = {"slots": 8, "task_managers": 1, "configuration": {}}

_OPTION_OF = {
    "rest.port": "--port",
    "rest.bind-port": "--port",
    "taskmanager.numberOfTaskSlots": "--slots",
}
_OURS = ("jobmanager.rpc.port", "taskmanager.resource-id", "web.upload.dir")


class Request(BaseModel):
    """What `up` is asked for; None leaves it as it was, or at the default."""

    model_config = ConfigDict(frozen=True)

    version: str | None = None
    port: int | None = None
    """0 is any free port."""
    slots: int | None = None
    """In all, over the task managers."""
    task_managers: int | None = None
    configuration: dict[str, str] | None = None
    """Flink configuration beyond, or instead of, what this package sets."""

    def refuse_nonsense(self) -> None:
        """Raise for what no cluster can have."""
        for option, value in (("--slots", self.slots), ("--task-managers", self.task_managers)):
            if value is not None and value < 1:
                raise _refused(f"{option} is {value}.", "Give a number of at least 1.")
        if self.port is not None and not 0 <= self.port <= 65535:
            raise _refused(f"--port is {self.port}.", "Give a port, or 0 for any free one.")
        for key in self.configuration or {}:
            if key in _OPTION_OF:
                raise _refused(f"'{key}' has an option of its own.", f"Use {_OPTION_OF[key]}.")
            if key in _OURS:
                raise _refused(f"'{key}' is set by the local cluster itself.", "Leave it out.")


class Settings(BaseModel):
    """What a cluster was last started with, as recorded in its directory."""

    model_config = ConfigDict(frozen=True)

    version: str
    port: int
    rpc_port: int
    slots: int
    task_managers: int
    configuration: dict[str, str]
    java: str

    @property
    def flink(self) -> FlinkVersion:
        """The Flink version, parsed."""
        return FlinkVersion.parse(self.version)

    @property
    def url(self) -> str:
        """The address of the REST API and the dashboard."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def roles(self) -> list[str]:
        """Return the roles of the cluster's processes."""
        return ["jobmanager", *(f"taskmanager-{n}" for n in range(1, self.task_managers + 1))]

    @property
    def slots_of_each(self) -> list[int]:
        """Share the slots out over the task managers, as evenly as can be."""
        share, rest = divmod(self.slots, self.task_managers)
        return [share + (1 if index < rest else 0) for index in range(self.task_managers)]

    def save(self, file: Path) -> None:
        """Replace the recorded settings in one step."""
        new = file.with_suffix(".new")
        new.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        os.replace(new, file)

    @classmethod
    def load(cls, file: Path) -> Settings | None:
        """Return the recorded settings, or None where there are none."""
        try:
            return cls.model_validate_json(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValidationError as error:
            raise LocalClusterError(
                f"{file} is damaged.",
                now="Nothing was changed.",
                advice="Stop any Flink that runs from this directory, and remove the file.",
                details=str(error),
            ) from error


def differences(request: Request, settings: Settings) -> list[str]:
    """List where a running cluster is not what is asked for, in words."""
    asked: dict[str, Any] = request.model_dump(exclude_none=True)
    if asked.get("port") == 0:
        del asked["port"]
    names = {"task_managers": "task managers", "configuration": "Flink configuration"}
    return [
        f"{names.get(key, key)} {getattr(settings, key)}, not {value}"
        for key, value in asked.items()
        if getattr(settings, key) != value
    ]


def wanted_version(request: Request, recorded: Settings | None) -> FlinkVersion:
    """Choose the Flink version to start."""
    recorded_version = recorded.version if recorded else DEFAULT_FLINK_VERSION
    return FlinkVersion.parse(request.version or recorded_version)


def chosen_port(request: Request, recorded: Settings | None) -> int:
    """Choose the port to start on; 0 is any free one."""
    if request.port is not None:
        return request.port
    return recorded.port if recorded else DEFAULT_PORT


def new_settings(
    request: Request,
    recorded: Settings | None,
    *,
    version: str,
    port: int,
    rpc_port: int,
    java: str,
) -> Settings:
    """Return the settings to start a cluster with, from the request and the recorded ones."""
    chosen = {
        **_DEFAULTS,
        **(recorded.model_dump() if recorded else {}),
        **request.model_dump(exclude_none=True),
    }
    chosen |= {"version": version, "port": port, "rpc_port": rpc_port, "java": java}
    settings = Settings.model_validate(chosen)
    if settings.slots < settings.task_managers:
        raise _refused(
            f"{settings.slots} slots are too few for {settings.task_managers} task managers.",
            "Give at least one slot for each task manager.",
        )
    return settings


def _refused(what: str, advice: str) -> LocalClusterError:
    return LocalClusterError(what, now="Nothing was started.", advice=advice)


DEFAULT_FLINK_VERSION = "2.3.0"


@dataclass(frozen=True)
class FlinkVersion:
    """A released Flink version, such as 2.3.0."""

    text: str
    release: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> FlinkVersion:
        """Read "2.3.0"; anything before 1.17, or without three numbers, is refused."""
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
        if match is None:
            raise LocalClusterError(
                f"'{text}' is not a Flink version.",
                now="Nothing was started.",
                advice="Give all three numbers, such as 2.3.0 or 1.20.5.",
            )
        release = (int(match[1]), int(match[2]))
        if release < (1, 17):
            raise LocalClusterError(
                f"Flink {text} is too old.",
                now="Nothing was started.",
                advice="Choose 1.17 or newer, such as 2.3.0 or 1.20.5.",
            )
        return cls(text, release)

    @property
    def java_releases(self) -> tuple[int, ...]:
        """List the Java feature releases it runs on (Flink docs, "Java compatibility").

        Java 21 is experimental there for 1.19 and 1.20, and measured to work with both here; Java
        17 is so for 1.17.
        """
        if self.release >= (2, 0):
            return (11, 17, 21)
        if self.release >= (1, 19):
            return (8, 11, 17, 21)
        return (8, 11, 17)

    @property
    def configuration_file(self) -> str:
        """Return the name of its configuration file: YAML since 1.19, flat lines before."""
        return "config.yaml" if self.release >= (1, 19) else "flink-conf.yaml"

    def __str__(self) -> str:
        return self.text
