"""A whole `_metadata` file: versions 2 to 6 of the format (MetadataV2Serializer to V6).

| version | written by Flink | what it brought |
|---|---|---|
| 1 | 1.1 and 1.2 | tasks instead of operators; Flink no longer reads it |
| 2 | 1.3 to 1.10 | operators by their ids |
| 3 | 1.11 to 1.14 | coordinator state, records in flight |
| 4 | 1.15 to 1.20 | the properties of the snapshot, at the end |
| 5 | 2.0 | names and uids of operators |
| 6 | 2.1 and later | records in flight of several channels in one handle |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from flink_jobs_provider.artifacts.snapshot_metadata.data_input import (
    DataInput,
    MetadataError,
)
from flink_jobs_provider.artifacts.snapshot_metadata.java_objects import (
    STREAM_HEADER,
    JavaObject,
    JavaObjects,
)
from flink_jobs_provider.artifacts.snapshot_metadata.state_handles import StateHandles
from flink_jobs_provider.model.snapshot import (
    FIRST_WITH_UIDS,
    KeyedFormat,
    MasterState,
    NamedState,
    OperatorSnapshot,
    SnapshotMetadata,
    SnapshotProperties,
    StateKind,
)

MAGIC: Final = 0x4960672D
PROPERTIES_CLASS: Final = "org.apache.flink.runtime.checkpoint.CheckpointProperties"
#: Since this version the file ends with the snapshot's properties.
FIRST_WITH_PROPERTIES: Final = 4
_FIRST_WITH_COORDINATORS, _FIRST_WITH_MERGED_CHANNELS = 3, 6
_OLDEST, _NEWEST = 2, 6
#: How much is kept of one file: more operators, names, and bytes of properties than Flink writes.
_MOST_OPERATORS, _MOST_NAMES, _LONGEST_PROPERTIES = 100_000, 20_000, 65_536
_MASTER_STATE: Final = 0xC96B1696 - 2**32  # as a signed number


class UnknownVersion(MetadataError):
    """The format of the file is one that is not known here."""

    def __init__(self, version: int) -> None:
        expected = f"a version of the format from {_OLDEST} to {_NEWEST}"
        what = " (of Flink 1.1 or 1.2, which Flink itself no longer reads)" if version == 1 else ""
        super().__init__(4, expected, f"version {version}{what}")
        self.version = version


def parse_metadata(data: bytes) -> SnapshotMetadata:
    """Return what a `_metadata` file tells.

    Raises:
        UnknownVersion: Its format is not known here.
        MetadataError: It is no such file, is cut off, or holds what Flink would not write.
    """
    source = DataInput(data)
    magic = source.int32("the magic number of Flink's _metadata files")
    if magic != MAGIC:
        raise MetadataError(0, "the magic number of Flink's _metadata files", f"{magic % 2**32:#x}")
    version = source.int32("the version of the format")
    if not _OLDEST <= version <= _NEWEST:
        raise UnknownVersion(version)
    checkpoint_id = source.size("the number of the checkpoint")
    masters = tuple(
        _master_state(source)
        for _ in range(source.count("the number of master states", 18, _MOST_OPERATORS))
    )
    operators = _Operators(source, version)
    found = tuple(
        operators.next()
        for _ in range(source.count("the number of operators", 32, _MOST_OPERATORS))
    )
    properties = _properties(source) if version >= FIRST_WITH_PROPERTIES else None
    if source.left:
        raise MetadataError(source.offset, "the end of the file", f"{source.left} bytes more")
    return SnapshotMetadata(version, checkpoint_id, found, masters, properties)


def _master_state(source: DataInput) -> MasterState:
    begin = source.offset
    if source.int32("a master state") != _MASTER_STATE:
        raise MetadataError(begin, "the magic number of a master state", "another number")
    whole = source.count("the bytes of a master state")
    begin = source.offset
    version = source.int32("the version of a master state")
    name = source.text("the name of a master state")
    size = source.skip_array("the bytes of a master state", 1)
    if source.offset != begin + whole:
        raise MetadataError(
            begin, f"a master state of {whole} bytes", f"one of {source.offset - begin}"
        )
    return MasterState(name, version, size)


@dataclass
class _Collected:
    """What the subtasks of one operator have."""

    has_state: bool = False
    stateful: int = 0
    finished: int = 0
    size: int = 0
    kinds: set[StateKind] = field(default_factory=set)
    # By their order, since a dict has one.
    states: dict[NamedState, None] = field(default_factory=dict)
    keyed_format: KeyedFormat | None = None


class _Operators:
    """Reads operators, one after the other, in the layout of a version."""

    def __init__(self, source: DataInput, version: int) -> None:
        self._source = source
        self._version = version
        self._handles = StateHandles(source)
        self._names = 0

    def next(self) -> OperatorSnapshot:
        """Read one operator."""
        source, version = self._source, self._version
        name = source.text("the name of an operator") if version >= FIRST_WITH_UIDS else ""
        uid = source.text("the uid of an operator") if version >= FIRST_WITH_UIDS else ""
        id_ = source.take(16, "the id of an operator").hex()
        parallelism = source.positive("the parallelism of an operator")
        max_parallelism = source.positive("the max parallelism of an operator")
        collected = _Collected()
        coordinator = self._coordinator(collected)
        self._subtasks(parallelism, collected)
        return OperatorSnapshot(
            id=id_,
            name=name,
            uid=uid,
            parallelism=parallelism,
            max_parallelism=max_parallelism,
            stateful_subtasks=collected.stateful,
            finished_subtasks=collected.finished,
            kinds=tuple(kind for kind in StateKind if kind in collected.kinds),
            has_state=collected.has_state,
            states=tuple(collected.states),
            keyed_format=collected.keyed_format,
            size=collected.size + coordinator,
            coordinator_size=coordinator,
        )

    def _coordinator(self, collected: _Collected) -> int:
        """Return the size of a coordinator's state."""
        if self._version < _FIRST_WITH_COORDINATORS:
            self._source.int32("the length of a chain")
            return 0
        found = self._handles.bytes_only("the state of a coordinator")
        if found is None:
            return 0
        collected.has_state = True
        collected.kinds.add(StateKind.COORDINATOR)
        return found

    def _subtasks(self, parallelism: int, collected: _Collected) -> None:
        source = self._source
        begin = source.offset
        count = source.int32("the number of subtasks")
        if count == -1 and self._version >= _FIRST_WITH_COORDINATORS:
            collected.finished = parallelism
            return
        if not 0 <= count <= parallelism:
            raise MetadataError(begin, f"the number of subtasks, {parallelism} at most", str(count))
        for _ in range(count):
            begin = source.offset
            index = source.int32("the index of a subtask")
            finished = index < 0 and self._version >= _FIRST_WITH_COORDINATORS
            if finished:
                index = -1 - index
            if not 0 <= index < parallelism:
                raise MetadataError(
                    begin, f"the index of one of {parallelism} subtasks", str(index)
                )
            if finished:
                collected.finished += 1
            elif self._subtask(collected):
                collected.stateful += 1

    def _subtask(self, collected: _Collected) -> bool:
        """Read a subtask, and return whether it has state."""
        if self._version < _FIRST_WITH_COORDINATORS:
            self._source.int64("the duration of a checkpoint")
            begin = self._source.offset
            if self._source.int32("the number of legacy states") > 0:
                raise MetadataError(begin, "no state of Flink 1.1", "some, which Flink drops")
        some = [
            self._operator_state("the operator state of a subtask", collected, raw=False),
            self._operator_state("the raw operator state of a subtask", collected, raw=True),
            self._keyed_state("the keyed state of a subtask", StateKind.KEYED, collected),
            self._keyed_state("the raw keyed state of a subtask", StateKind.RAW_KEYED, collected),
        ]
        if self._version >= _FIRST_WITH_COORDINATORS:
            some += [
                self._channels("input", StateKind.INPUT_CHANNEL, collected),
                self._channels("output", StateKind.OUTPUT_CHANNEL, collected),
            ]
        return any(some)

    def _operator_state(self, expected: str, collected: _Collected, *, raw: bool) -> bool:
        if not self._source.int32(f"whether there is {expected}"):
            return False
        state = self._handles.operator(expected, raw=raw)
        if state is None:
            return False
        collected.size += state.size
        before = len(collected.states)
        for named in state.states:
            collected.states[named] = None
            collected.kinds.add(named.kind)
        self._names += len(collected.states) - before
        if self._names > _MOST_NAMES:
            raise MetadataError(
                self._source.offset, f"{_MOST_NAMES} operator states at most", "one more"
            )
        if state.size and not state.states:
            collected.kinds.add(StateKind.RAW_OPERATOR if raw else StateKind.LIST)
        collected.has_state = True
        return bool(state.size or state.states)

    def _keyed_state(self, expected: str, kind: StateKind, collected: _Collected) -> bool:
        state = self._handles.keyed(expected)
        if state is None:
            return False
        collected.size += state.size
        collected.has_state = True
        collected.kinds.add(kind)
        if kind is StateKind.KEYED:
            collected.keyed_format = state.format
        return True

    def _channels(self, side: str, kind: StateKind, collected: _Collected) -> bool:
        merged = self._version >= _FIRST_WITH_MERGED_CHANNELS
        count = self._source.count(f"the number of {side} channels with records", 21)
        for _ in range(count):
            collected.size += self._handles.channel(f"{side} channel state", second=merged)
            collected.has_state = True
            collected.kinds.add(kind)
        return count > 0


def _properties(source: DataInput) -> SnapshotProperties:
    begin = source.offset
    if source.left > _LONGEST_PROPERTIES:
        raise MetadataError(
            begin, f"properties of {_LONGEST_PROPERTIES} bytes at most", f"{source.left} bytes"
        )
    if source.take(len(STREAM_HEADER), "the properties of the snapshot") != STREAM_HEADER:
        raise MetadataError(begin, "the properties of the snapshot", "no Java object")
    found = JavaObjects(source).value()
    if not isinstance(found, JavaObject) or found.class_name != PROPERTIES_CLASS:
        raise MetadataError(begin, "the properties of the snapshot", "another Java object")
    type_ = found.fields.get("checkpointType")
    if not isinstance(type_, JavaObject):
        raise MetadataError(begin, "the type of the snapshot", "none")
    savepoint = type_.class_name.endswith(".SavepointType")
    format_ = type_.fields.get("formatType")
    return SnapshotProperties(
        what="savepoint" if savepoint else "checkpoint",
        type_name=str(type_.fields.get("name") or ""),
        savepoint_format=str(format_).lower() if savepoint and format_ else "",
        unclaimed=found.fields.get("unclaimed") is True,
    )
