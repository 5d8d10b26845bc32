"""What is told of a savepoint by its `_metadata` file: there and whole, cut off, or gone."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from flink_jobs_provider.artifacts import savepoint_files
from flink_jobs_provider.artifacts.savepoint_files import (
    Condition,
    NoSnapshot,
    inspect_savepoint,
    read_snapshot,
)
from flink_jobs_provider.artifacts.snapshot_metadata import MetadataError
from flink_jobs_provider.artifacts.storage import StorageError
from tests.contract.flink.record_snapshots import recorded
from tests.savepoint_metadata import metadata


def condition(directory: Path, content: bytes) -> Condition:
    """Write a file, and return the condition of the savepoint."""
    (directory / "_metadata").write_bytes(content)
    found = inspect_savepoint(f"file:{directory}")
    assert found.broken == (found.condition in (Condition.TORN, Condition.GONE))
    return found.condition


@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize("version", [4, 5, 6])
def test_every_cut_is_seen(tmp_path: Path, version: int, checkpoint: bool) -> None:
    whole = metadata(version, checkpoint)
    assert condition(tmp_path, whole) is Condition.WHOLE
    for length in range(len(whole)):
        assert condition(tmp_path, whole[:length]) is Condition.TORN, length


def test_an_old_format_has_no_known_end(tmp_path: Path) -> None:
    assert condition(tmp_path, metadata(3)) is Condition.WHOLE
    assert condition(tmp_path, metadata(3)[:7]) is Condition.TORN


def test_another_file(tmp_path: Path) -> None:
    assert condition(tmp_path, b"not a savepoint") is Condition.TORN


def test_a_format_that_is_not_known_is_not_called_torn(tmp_path: Path) -> None:
    """Shows that a part of the properties that is not known here condemns no savepoint."""
    whole = metadata()
    begin = whole.rfind(b"\xac\xed\x00\x05") + 4
    later = whole[:begin] + b"\x7d" + whole[begin + 1 :]
    assert condition(tmp_path, later) is Condition.UNSEEN


def test_objects_in_objects_are_refused(tmp_path: Path) -> None:
    """Shows that properties of more depth than Flink writes end no process."""
    whole = metadata()
    begin = whole.rfind(b"\xac\xed\x00\x05") + 4
    nested = b"sr\x00\x01a" + bytes(8) + b"\x02\x00\x01L\x00\x01f"
    assert condition(tmp_path, whole[:begin] + nested * 700 + whole[begin:]) is Condition.UNSEEN


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "none/_metadata"):
        found = inspect_savepoint(str(path))
        assert found.condition is Condition.GONE
        assert str(found) == "is not there (it has no _metadata file)"


def test_a_store_that_cannot_be_read_tells_nothing() -> None:
    assert inspect_savepoint("nowhere://bucket/savepoint").condition is Condition.UNSEEN
    assert inspect_savepoint("http://127.0.0.1:9/savepoint").condition is Condition.UNSEEN


def test_an_object_store() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/savepoint-files/one/_metadata", metadata())
    assert inspect_savepoint("memory:///savepoint-files/one").condition is Condition.WHOLE
    assert inspect_savepoint("memory:///savepoint-files/two").condition is Condition.GONE


FILE = recorded("2.3.0")["heap-stop"].metadata


def test_what_a_snapshot_holds(tmp_path: Path) -> None:
    """Shows that a directory, its file, and a file under another name are read alike."""
    (tmp_path / "_metadata").write_bytes(FILE)
    (tmp_path / "savepoint-1").write_bytes(FILE)
    places = ["", "/", "/_metadata", "/savepoint-1"]
    found = [read_snapshot(f"{tmp_path}{place}") for place in places]
    found.append(read_snapshot(f"file:{tmp_path}"))
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/snapshots/one/_metadata", FILE)
    found.append(read_snapshot("memory:///snapshots/one"))
    assert len(found[0].operators) == 10
    assert all(each == found[0] for each in found)


def test_no_snapshot(tmp_path: Path) -> None:
    """Shows that what is missing is named: the directory, its file, or the file that was given."""
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "part-1").touch()
    with pytest.raises(NoSnapshot, match="the directory has no _metadata file"):
        read_snapshot(str(tmp_path / "begun"))
    with pytest.raises(NoSnapshot, match="there is no such directory"):
        read_snapshot(str(tmp_path / "none"))
    with pytest.raises(NoSnapshot, match="there is no such file"):
        read_snapshot(str(tmp_path / "begun" / "_metadata"))
    with pytest.raises(NoSnapshot, match="there is no such directory"):
        read_snapshot("memory:///snapshots/none")


def test_a_directory_of_snapshots(tmp_path: Path) -> None:
    """Shows that those in a directory are named, where it is given itself."""
    (tmp_path / "chk-7").mkdir()
    (tmp_path / "shared").mkdir()
    with pytest.raises(NoSnapshot) as caught:
        read_snapshot(str(tmp_path))
    assert str(caught.value) == "the directory has no _metadata file, but below it chk-7"
    for number in range(4):
        (tmp_path / f"savepoint-{number}").mkdir()
    with pytest.raises(NoSnapshot, match=r"it chk-7, savepoint-0, savepoint-1 and 2 more$"):
        read_snapshot(str(tmp_path))


def test_a_snapshot_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_metadata").write_bytes(FILE[:-1])
    with pytest.raises(MetadataError, match="expected a Java string, found 6 bytes before the end"):
        read_snapshot(str(tmp_path))
    with pytest.raises(StorageError, match="no known scheme"):
        read_snapshot("nowhere://bucket/savepoint")
    with pytest.raises(StorageError, match="connection refused"):
        read_snapshot("http://127.0.0.1:9/savepoint")
    monkeypatch.setattr(savepoint_files, "LARGEST", len(FILE) - 2)
    with pytest.raises(StorageError, match=f"has {len(FILE) - 1} bytes; {len(FILE) - 2} are read"):
        read_snapshot(str(tmp_path))
