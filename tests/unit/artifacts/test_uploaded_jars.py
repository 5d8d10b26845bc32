"""Uploading: whole or not at all, once, to any storage."""

from __future__ import annotations

import shutil
from pathlib import Path

import fsspec
import pytest

from flink_jobs_provider.artifacts import StorageError
from flink_jobs_provider.artifacts.storage import open_filesystem
from flink_jobs_provider.artifacts.uploaded_jars import remove_file, upload


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jar"
    path.write_bytes(b"content")
    return path


def test_a_local_directory(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep/er/a.jar"
    upload(source, f"file://{target}")
    assert target.read_bytes() == b"content"
    assert target.stat().st_mode & 0o444 == 0o444
    before = target.stat().st_mtime_ns
    upload(source, f"file://{target}")
    assert target.stat().st_mtime_ns == before, "what is there is not written again"
    remove_file(f"file://{target}")
    remove_file(f"file://{target}")
    assert list(target.parent.iterdir()) == []


def test_a_copy_that_breaks_off_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", broken)
    with pytest.raises(StorageError, match="No space left on device"):
        upload(source, f"file://{tmp_path}/jars/a.jar")
    assert list((tmp_path / "jars").iterdir()) == []


def test_a_half_of_a_file_is_written_anew(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.jar"
    target.write_bytes(b"con")
    upload(source, f"file://{target}")
    assert target.read_bytes() == b"content"


def test_an_object_store(source: Path) -> None:
    uri = "memory://jars/uploads/a.jar"
    store = fsspec.filesystem("memory")
    for _ in range(2):
        upload(source, uri)
    assert store.cat_file("/jars/uploads/a.jar") == b"content"
    remove_file(uri)
    remove_file(uri)
    assert not store.exists("/jars/uploads/a.jar")


def test_a_store_that_cannot_be_written(source: Path) -> None:
    with pytest.raises(StorageError, match="nope:// is no known scheme"):
        upload(source, "nope://jars/a.jar")


@pytest.mark.parametrize(
    "uri",
    [
        "abfs://jobs@shop.dfs.core.windows.net/jars/a.jar",
        "abfss://jobs@shop.dfs.core.windows.net/jars/a.jar",
        "abfs://jobs@shop/jars/a.jar",
    ],
)
def test_the_account_of_an_azure_uri_is_used(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ANON", "true")
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    filesystem, path = open_filesystem(uri)
    assert filesystem.account_name == "shop"
    assert filesystem._strip_protocol(path) == "jobs/jars/a.jar"
