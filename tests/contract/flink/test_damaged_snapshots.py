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
        ("handmade", "old-handles"),
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
OPERATOR = b"\0\1o\0\1u" + bytes(16) + struct.pack(">iibi", 1, 1, 0, 1)
#: A file without operators, up to its properties.
OBJECT = HEAD + struct.pack(">qii", 1, 0, 0) + b"\xac\xed\0\5"
#: As many operator states as one subtask may have, of names that hold a letter for the subtask.
NAMES = b"".join(b"\0\6?%05d" % number + bytes(5) for number in range(10_000))
#: Files that would take much memory, or a deep stack, and what was expected instead.
HOSTILE = {
    "the number of operators, 100000 at most": HEAD
    + struct.pack(">qii", 1, 0, 100_001)
    + bytes(40) * 100_001,
    "the number of operators (100000 of at least 32 bytes": HEAD
    + struct.pack(">qii", 1, 0, 100_000)
    + bytes(1000),
    "the number of master states, 100000 at most": HEAD
    + struct.pack(">qi", 1, 2**31 - 1)
    + bytes(1000),
    "the number of subtasks, 1 at most": ONE
    + OPERATOR[:-4]
    + struct.pack(">i", 2**31 - 1)
    + bytes(1000),
    "the number of operator states, 10000 at most": ONE
    + OPERATOR
    + struct.pack(">iibi", 0, 1, 4, 2**31 - 1)
    + bytes(1000),
    "20000 operator states at most": ONE
    + OPERATOR[:-13]
    + struct.pack(">iibi", 99, 99, 0, 99)
    + b"".join(
        struct.pack(">iibi", subtask, 1, 4, 10_000)
        + NAMES.replace(b"?", b"%c" % (65 + subtask))
        + bytes(15)
        for subtask in range(3)
    ),
    "bytes of state (2147483647 of at least 1 bytes)": ONE
    + b"\0\0\0\0"
    + bytes(16)
    + struct.pack(">iibHi", 1, 1, 1, 0, 2**31 - 1),
    "the offsets of key groups (2147483647 of at least 8 bytes)": ONE
    + OPERATOR
    + struct.pack(">iiibii", 0, 0, 0, 3, 0, 2**31 - 1)
    + bytes(1000),
    "the number of input channels with records (2147483647 of": ONE
    + OPERATOR
    + struct.pack(">iiibbi", 0, 0, 0, 0, 0, 2**31 - 1)
    + bytes(1000),
    "the materialized part of a changelog": ONE
    + OPERATOR
    + struct.pack(">iii", 0, 0, 0)
    + struct.pack(">biiqi", 14, 0, 1, 0, 1) * 10_000,
    "keyed state": ONE
    + OPERATOR
    + struct.pack(">iiibii", 0, 0, 0, 3, 0, 0)
    + struct.pack(">bii", 3, 0, 0) * 10_000,
    "a part of a Java object": OBJECT + (b"sr\0\1a" + bytes(8) + b"\2\0\1L\0\1f") * 3000,
    "a Java class": OBJECT + b"s" + (b"r\0\1a" + bytes(8) + b"\2\0\0x") * 3000,
    "properties of 65536 bytes at most": OBJECT + bytes(70_000),
}


@pytest.mark.parametrize("expected", HOSTILE)
def test_hostile_files(expected: str) -> None:
    """Shows that counts and depths that no file can hold are refused before any memory is taken."""
    tracemalloc.start()
    try:
        error = outcome(HOSTILE[expected])
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(error, MetadataError)
    assert error.expected.startswith(expected)
    assert taken < 40_000_000
