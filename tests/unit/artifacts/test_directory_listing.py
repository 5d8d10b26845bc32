"""Listing one directory of a storage: directories first, sizes and times, links followed."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from flink_jobs_provider.artifacts import StorageError, list_entries


def test_of_a_disk(tmp_path: Path) -> None:
    """Shows that links are followed, that those to nothing are left out, and what is missing."""
    (tmp_path / "z").mkdir()
    (tmp_path / "a.jar").write_bytes(b"12345")
    (tmp_path / "link.jar").symlink_to("a.jar")
    (tmp_path / "gone.jar").symlink_to("nowhere")
    directory, jar, link = list_entries(f"file://{tmp_path}")
    assert (directory.name, directory.is_directory) == ("z", True)
    assert (jar.name, jar.size, jar.is_directory) == ("a.jar", 5, False)
    assert jar.modified == (tmp_path / "a.jar").stat().st_mtime
    assert (link.name, link.size, link.local) == ("link.jar", 5, tmp_path / "a.jar")
    assert list_entries(str(tmp_path / "missing")) == []
    with pytest.raises(StorageError, match="Not a directory"):
        list_entries(str(tmp_path / "a.jar"))


def test_of_a_store() -> None:
    """Shows names without the path, and nothing on this machine, of fsspec's store in memory."""
    store = fsspec.filesystem("memory")
    store.makedirs("/listing/team", exist_ok=True)
    store.pipe("/listing/a.jar", b"1234")
    try:
        directory, jar = list_entries("memory://listing")
    finally:
        store.rm("/listing", recursive=True)
    assert (directory.name, directory.is_directory, directory.local) == ("team", True, None)
    assert (jar.name, jar.size, jar.local) == ("a.jar", 4, None)
    assert jar.modified > 0
    with pytest.raises(StorageError, match="no directories"):
        list_entries("http://localhost/jars")
