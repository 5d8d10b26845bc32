"""What a savepoint or checkpoint holds, operator by operator, as its `_metadata` file lists it.

A snapshot is Flink's word for either of the two (SnapshotType).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StateKind(StrEnum):
    """A kind of state that an operator has in a snapshot, in the order in which it is listed."""

    KEYED = "keyed"
    #: What an operator writes by key itself, such as timers on the heap beside RocksDB.
    RAW_KEYED = "raw keyed"
    #: Operator state that is split among the subtasks (OperatorStateStore.getListState).
    LIST = "list"
    UNION = "union list"
    BROADCAST = "broadcast"
    RAW_OPERATOR = "raw operator"
    #: Records in flight, of an unaligned checkpoint.
    INPUT_CHANNEL = "input channel"
    OUTPUT_CHANNEL = "output channel"
    #: State of an operator coordinator, such as the enumerator of a source.
    COORDINATOR = "coordinator"


class KeyedFormat(StrEnum):
    """How keyed state is stored, which decides what else can read it."""

    #: The format of a savepoint that every state backend reads.
    CANONICAL = "canonical"
    #: One file of a heap state backend, or of one that writes full checkpoints.
    FULL = "full"
    #: Files that several checkpoints may share (RocksDB, ForSt).
    INCREMENTAL = "incremental"
    CHANGELOG = "changelog"


@dataclass(frozen=True, slots=True)
class NamedState:
    """One operator state by its name: list, union list, broadcast, or raw operator state."""

    name: str
    kind: StateKind


@dataclass(frozen=True, slots=True)
class OperatorSnapshot:
    """The state of one operator.

    Attributes:
        id: 32 hex digits: with unchained operators, the id of its node in the plan of a jar.
        name: Its name; empty before format version 5 (Flink 1.20 and older).
        uid: The uid that its program sets; empty where it sets none, or before format version 5.
        parallelism: With which it ran.
        max_parallelism: How many key groups its keyed state has: the limit of its parallelism.
        stateful_subtasks: How many of its subtasks have state.
        finished_subtasks: How many of its subtasks had come to the end of their input.
        kinds: What state it has, in the order of StateKind.
        has_state: Whether a program without this operator cannot start from the snapshot, unless it
            allows non-restored state. That is Flink's rule (Checkpoints.loadAndValidateCheckpoint),
            which counts handles, also empty ones: where files of checkpoints are merged, each
            operator of a task with state has one.
        states: Its operator states by name. The names of keyed states are in the state's own files.
        keyed_format: How its keyed state is stored; None where it has none.
        size: Bytes of state, that of its coordinator included.
        coordinator_size: Bytes of its coordinator's state, which the `state_size` of a checkpoint
            in the REST API leaves out.
    """

    id: str
    name: str = ""
    uid: str = ""
    parallelism: int = 1
    max_parallelism: int = 1
    stateful_subtasks: int = 0
    finished_subtasks: int = 0
    kinds: tuple[StateKind, ...] = ()
    has_state: bool = False
    states: tuple[NamedState, ...] = ()
    keyed_format: KeyedFormat | None = None
    size: int = 0
    coordinator_size: int = 0

    @property
    def label(self) -> str:
        """What a person knows it by: its name, else its uid, else its id."""
        return self.name or self.uid or self.id


@dataclass(frozen=True, slots=True)
class MasterState:
    """State of a hook in the JobManager, which few sources register."""

    name: str
    version: int
    size: int


@dataclass(frozen=True, slots=True)
class SnapshotProperties:
    """The properties that a snapshot was taken with; Flink writes them since 1.15.

    Attributes:
        what: "savepoint" or "checkpoint".
        type_name: Flink's name of the type, such as "Suspend Savepoint" or "Full Checkpoint".
        savepoint_format: "canonical" or "native"; empty for a checkpoint.
        unclaimed: Whether it is a savepoint that no job owns, as Flink records it.
    """

    what: str
    type_name: str
    savepoint_format: str = ""
    unclaimed: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotMetadata:
    """What the `_metadata` file of a savepoint or checkpoint tells.

    Attributes:
        format_version: The version of the file's format.
        checkpoint_id: The number of the checkpoint or savepoint within its job.
        properties: None before format version 4 (Flink 1.14 and older).
    """

    format_version: int
    checkpoint_id: int
    operators: tuple[OperatorSnapshot, ...]
    master_states: tuple[MasterState, ...] = ()
    properties: SnapshotProperties | None = None

    @property
    def size(self) -> int:
        """Bytes of state of all operators."""
        return sum(operator.size for operator in self.operators)

    @property
    def knows_uids(self) -> bool:
        """Whether its format has the operators' names and uids."""
        return self.format_version >= FIRST_WITH_UIDS


#: The version of the format since which it has the operators' names and uids.
FIRST_WITH_UIDS = 5


def size_text(count: int) -> str:
    """Return a number of bytes in a unit that people read."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
