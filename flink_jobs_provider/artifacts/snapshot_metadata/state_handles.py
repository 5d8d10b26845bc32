"""The state handles of a `_metadata` file: where state lies, and how many bytes it takes.

Read here are sizes, kinds and names; the files that the handles name are not opened. The types are
those of MetadataV2V3SerializerBase of Flink 2.3.0, which reads what all versions since 1.3 write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flink_jobs_provider.artifacts.snapshot_metadata.data_input import DataInput, MetadataError
from flink_jobs_provider.model.snapshot import KeyedFormat, NamedState, StateKind

_NULL, _BYTES, _FILE, _KEY_GROUPS, _OPERATOR, _INCREMENTAL, _RELATIVE = range(7)
_SAVEPOINT_KEY_GROUPS, _CHANGELOG, _CHANGELOG_BYTES, _CHANGELOG_FILES = range(7, 11)
_INCREMENTAL_2, _KEY_GROUPS_2, _CHANGELOG_FILES_2, _CHANGELOG_2 = range(11, 15)
_SEGMENT, _EMPTY_SEGMENT, _SEGMENT_OPERATOR = range(15, 18)

#: Of channel state since version 6: one channel, and all channels of a gate in one handle.
_INPUT_CHANNEL, _OUTPUT_CHANNEL, _MERGED_INPUT, _MERGED_OUTPUT = range(1, 5)

#: The modes of OperatorStateHandle.Mode, by ordinal.
_MODES: Final = (StateKind.LIST, StateKind.UNION, StateKind.BROADCAST)
#: How deep handles may hold each other; Flink writes three levels at most.
_DEEPEST: Final = 8
#: How many operator states one subtask may have by name.
_MOST_NAMES: Final = 10_000


@dataclass(frozen=True, slots=True)
class KeyedState:
    """Keyed state of one subtask, and the bytes that it takes."""

    size: int
    format: KeyedFormat


@dataclass(frozen=True, slots=True)
class OperatorState:
    """Operator state of one subtask: the bytes that it takes, and what it is made of."""

    size: int
    states: tuple[NamedState, ...]


class StateHandles:
    """Reads state handles.

    Raises:
        MetadataError: There is no handle where one should be, or one that is not known here.
    """

    def __init__(self, data: DataInput) -> None:
        self._data = data
        self._depth = 0

    def _type(self, expected: str) -> int:
        return self._data.byte(f"the type of {expected}")

    def _unknown(self, expected: str, found: int) -> MetadataError:
        return MetadataError(
            self._data.offset - 1, f"the type of {expected}", f"the unknown type {found}"
        )

    def _enter(self, expected: str) -> None:
        if self._depth >= _DEEPEST:
            raise MetadataError(
                self._data.offset,
                expected,
                f"a handle in {_DEEPEST} others, which Flink writes not",
            )
        self._depth += 1

    # Streams: where bytes lie

    def stream(self, expected: str) -> int | None:
        """Return the size of a stream's bytes, or None for no stream."""
        data, kind = self._data, self._type(expected)
        if kind == _NULL:
            return None
        if kind == _RELATIVE:
            data.skip_text("a file's relative path")
            return data.size("a file's size")
        if kind == _FILE:
            size = data.size("a file's size")
            data.skip_text("a file's path")
            return size
        if kind == _BYTES:
            data.skip_text("a handle's name")
            return data.skip_array("bytes of state", 1)
        if kind == _SEGMENT:
            data.size("a segment's position")
            size = data.size("a segment's size")
            data.count("the scope of a segment", 0)
            data.skip_text("a segment's file")
            data.skip_text("a segment's id")
            return size
        if kind == _EMPTY_SEGMENT:
            return 0
        if kind == _KEY_GROUPS:
            self._enter(expected)
            size = self._key_groups()
            self._depth -= 1
            return size
        raise self._unknown(expected, kind)

    def bytes_only(self, expected: str) -> int | None:
        """Return the size of bytes that must be in the file itself, or None for no handle."""
        kind = self._data.peek(f"the type of {expected}")
        if kind not in (_NULL, _BYTES):
            self._data.offset += 1
            raise self._unknown(expected, kind)
        return self.stream(expected)

    # Keyed state

    def keyed(self, expected: str) -> KeyedState | None:
        """Return the keyed state of a subtask, or None where it has none."""
        data, kind = self._data, self._type(expected)
        if kind == _NULL:
            return None
        if kind in (_KEY_GROUPS, _KEY_GROUPS_2, _SAVEPOINT_KEY_GROUPS):
            size = self._key_groups()
            if kind == _KEY_GROUPS_2:
                data.skip_text("a handle's id")
            canonical = kind == _SAVEPOINT_KEY_GROUPS
            return KeyedState(size, KeyedFormat.CANONICAL if canonical else KeyedFormat.FULL)
        if kind in (_INCREMENTAL, _INCREMENTAL_2):
            return KeyedState(
                self._incremental(second=kind == _INCREMENTAL_2), KeyedFormat.INCREMENTAL
            )
        if kind in (_CHANGELOG, _CHANGELOG_2):
            self._enter(expected)
            size = self._changelog(second=kind == _CHANGELOG_2)
            self._depth -= 1
            return KeyedState(size, KeyedFormat.CHANGELOG)
        if kind == _CHANGELOG_BYTES:
            return KeyedState(self._changes_in_memory(), KeyedFormat.CHANGELOG)
        if kind in (_CHANGELOG_FILES, _CHANGELOG_FILES_2):
            size = self._changes_in_files(second=kind == _CHANGELOG_FILES_2)
            return KeyedState(size, KeyedFormat.CHANGELOG)
        raise self._unknown(expected, kind)

    def _key_group_range(self) -> None:
        self._data.count("the first key group", 0)
        self._data.count("the number of key groups", 0)

    def _key_groups(self) -> int:
        self._data.count("the first key group", 0)
        self._data.skip_array("the offsets of key groups", 8)
        return self.stream("keyed state") or 0

    def _incremental(self, *, second: bool) -> int:
        data = self._data
        data.int64("the number of a checkpoint")
        data.skip_text("the id of a state backend")
        self._key_group_range()
        if second:
            data.int64("the checkpointed size")
        size = self.stream("the description of keyed state") or 0
        for of in ("shared", "private"):
            for _ in range(data.count(f"the number of {of} files", 3)):
                data.skip_text(f"the name of a {of} file")
                size += self.stream(f"a {of} file") or 0
        if second:
            data.skip_text("a handle's id")
        return size

    def _changelog(self, *, second: bool) -> int:
        data = self._data
        self._key_group_range()
        data.int64("the checkpointed size")
        size = 0
        for of in ("the materialized part", "the changes"):
            for _ in range(data.count(f"the number of handles of {of}")):
                state = self.keyed(f"{of} of a changelog")
                size += state.size if state else 0
        data.int64("the number of a materialization")
        if second:
            data.int64("the number of a checkpoint")
        data.skip_text("a handle's id")
        return size

    def _changes_in_memory(self) -> int:
        data = self._data
        self._key_group_range()
        data.skip(16, "the range of changes")
        size = 0
        for _ in range(data.count("the number of changes", 8)):
            data.int32("the key group of a change")
            size += data.skip_array("the bytes of a change", 1)
        data.skip_text("a handle's id")
        return size

    def _changes_in_files(self, *, second: bool) -> int:
        data = self._data
        self._key_group_range()
        for _ in range(data.count("the number of files of changes", 9)):
            data.int64("the offset of changes")
            self.stream("a file of changes")
        size = data.size("the size of changes")
        data.int64("the checkpointed size")
        data.skip_text("a handle's id")
        if second:
            data.skip_text("the storage of a changelog")
        return size

    # Operator state

    def operator(self, expected: str, *, raw: bool) -> OperatorState | None:
        """Return the operator state of a subtask, or None where it has none."""
        data, kind = self._data, self._type(expected)
        if kind == _NULL:
            return None
        if kind not in (_OPERATOR, _SEGMENT_OPERATOR):
            raise self._unknown(expected, kind)
        states = [
            self._named_state(raw=raw)
            for _ in range(data.count("the number of operator states", 7, _MOST_NAMES))
        ]
        if kind == _SEGMENT_OPERATOR:
            data.skip_text("the directory of a task")
            data.skip_text("the directory of shared files")
            data.byte("whether operator state is empty")
        return OperatorState(self.stream(expected) or 0, tuple(states))

    def _named_state(self, *, raw: bool) -> NamedState:
        name = self._data.text("the name of an operator state")
        begin = self._data.offset
        mode = self._data.byte("the mode of an operator state")
        if mode >= len(_MODES):
            raise MetadataError(begin, "the mode of an operator state", f"the unknown mode {mode}")
        self._data.skip_array("the offsets of an operator state", 8)
        return NamedState(name, StateKind.RAW_OPERATOR if raw else _MODES[mode])

    # Channel state: records in flight

    def channel(self, expected: str, *, second: bool) -> int:
        """Return the size of records in flight; `second` is the format since version 6."""
        data = self._data
        kind = self._type(expected) if second else _INPUT_CHANNEL
        if kind not in (_INPUT_CHANNEL, _OUTPUT_CHANNEL, _MERGED_INPUT, _MERGED_OUTPUT):
            raise self._unknown(expected, kind)
        data.count("the index of a subtask", 0)
        if kind in (_MERGED_INPUT, _MERGED_OUTPUT):
            size = data.size(f"the size of {expected}")
            self.stream(expected)
            data.skip_array("the offsets of channels", 1)
            return size
        data.skip(8, "the number of a channel")
        data.skip_array("the offsets of records in flight", 8)
        size = data.size(f"the size of {expected}")
        self.stream(expected)
        return size
