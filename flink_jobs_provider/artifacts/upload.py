"""Uploads to any storage by URI: a file is there completely, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from flink_jobs_provider.artifacts.storage import (
    StorageError,
    answered,
    ask,
    local_path,
    open_filesystem,
    reason_of,
)


def upload(source: Path, uri: str) -> None:
    """Copy a local file to a URI that is named by its content; one that is there stays.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        if target := local_path(uri):
            _copy(source, target)
            return
        filesystem, path = open_filesystem(uri)
        # An object store shows an object when it is complete, so one of that size is this one.
        if _size(filesystem, path) == source.stat().st_size:
            return
        filesystem.put_file(str(source), path)
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - each store raises errors of its own
        raise StorageError(reason_of(error)) from None


def remove_file(uri: str) -> None:
    """Remove a file; one that is not there is no error.

    Raises:
        StorageError: It cannot be removed.
    """
    filesystem, path = open_filesystem(uri)
    answered(lambda: ask(filesystem, "rm_file", path), None)


def _size(filesystem: Any, path: str) -> int | None:
    """Return how many bytes a file has; none where it is not there."""
    try:
        return int(ask(filesystem, "info", path)["size"])
    except FileNotFoundError:
        return None


def _copy(source: Path, target: Path) -> None:
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as copy, source.open("rb") as original:
            shutil.copyfileobj(original, copy)
        partial.chmod(0o644)  # the cluster may run as somebody else
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
