"""Whether a savepoint or checkpoint exists and is complete, judged by its `_metadata` file.

The file begins with a magic number and the version of its format. Since version 4 (Flink 1.15) it
ends with the checkpoint's properties as a Java object (MetadataV4Serializer), which a file that was
cut off lacks, or holds in part. The state files that it names are not read. Recorded on Flink
1.20.5 and 2.3.0.

Where that object ends is found after the grammar of the Java Object Serialization Specification, as
far as plain objects, strings and enum constants need it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from flink_jobs_provider.artifacts.storage import StorageError, ask, open_filesystem
from flink_jobs_provider.model.errors import Signal

_MAGIC = 0x4960672D
#: Since this version of the format the file ends with the checkpoint's properties.
_WITH_PROPERTIES = 4
_PROPERTIES = b"org.apache.flink.runtime.checkpoint.CheckpointProperties"
_STREAM = b"\xac\xed\x00\x05"
#: How much of the end is read: the properties take some 1,000 bytes.
_TAIL = 16_384
_HEAD = 8

#: The tags and flags of a serialized object.
_NULL, _REFERENCE, _CLASS, _OBJECT, _STRING = 0x70, 0x71, 0x72, 0x73, 0x74
_BLOCK, _END_BLOCK, _ENUM = 0x77, 0x78, 0x7E
_FIRST_HANDLE = 0x7E0000
_WRITES_ITSELF = 0x01
_SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}


class Condition(StrEnum):
    """The condition of a savepoint or checkpoint, as it shows from here."""

    WHOLE = "is there"
    GONE = "is not there"
    TORN = "is torn"
    UNSEEN = "cannot be seen from here"


@dataclass(frozen=True)
class Finding:
    """The condition of a savepoint or checkpoint, and why it cannot be restored, if so."""

    condition: Condition
    reason: str = ""

    @property
    def broken(self) -> bool:
        """Whether nothing can be restored from it, for certain."""
        return self.condition in (Condition.GONE, Condition.TORN)

    def __str__(self) -> str:
        """Write it."""
        return self.condition.value + (f" ({self.reason})" if self.reason else "")


UNSEEN = Finding(Condition.UNSEEN)
WHOLE = Finding(Condition.WHOLE)


def inspect_savepoint(uri: str) -> Finding:
    """Return the condition of the savepoint or checkpoint in a directory."""
    place = uri.rstrip("/").removesuffix("/_metadata") + "/_metadata"
    try:
        filesystem, path = open_filesystem(place)
    except StorageError:
        return UNSEEN
    try:
        size = int(ask(filesystem, "size", path) or 0)
        head = filesystem.cat_file(path, start=0, end=min(size, _HEAD))
        tail = filesystem.cat_file(path, start=max(0, size - _TAIL), end=size)
    except FileNotFoundError:
        if place.startswith("http"):
            return UNSEEN  # so fsspec also calls a host that does not answer
        return Finding(Condition.GONE, "it has no _metadata file")
    except Exception:  # noqa: BLE001 - each store raises errors of its own
        return UNSEEN
    return _judged(head, tail, size)


def savepoint_size(uri: str) -> int | None:
    """Return the bytes of all files in a savepoint's directory, or None where they are unseen."""
    try:
        filesystem, path = open_filesystem(uri)
        return int(ask(filesystem, "du", path))
    except Exception:  # noqa: BLE001 - each store raises errors of its own
        return None


def _judged(head: bytes, tail: bytes, size: int) -> Finding:
    if size < _HEAD:
        return Finding(Condition.TORN, f"its _metadata file has {size} bytes")
    magic, version = struct.unpack(">ii", head)
    if magic != _MAGIC:
        return Finding(Condition.TORN, "its _metadata file is none of Flink's")
    if version < _WITH_PROPERTIES:
        return WHOLE
    cut_off = Finding(Condition.TORN, f"its _metadata file is cut off, after {size} bytes")
    begin = tail.rfind(_STREAM, 0, tail.rfind(_PROPERTIES) + 1)
    if begin < 0 or _PROPERTIES not in tail:
        return cut_off
    try:
        _Reader(tail, begin + len(_STREAM)).content()
    except _CutOff:
        return cut_off
    except _UnknownObject:
        return UNSEEN  # a format of later versions
    return WHOLE


class _CutOff(Signal):
    """The bytes end before the object does."""


class _UnknownObject(Signal):
    """The object has a part that is not known here."""


@dataclass(frozen=True)
class _Class:
    fields: tuple[str, ...]
    writes_itself: bool
    above: _Class | None


class _Reader:
    """Reads serialized Java objects from an offset behind the stream's header.

    Raises:
        _CutOff: The bytes end before the object does.
        _UnknownObject: It has a part that is not known here.
    """

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset
        self._handles: list[_Class | None] = []

    def content(self) -> None:
        """Read one value of any kind."""
        tag = self._byte()
        if tag == _NULL:
            return
        if tag == _REFERENCE:
            self._take(4)
        elif tag == _STRING:
            self._handles.append(None)
            self._text()
        elif tag == _ENUM:
            self._class()
            self._handles.append(None)
            self.content()
        elif tag == _OBJECT:
            described = self._class()
            self._handles.append(None)
            self._values(described)
        elif tag == _BLOCK:
            self._take(self._byte())
        else:
            raise _UnknownObject(hex(tag))

    def _class(self) -> _Class | None:
        tag = self._byte()
        if tag == _NULL:
            return None
        if tag == _REFERENCE:
            index = int.from_bytes(self._take(4)) - _FIRST_HANDLE
            if not 0 <= index < len(self._handles):
                raise _UnknownObject("a reference to nothing")
            return self._handles[index]
        if tag != _CLASS:
            raise _UnknownObject(hex(tag))
        self._text()
        self._take(8)
        index = len(self._handles)
        self._handles.append(None)
        flags = self._byte()
        fields = tuple(self._field() for _ in range(self._short()))
        self._annotation()
        described = _Class(fields, bool(flags & _WRITES_ITSELF), self._class())
        self._handles[index] = described
        return described

    def _field(self) -> str:
        kind = chr(self._byte())
        self._text()
        if kind in "[L":
            self.content()
        elif kind not in _SIZES:
            raise _UnknownObject(kind)
        return kind

    def _values(self, described: _Class | None) -> None:
        if described is None:
            return
        self._values(described.above)
        for kind in described.fields:
            if kind in _SIZES:
                self._take(_SIZES[kind])
            else:
                self.content()
        if described.writes_itself:
            self._annotation()

    def _annotation(self) -> None:
        while self._peek() != _END_BLOCK:
            self.content()
        self._byte()

    def _text(self) -> None:
        self._take(self._short())

    def _short(self) -> int:
        return int.from_bytes(self._take(2))

    def _byte(self) -> int:
        return self._take(1)[0]

    def _peek(self) -> int:
        if self._offset >= len(self._data):
            raise _CutOff
        return self._data[self._offset]

    def _take(self, count: int) -> bytes:
        end = self._offset + count
        if end > len(self._data):
            raise _CutOff
        taken, self._offset = self._data[self._offset : end], end
        return taken
