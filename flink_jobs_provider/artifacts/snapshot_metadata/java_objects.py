"""Java's serialized objects, as far as plain objects, strings and enum constants need it.

After the grammar of the Java Object Serialization Specification, chapter 6.4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from flink_jobs_provider.artifacts.snapshot_metadata.data_input import DataInput, MetadataError

STREAM_HEADER: Final = b"\xac\xed\x00\x05"

#: The tags and flags of a serialized object.
_NULL, _REFERENCE, _CLASS, _OBJECT, _STRING = 0x70, 0x71, 0x72, 0x73, 0x74
_BLOCK, _END_BLOCK, _ENUM = 0x77, 0x78, 0x7E
_FIRST_HANDLE = 0x7E0000
_WRITES_ITSELF = 0x01
_PRIMITIVES = {
    "B": ">b",
    "C": ">H",
    "D": ">d",
    "F": ">f",
    "I": ">i",
    "J": ">q",
    "S": ">h",
    "Z": "?",
}
#: How deep objects may hold each other, and how many classes an object may extend.
_DEEPEST: Final = 32
_VALUE: Final = "a part of a Java object"


class UnknownObject(MetadataError):
    """The object has a part that is not known here."""


@dataclass
class JavaObject:
    """An object: its class by its full name, and the values of its fields."""

    class_name: str
    fields: dict[str, JavaValue] = field(default_factory=dict)


JavaValue = JavaObject | str | bytes | int | float | bool | None


@dataclass(frozen=True)
class _Class:
    name: str
    fields: tuple[tuple[str, str], ...]
    writes_itself: bool
    above: _Class | None
    depth: int


class JavaObjects:
    """Reads serialized objects, from behind the stream's header.

    An enum constant is read as its name.

    Raises:
        CutOff: The bytes end before the object does.
        UnknownObject: It has a part that is not known here.
        MetadataError: It has what Java would not write.
    """

    def __init__(self, data: DataInput) -> None:
        self._data = data
        self._handles: list[JavaValue | _Class] = []
        self._depth = 0

    def value(self) -> JavaValue:
        """Read one value of any kind."""
        if self._depth >= _DEEPEST:
            raise UnknownObject(self._data.offset, _VALUE, f"one in {_DEEPEST} others")
        self._depth += 1
        found = self._tagged()
        self._depth -= 1
        return found

    def _tagged(self) -> JavaValue:
        begin = self._data.offset
        tag = self._data.byte(_VALUE)
        if tag == _NULL:
            return None
        if tag == _REFERENCE:
            found = self._reference()
            if isinstance(found, _Class):
                raise UnknownObject(begin, _VALUE, "a class")
            return found
        if tag == _STRING:
            text = self._data.text("a Java string")
            self._handles.append(text)
            return text
        if tag == _ENUM:
            return self._enum()
        if tag == _OBJECT:
            described = self._class()
            made = JavaObject(described.name if described else "")
            self._handles.append(made)
            self._values(described, made)
            return made
        if tag == _BLOCK:
            return self._data.take(self._data.byte(_VALUE), _VALUE)
        raise UnknownObject(begin, _VALUE, hex(tag))

    def _enum(self) -> JavaValue:
        self._class()
        index = len(self._handles)
        self._handles.append(None)
        self._handles[index] = constant = self.value()
        return constant

    def _reference(self) -> JavaValue | _Class:
        begin = self._data.offset
        index = self._data.int32("a reference in a Java object") - _FIRST_HANDLE
        if not 0 <= index < len(self._handles):
            raise UnknownObject(begin, "a reference in a Java object", "one to nothing")
        return self._handles[index]

    def _class(self) -> _Class | None:
        begin = self._data.offset
        tag = self._data.byte("the class of a Java object")
        if tag == _NULL:
            return None
        if tag == _REFERENCE:
            found = self._reference()
            if not isinstance(found, _Class):
                raise UnknownObject(begin, "the class of a Java object", "another reference")
            return found
        if tag != _CLASS:
            raise UnknownObject(begin, "the class of a Java object", hex(tag))
        name = self._data.text("the name of a Java class")
        self._data.skip(8, "the version of a Java class")
        index = len(self._handles)
        self._handles.append(None)
        flags = self._data.byte("the flags of a Java class")
        fields = tuple(self._field() for _ in range(self._data.short("the fields of a Java class")))
        self._annotation()
        above = self._parent(begin)
        depth = above.depth + 1 if above else 0
        described = _Class(name, fields, bool(flags & _WRITES_ITSELF), above, depth)
        self._handles[index] = described
        return described

    def _parent(self, begin: int) -> _Class | None:
        if self._depth >= _DEEPEST:
            raise UnknownObject(begin, "a Java class", f"one that extends {_DEEPEST} others")
        self._depth += 1
        above = self._class()
        self._depth -= 1
        if above and above.depth >= _DEEPEST:
            raise UnknownObject(begin, "a Java class", f"one that extends {_DEEPEST} others")
        return above

    def _field(self) -> tuple[str, str]:
        begin = self._data.offset
        kind = chr(self._data.byte("the type of a Java field"))
        name = self._data.text("the name of a Java field")
        if kind in "[L":
            self.value()
        elif kind not in _PRIMITIVES:
            raise UnknownObject(begin, "the type of a Java field", repr(kind))
        return name, kind

    def _values(self, described: _Class | None, made: JavaObject) -> None:
        if described is None:
            return
        self._values(described.above, made)
        for name, kind in described.fields:
            made.fields[name] = self._primitive(kind) if kind in _PRIMITIVES else self.value()
        if described.writes_itself:
            self._annotation()

    def _primitive(self, kind: str) -> JavaValue:
        layout = _PRIMITIVES[kind]
        taken = self._data.take(struct.calcsize(layout), "the value of a Java field")
        found: JavaValue = struct.unpack(layout, taken)[0]
        return found

    def _annotation(self) -> None:
        while self._data.peek(_VALUE) != _END_BLOCK:
            self.value()
        self._data.byte(_VALUE)
