"""What one directory of a storage holds, with sizes and times, for somebody who looks for a jar."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flink_jobs_provider.artifacts.storage import (
    StorageError,
    answered,
    ask,
    local_path,
    modified_time,
    open_filesystem,
)

#: Schemes whose servers have no directories, only pages that may link to anything.
_WITHOUT_DIRECTORIES = ("http", "https")


@dataclass(frozen=True)
class DirectoryEntry:
    """One entry of a directory.

    Attributes:
        name: Its name there.
        is_directory: Whether it is a directory.
        size: Its bytes; 0 where the store does not tell.
        modified: When it was last changed, in seconds since the epoch; 0 where it is not known.
        local: Where it lies on this machine, links followed; None where it lies elsewhere.
    """

    name: str
    is_directory: bool
    size: int = 0
    modified: float = 0.0
    local: Path | None = None


def list_entries(uri: str) -> list[DirectoryEntry]:
    """List a directory, directories first, by name; empty where it does not exist. Blocks.

    Raises:
        StorageError: It cannot be listed.
    """
    path = local_path(uri)
    entries = _of_store(uri) if path is None else _of_disk(path)
    return sorted(entries, key=lambda entry: (not entry.is_directory, entry.name))


def _of_disk(directory: Path) -> list[DirectoryEntry]:
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                try:
                    stat = entry.stat()
                except OSError:  # a link to nothing, or it has just gone
                    continue
                found.append(
                    DirectoryEntry(
                        entry.name,
                        entry.is_dir(),
                        stat.st_size,
                        stat.st_mtime,
                        Path(os.path.realpath(entry.path)),
                    )
                )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(error.strerror or type(error).__name__) from None
    return found


def _of_store(uri: str) -> list[DirectoryEntry]:
    if uri.partition("://")[0].lower() in _WITHOUT_DIRECTORIES:
        raise StorageError("a web server has no directories that can be listed")
    filesystem, path = open_filesystem(uri)
    listed: list[dict[str, Any]] = answered(lambda: ask(filesystem, "ls", path, detail=True), [])
    own = str(path).rstrip("/").rsplit("/", 1)[-1]
    entries = [
        DirectoryEntry(
            str(info["name"]).rstrip("/").rsplit("/", 1)[-1],
            info.get("type") == "directory",
            int(info.get("size") or 0),
            modified_time(info),
        )
        for info in listed
    ]
    # Object stores have an empty object for a directory that was made by hand.
    return [entry for entry in entries if entry.size or entry.is_directory or entry.name != own]
