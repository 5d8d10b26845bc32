"""`_metadata` files that are cut off, altered, or made to do harm: one error, and no harm."""

from __future__ import annotations

import random
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_jobs_provider.artifacts.snapshot_metadata import (
    CutOff,
    MetadataError,
    UnknownVersion,
    parse_metadata,
)
from flink_jobs_provider.model.snapshot import SnapshotMetadata
from tests.contract.flink.record_snapshots import recorded

FILES = [
    recorded(version)[case].metadata
    for version, case in (
        ("2.3.0", "unaligned-checkpoint"),
        ("2.3.0", "changelog-files-checkpoint"),
        ("2.3.0", "changelog-checkpoint"),
        ("2.3.0", "merged-files-checkpoint"),
        ("2.3.0", "rocksdb-checkpoint-v2"),
        ("2.0.1", "unaligned-checkpoint-v3"),
        ("1.17.2", "rocksdb-checkpoint"),
    )
]
#: Of each file: to parse all 60,000 beginnings of them takes a minute.
_CUTS = 100
HEAD = struct.pack(">ii", 0x4960672D, 6)
EXTREMES = [struct.pack(">i", number) for number in (-(2**31), -1, 0, 1, 65_536, 2**31 - 1)]


def outcome(data: bytes) -> SnapshotMetadata | MetadataError:
    """Return what is read, or the one kind of error, whose text names where and what."""
    try:
        return parse_metadata(data)
    except MetadataError as caught:
        error = caught
    assert 0 <= error.offset <= len(data)
    assert str(error).startswith(f"at byte {error.offset}: expected {error.expected}, found ")
    return error


@pytest.mark.parametrize("number", range(len(FILES)))
def test_cut_files(number: int, random_choices: random.Random) -> None:
    """Shows that no file that was cut off is taken for a whole one, wherever it was cut."""
    whole = FILES[number]
    assert isinstance(outcome(whole), SnapshotMetadata)
    for length in {0, len(whole) - 1, *random_choices.sample(range(len(whole)), _CUTS)}:
        assert isinstance(outcome(whole[:length]), CutOff), length


@pytest.mark.parametrize("number", range(len(FILES)))
def test_nothing_may_follow(number: int) -> None:
    error = outcome(FILES[number] + b"\0")
    assert isinstance(error, MetadataError)


@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    assert isinstance(outcome(data), MetadataError)
    for version in range(2, 7):
        outcome(HEAD[:4] + struct.pack(">i", version) + data)
        outcome(HEAD[:4] + struct.pack(">iqii", version, 1, 0, 1) + data)


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """Return a real file with bytes changed, numbers put in, and parts moved, left out, doubled."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(("byte", "number", "cut", "double", "other"))):
            case "byte":
                data[at] = draw(st.integers(0, 255))
            case "number":
                data[at : at + 4] = draw(st.sampled_from(EXTREMES))
            case "cut":
                del data[at : at + draw(st.integers(1, 40))]
            case "double":
                data[at:at] = data[at : at + draw(st.integers(1, 40))]
            case _:
                other = draw(st.sampled_from(FILES))
                data[at:] = other[draw(st.integers(0, len(other) - 1)) :]
        if not data:
            break
    return bytes(data)


@given(altered())
def test_altered_files(data: bytes) -> None:
    """Shows that whatever is in a file, it is read, or refused by the one kind of error."""
    outcome(data)


@pytest.mark.parametrize("number", [*range(2), 7, 8, -1, 2**31 - 1])
def test_unknown_versions(number: int) -> None:
    """Shows that the known versions are named, and of the oldest, which Flink wrote it."""
    with pytest.raises(
        UnknownVersion, match="expected a version of the format from 2 to 6, found"
    ) as caught:
        parse_metadata(HEAD[:4] + struct.pack(">i", number) + bytes(100))
    assert f"version {number}" in str(caught.value)
    assert ("Flink 1.1 or 1.2" in str(caught.value)) is (number == 1)


def test_another_file() -> None:
    with pytest.raises(
        MetadataError, match=r"at byte 0: expected the magic number of Flink's _metadata"
    ):
        parse_metadata(b"PK\3\4 a jar, and no savepoint")


#: The head of a file, and of one operator of it.
ONE = HEAD + struct.pack(">qii", 1, 0, 1)
OPERATOR = b"\0\1o\0\1u" + bytes(16) + struct.pack(">iibii", 1, 1, 0, 1, 0)
HOSTILE = {
    "operators": HEAD + struct.pack(">qii", 1, 0, 2**31 - 1) + bytes(1000),
    "master states": HEAD + struct.pack(">qi", 1, 2**31 - 1) + bytes(1000),
    "subtasks": ONE + OPERATOR[:-8] + struct.pack(">i", 2**31 - 1) + bytes(1000),
    "names": ONE + OPERATOR + struct.pack(">ibi", 1, 4, 2**31 - 1) + bytes(1000),
    "bytes": ONE + b"\0\0\0\0" + bytes(16) + struct.pack(">iibHi", 1, 1, 1, 0, 2**31 - 1),
    "key groups": ONE + OPERATOR + struct.pack(">iibii", 0, 0, 3, 0, 2**31 - 1) + bytes(1000),
    "channels": ONE + OPERATOR + struct.pack(">iibbi", 0, 0, 0, 0, 2**31 - 1) + bytes(1000),
    "nested handles": ONE
    + OPERATOR
    + struct.pack(">ii", 0, 0)
    + (struct.pack(">biiqi", 14, 0, 1, 0, 1)) * 10_000,
    "nested streams": ONE
    + OPERATOR
    + struct.pack(">iibii", 0, 0, 3, 0, 0)
    + struct.pack(">bii", 3, 0, 0) * 10_000,
    "nested objects": HEAD
    + struct.pack(">qii", 1, 0, 0)
    + b"\xac\xed\0\5"
    + (b"sr\0\1a" + bytes(8) + b"\2\0\1L\0\1f") * 3000,
    "classes": HEAD
    + struct.pack(">qii", 1, 0, 0)
    + b"\xac\xed\0\5s"
    + (b"r\0\1a" + bytes(8) + b"\2\0\0x") * 3000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files(what: str) -> None:
    """Shows that counts and depths that no file can hold are refused before any memory is taken."""
    tracemalloc.start()
    try:
        assert isinstance(outcome(HOSTILE[what]), MetadataError)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
