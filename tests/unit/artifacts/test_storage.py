"""Directories by URI."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from flink_jobs_provider.artifacts import StorageError, list_directory
from flink_jobs_provider.artifacts.storage import open_filesystem


def test_a_directory_is_listed_at_any_depth(tmp_path: Path) -> None:
    file = tmp_path / "orders/savepoint-1/_metadata"
    file.parent.mkdir(parents=True)
    file.touch()
    (found,) = list_directory(str(tmp_path / "orders"))
    assert found.path == str(file)
    assert found.modified == pytest.approx(file.stat().st_mtime)


@pytest.mark.parametrize("start", ["", "file:", "file://"])
def test_paths_begin_as_the_directory_is_spelt(tmp_path: Path, start: str) -> None:
    (tmp_path / "_metadata").touch()
    for end in ("", "/"):
        (found,) = list_directory(f"{start}{tmp_path}{end}")
        assert found.path == f"{start}{tmp_path}/_metadata"


class _Store(MemoryFileSystem):  # type: ignore[misc]
    """A store of which s3:// and s3a:// are two names."""

    store: dict[str, Any] = {}  # noqa: RUF012 - as the class it derives from has it
    pseudo_dirs = [""]  # noqa: RUF012
    protocol = ("s3", "s3a")

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        stripped = str(path).removeprefix("s3a://").removeprefix("s3://")
        return "/" + stripped.strip("/") if stripped.strip("/") else ""


def test_a_scheme_that_is_another_stores_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that a savepoint below an s3a:// directory is named as the cluster knows it."""
    monkeypatch.setattr(fsspec, "get_filesystem_class", lambda _name: _Store)
    _Store().pipe_file("/bucket/savepoints/orders/_metadata", b"")
    (found,) = list_directory("s3a://bucket/savepoints")
    assert found.path == "s3a://bucket/savepoints/orders/_metadata"


def test_a_directory_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list_directory(str(tmp_path / "nothing")) == []
    assert list_directory("memory:///nothing/at/all") == []


def test_a_directory_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    """Shows one that exists, and whose files are hidden: a loop of links fails for root, too."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match="symbolic links"):
        list_directory(str(tmp_path / "loop"))


class _Locked(_Store):
    """A store that does not permit a subdirectory to be read."""

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        if path.endswith("/locked"):
            raise PermissionError(13, "Permission denied", path)
        return super().ls(path, detail, **options)


def test_a_directory_with_one_that_cannot_be_read_is_not_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fsspec, "get_filesystem_class", lambda _name: _Locked)
    _Locked().pipe_file("/jobs/orders/_metadata", b"")
    assert [found.path for found in list_directory("s3://jobs")] == ["s3://jobs/orders/_metadata"]
    _Locked().pipe_file("/jobs/orders/locked/_metadata", b"")
    with pytest.raises(StorageError, match="Permission denied"):
        list_directory("s3://jobs")


def test_an_unknown_scheme_is_told_with_those_that_there_are() -> None:
    with pytest.raises(StorageError, match=r"nope:// is no known scheme \(known: file, http"):
        open_filesystem("nope://x/y")


def test_a_missing_extra_is_told_with_the_command_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for scheme, extra in {"s3": "s3", "s3a": "s3", "abfss": "abfs", "gs": "gcs"}.items():
        monkeypatch.setattr(sys.modules["fsspec.registry"], "registry", {})  # of the tests before
        for module in ("s3fs", "adlfs", "gcsfs"):
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(StorageError) as caught:
            open_filesystem(f"{scheme}://bucket/key")
        assert f'pip install "flink-jobs-provider[{extra}]"' in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "module"), [("hdfs", "pyarrow"), ("sftp", "paramiko"), ("smb", "smbprotocol")]
)
def test_a_scheme_of_fsspec_names_its_extra(
    scheme: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (module, "smbclient"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StorageError) as caught:
        open_filesystem(f"{scheme}://host:8020/savepoints/1")
    assert str(caught.value) == (
        f'{scheme}:// needs a further package: pip install "fsspec[{scheme}]"'
    )


def test_a_scheme_without_an_extra_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lakefs_spec", None)
    with pytest.raises(StorageError, match=r"lakefs:// needs a further package: .*lakefs"):
        open_filesystem("lakefs://repository/main/orders.jar")


def test_a_host_is_passed_to_stores_that_have_one() -> None:
    """Shows it on hdfs:// over HTTP, which fsspec opens without a connection."""
    filesystem, path = open_filesystem("webhdfs://me@namenode:9870/savepoints/1")
    assert filesystem.url == "http://namenode:9870/webhdfs/v1"
    assert path == "/savepoints/1"


def test_obs_wants_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OBS_ENDPOINT_URL", raising=False)
    with pytest.raises(StorageError, match="set OBS_ENDPOINT_URL"):
        open_filesystem("obs://bucket/key")
