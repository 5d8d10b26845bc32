"""Finding where an object ends that Java has serialized: what comes after it, or is missing.

After the grammar of the Java Object Serialization Specification, as far as plain objects, strings
and enum constants need it.
"""

from __future__ import annotations

from dataclasses import dataclass

_NULL, _REFERENCE, _CLASS, _OBJECT, _STRING = 0x70, 0x71, 0x72, 0x73, 0x74
_BLOCK, _END_BLOCK, _ENUM = 0x77, 0x78, 0x7E
_FIRST_HANDLE = 0x7E0000
_WRITES_ITSELF = 0x01
_SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}


class CutOff(Exception):
    """The bytes end before the object does."""


class UnknownObject(Exception):
    """The object has a part that is not known here."""


@dataclass(frozen=True)
class _Class:
    fields: tuple[str, ...]
    writes_itself: bool
    above: _Class | None


def end_of_object(data: bytes, start: int) -> int:
    """Return the offset just after the object that begins at an offset, behind the stream's header.

    Raises:
        CutOff: The bytes end before it does.
        UnknownObject: It has a part that is not known here.
    """
    reader = _Reader(data, start)
    reader.content()
    return reader.offset


class _Reader:
    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self.offset = offset
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
            raise UnknownObject(hex(tag))

    def _class(self) -> _Class | None:
        tag = self._byte()
        if tag == _NULL:
            return None
        if tag == _REFERENCE:
            index = int.from_bytes(self._take(4)) - _FIRST_HANDLE
            if not 0 <= index < len(self._handles):
                raise UnknownObject("a reference to nothing")
            return self._handles[index]
        if tag != _CLASS:
            raise UnknownObject(hex(tag))
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
            raise UnknownObject(kind)
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
        if self.offset >= len(self._data):
            raise CutOff
        return self._data[self.offset]

    def _take(self, count: int) -> bytes:
        end = self.offset + count
        if end > len(self._data):
            raise CutOff
        taken, self.offset = self._data[self.offset : end], end
        return taken
