"""Manifests of jars that come from anybody: no more of them is unpacked than is needed."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flink_jobs_provider.artifacts import jar as jars
from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.artifacts.jar import read_main_class
from flink_jobs_provider.model.errors import JarError

NAME = "META-INF/MANIFEST.MF"
MAIN = b"Manifest-Version: 1.0\r\nMain-Class: shop.Orders\r\n"
_MEGABYTE = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.jar"


def _write(path: Path, *parts: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive, archive.open(NAME, "w") as file:
        for part in parts:
            file.write(part)


def _refused(path: Path) -> str:
    with pytest.raises(JarError) as caught:
        open_jar(str(path))
    assert str(path) in caught.value.reason
    return caught.value.reason


@pytest.mark.process
def test_a_manifest_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    """Shows 500 MB in a jar of half a MB: read in a process that may have little memory."""
    _write(path, MAIN, *[b"X" * _MEGABYTE] * 500)
    assert path.stat().st_size < _MEGABYTE
    allowed = 300 * _MEGABYTE

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))

    program = (
        "import sys\n"
        "from flink_jobs_provider.artifacts import open_jar\n"
        "from flink_jobs_provider.model.errors import JarError\n"
        "try:\n    open_jar(sys.argv[1])\nexcept JarError as error:\n    print(error.reason)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "its manifest has 5242" in ended.stdout, ended.stderr[-500:]


def test_a_size_that_is_not_so_is_not_believed(path: Path) -> None:
    """Shows that no more than the limit is unpacked, whatever the directory says of the size."""
    _write(path, MAIN.removesuffix(b"\r\n"), *[b"X" * _MEGABYTE] * 100)
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\1\2")
    content[entry + 24 : entry + 28] = struct.pack("<I", 3 * _MEGABYTE)
    path.write_bytes(content)
    assert "main section of its manifest has more than 1048576 bytes" in _refused(path)


def test_signatures_of_many_files_are_not_read(path: Path) -> None:
    """Shows that the sections after the first may be long: a signed jar has one for each file."""
    _write(path, MAIN, b"\r\n", b"Name: a\r\nSHA-256-Digest: b\r\n\r\n" * 200_000)
    assert open_jar(str(path)).main_class == "shop.Orders"


def test_a_directory_bomb_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows it before a single name is read."""
    _write(path, MAIN)
    monkeypatch.setattr(jars, "LONGEST_DIRECTORY", 10)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert "its directory has" in _refused(path)


def test_what_java_does_not_unpack_is_refused(path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        _write(path, MAIN, method=method)
        assert "neither stored nor deflated" in _refused(path)


def test_damaged_and_encrypted_manifests_are_told_as_such(path: Path) -> None:
    """Shows one line for each, where zipfile raises errors of several kinds."""
    _write(path, MAIN)
    whole = path.read_bytes()
    begins = whole.index(NAME.encode()) + len(NAME)
    damaged = bytearray(whole)
    damaged[begins : begins + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(damaged)
    assert "cannot be unpacked" in _refused(path)
    encrypted = bytearray(whole)
    entry = encrypted.rindex(b"PK\1\2")
    for flags in (6, entry + 8):
        encrypted[flags] |= 1
    path.write_bytes(encrypted)
    assert "cannot be unpacked" in _refused(path)


def test_a_stored_manifest_is_read(path: Path) -> None:
    _write(path, MAIN, method=zipfile.ZIP_STORED)
    assert read_main_class(path) == "shop.Orders"
