"""The CLI's file backend: where a stack's checkpoint and its locks are.

.pulumi/meta.yaml                                        version: 1
.pulumi/stacks/<project>/<stack>.json                    the checkpoint
.pulumi/stacks/<project>/<stack>.json.bak                the one before the last run
.pulumi/locks/organization/<project>/<stack>/<uuid>.json one for each run
"""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import yaml

from flink_jobs_provider.engine.errors import BackendError, StackError, UnsupportedError
from flink_jobs_provider.engine.project import Project

_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
ORGANIZATION = "organization"


@dataclass(frozen=True)
class StackFiles:
    """Name the places of one stack's state."""

    project: str
    stack: str
    checkpoint: Path
    locks: Path

    @property
    def full_name(self) -> str:
        """Name the stack as checkpoints do."""
        return f"{ORGANIZATION}/{self.project}/{self.stack}"

    def exists(self) -> bool:
        """Tell whether the stack was made."""
        return self.checkpoint.is_file()

    def read_checkpoint(self) -> str:
        """Give the checkpoint's text.

        Raises StackError when there is no such stack.
        """
        try:
            return self.checkpoint.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            zipped = self.checkpoint.with_name(self.checkpoint.name + ".gz")
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
            backup = self.checkpoint.with_name(self.checkpoint.name + ".bak")
            shutil.copyfile(self.checkpoint, backup.with_name(backup.name + ".new"))
            os.replace(backup.with_name(backup.name + ".new"), backup)

    def remove(self) -> Path:
        """Remove the stack's state but for a backup of it; return that."""
        self.keep_backup()
        backup = self.checkpoint.with_name(self.checkpoint.name + ".bak")
        for path in (self.checkpoint, self.checkpoint.with_name(self.checkpoint.name + ".attrs")):
            path.unlink(missing_ok=True)
        return backup


class FileBackend:
    """Find stacks in a `file://` backend."""

    def __init__(self, url: str) -> None:
        """Raise BackendError for a place that cannot be used."""
        self.url = url
        self._root = _directory_of(url) / ".pulumi"

    def files_of(self, project: str, stack: str) -> StackFiles:
        """Name the places of a stack, whether it exists or not."""
        name = _short_name(project, stack)
        return StackFiles(
            project=project,
            stack=name,
            checkpoint=self._root / "stacks" / project / f"{name}.json",
            locks=self._root / "locks" / ORGANIZATION / project / name,
        )

    def stacks_of(self, project: str) -> list[str]:
        """Name the stacks of a project."""
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


def backend_url(project: Project, environment: Mapping[str, str]) -> str:
    """Find the backend: PULUMI_BACKEND_URL, else `backend.url` of Pulumi.yaml.

    Raises BackendError when neither is given.
    """
    url = environment.get("PULUMI_BACKEND_URL") or project.backend_url
    if not url:
        raise BackendError(
            "no place for the state is given",
            "Set PULUMI_BACKEND_URL=file:///some/directory, or `backend: {url: …}` in Pulumi.yaml.",
        )
    return url


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
