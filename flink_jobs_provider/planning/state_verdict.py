"""Whether a new version can go on from the state of a running one: decided from their job graphs.

Flink finds state by operator id: a hash of the operator's uid, or of its place in the topology
where it has none. Plans show the id of the first operator of each chain alone, and chains change
with the topology. So a program is also planned without chaining, which shows the ids of all
operators; those of operators without a uid may be other ones than when it runs. What is not known
from ids is said to be unknown: serializers, for one, are seen only when a version starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from flink_jobs_provider.model.job_graph import JobGraph, Vertex
from flink_jobs_provider.model.snapshot import SnapshotMetadata, StateKind, size_text


class Compatibility(StrEnum):
    """How the state of one version suits another one."""

    FITS = "fits"
    DROPS = "drops"
    CANNOT_RESTORE = "cannot restore"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class HeldState:
    """State of one operator; or of a chain, where it is not known which of its operators hold it.

    Attributes:
        id: The operator's id, or that of the first one of the chain.
        name: How it is described; empty where that is unknown.
        size: Its bytes; None where they are unknown.
        max_parallelism: The most subtasks that it can be restored to; None where that is unknown.
        has_uid: Whether its id is surely that of a uid.
        of_chain: Whether it is of a chain.
    """

    id: str
    name: str = ""
    size: int | None = None
    max_parallelism: int | None = None
    has_uid: bool = False
    of_chain: bool = False

    def __str__(self) -> str:
        """Name it, with its id."""
        return f"{self.name} ({self.id})" if self.name else self.id


@dataclass(frozen=True)
class Held:
    """What a running version has.

    Attributes:
        states: All its state.
        finished: The operators all of whose subtasks have come to the end of their input.
    """

    states: tuple[HeldState, ...]
    finished: tuple[HeldState, ...] = ()


@dataclass(frozen=True)
class ProgramGraphs:
    """The graphs of one program.

    Attributes:
        chained: As it runs.
        unchained: With each operator as a vertex of its own; None where it was not planned so.
    """

    chained: JobGraph
    unchained: JobGraph | None = None


@dataclass(frozen=True)
class StateVerdict:
    """Whether a version can go on from a state, and of what that was found.

    Attributes:
        held: All state there is.
        dropped: What the new version has no operator for.
        unrestorable: Why Flink would refuse the state, a clause for each reason.
        unknown: What may be restored or not.
        finished: What has come to the end of its input, and has other operators next to it.
        without_uid: The names of operators without a uid, which make it so.
        why_unknown: Why nothing was compared, a clause; empty where something was.
        plans: How often `main` was run to find out.
    """

    held: tuple[HeldState, ...] = ()
    dropped: tuple[HeldState, ...] = ()
    unrestorable: tuple[str, ...] = ()
    unknown: tuple[HeldState, ...] = ()
    finished: tuple[HeldState, ...] = ()
    without_uid: tuple[str, ...] = ()
    why_unknown: str = ""
    plans: int = 0

    @property
    def compatibility(self) -> Compatibility:
        """The worst of what was found."""
        if self.unrestorable:
            return Compatibility.CANNOT_RESTORE
        if self.dropped:
            return Compatibility.DROPS
        if self.unknown or self.finished or self.why_unknown:
            return Compatibility.CANNOT_TELL
        return Compatibility.FITS

    def of(self, state: HeldState) -> Compatibility:
        """Return how one state suits the new version; a reason of `unrestorable` names its own."""
        if state in self.dropped:
            return Compatibility.DROPS
        return Compatibility.CANNOT_TELL if state in self.unknown else Compatibility.FITS

    @property
    def size_dropped(self) -> str:
        """The size of the state that would be dropped, as a text."""
        return _size(self.dropped)

    @property
    def names_dropped(self) -> str:
        """What would be dropped, by name and id."""
        return _named(self.dropped)

    def __str__(self) -> str:
        """Return it as a clause of the plan line."""
        kind = self.compatibility
        if kind is Compatibility.CANNOT_RESTORE:
            return f"state CANNOT BE RESTORED: {'; '.join(self.unrestorable)}"
        if kind is Compatibility.DROPS:
            return f"STATE IS DROPPED: {self.size_dropped} of {self.names_dropped}"
        if kind is Compatibility.CANNOT_TELL and self.why_unknown:
            return f"state was not compared: {self.why_unknown}"
        if kind is Compatibility.CANNOT_TELL:
            return f"whether state fits is unknown: {self.doubt}"
        if not self.held:
            return "it has no state"
        what = "chain" if any(each.of_chain for each in self.held) else "operator"
        sized = all(each.size is not None for each in self.held)
        size = f", {_size(self.held)}" if sized else ""
        return f"state fits ({len(self.held)} {what}{'' if len(self.held) == 1 else 's'}{size})"

    @property
    def doubt(self) -> str:
        """Why it is unknown whether the state fits."""
        if self.without_uid:
            return f"no uid is set for {', '.join(self.without_uid)}"
        if not self.unknown:
            return (
                f"{_named(self.finished)} came to the end of its input, and the new version has "
                "other operators before it or in its chain, which Flink refuses where they are new"
            )
        return f"the plan of the new version does not show {_named(self.unknown)}"


def compare(
    held: Sequence[HeldState],
    old: ProgramGraphs | None,
    new: ProgramGraphs,
    finished: Sequence[HeldState] = (),
) -> StateVerdict:
    """Return whether a new version can go on from a state.

    Args:
        held: The state.
        old: The graphs of the version whose state it is, the first one as it ran; None where they
            are unknown.
        new: The graphs of the new version.
        finished: The operators that have come to the end of their input.
    """
    found = _Comparison(old, new)
    dropped, unknown = [], []
    for each in held:
        place = found.place_of(each)
        if place is _Place.GONE and each.size is not None:
            dropped.append(each)
        elif place is not _Place.THERE:
            unknown.append(each)
    return StateVerdict(
        held=tuple(held),
        dropped=tuple(dropped),
        unrestorable=tuple(filter(None, map(found.exceeded, held))),
        unknown=tuple(unknown),
        finished=tuple(each for each in finished if found.has_other_neighbours(each.id)),
        without_uid=found.names_without_uid(unknown),
    )


class _Place(StrEnum):
    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"


class _Comparison:
    def __init__(self, old: ProgramGraphs | None, new: ProgramGraphs) -> None:
        self._ran = old.chained if old else None
        self._old = old.unchained if old else None
        self._new = new
        self._operators = new.unchained.by_id if new.unchained else {}

    @cached_property
    def _same(self) -> bool:
        """Whether both programs have the same operators at the same places."""
        new = self._new
        if self._ran is None or self._old is None or new.unchained is None:
            return False
        same = self._old.shape == new.unchained.shape
        return same and self._ran.shape == new.chained.shape

    def place_of(self, state: HeldState) -> _Place:
        """Return whether the new version has the operators of a state."""
        if state.of_chain:
            return self._place_of_chain(state)
        if self._has(state.id):
            return _Place.THERE
        if self._is_gone_head(state.id):
            return _Place.GONE
        shown = self._is_there_by_place(state.id)
        planned = self._new.unchained is not None  # else what is within its chains is not shown
        if planned and not shown and (state.has_uid or self._had_uid(state.id)):
            return _Place.GONE
        return _Place.THERE if self._same else _Place.UNKNOWN

    def _place_of_chain(self, state: HeldState) -> _Place:
        vertex = self._vertex(state.id)
        if self._same:
            return _Place.THERE if state.id in self._new.chained.by_id else _Place.UNKNOWN
        members = self._members(vertex)
        if not members:
            alone = vertex is not None and len(vertex.operators) == 1
            alone = alone and _CHAINED not in state.name
            return _Place.THERE if alone and self._has(state.id) else _Place.UNKNOWN
        if all(self._has(member.id) for member in members):
            return _Place.THERE
        here = [member for member in members if member.id in self._operators]
        if self._operators and not here and all(self._had_uid(member.id) for member in members):
            return _Place.GONE
        return _Place.GONE if self._is_gone_head(state.id) else _Place.UNKNOWN

    def _vertex(self, operator: str) -> Vertex | None:
        """Return the vertex of the job that began with an operator, or None."""
        return self._ran.by_id.get(operator) if self._ran else None

    def _members(self, vertex: Vertex | None) -> list[Vertex]:
        """Return the operators of a chain, as they are shown without chaining."""
        if vertex is None or self._old is None or not vertex.operators:
            return []
        found = [each for each in self._old.vertices if each.described[0] in vertex.described]
        return found if len(found) >= len(vertex.operators) else []

    def _has(self, operator: str) -> bool:
        """Whether the new version surely has an operator: its id is that of a uid."""
        new = self._new.unchained
        return new is not None and operator in new.by_id and operator not in new.without_uid

    def _is_there_by_place(self, operator: str) -> bool:
        """Whether the new version has an operator of this id, which may be another one."""
        return operator in self._operators or operator in self._new.chained.by_id

    def _had_uid(self, operator: str) -> bool:
        old = self._old
        return old is not None and operator in old.by_id and operator not in old.without_uid

    def _is_gone_head(self, operator: str) -> bool:
        """Whether an operator is gone that would begin a chain in any version, and so be shown.

        A source does, and one that takes records by key.
        """
        vertex = self._vertex(operator)
        if vertex is None or self._new.unchained is None or self._old is None:
            return False
        if operator in self._new.chained.by_id:
            return False
        heads = self._heads(vertex)
        shown = any(self._has(each) or each in self._new.chained.by_id for each in heads)
        return bool(heads) and not shown and (vertex.source or vertex.keyed)

    def _heads(self, vertex: Vertex) -> list[str]:
        """Return the ids of a chain's first operator: `main` may make another one each time."""
        members = self._members(vertex)
        same = [each.id for each in members if each.id == vertex.id]
        return same or [each.id for each in members if each.described[0] == vertex.described[0]]

    def has_other_neighbours(self, operator: str) -> bool:
        """Whether a chain that an operator begins has other operators now, or other inputs.

        Flink refuses a chain of which some operators have come to the end of their input and others
        have not, and one before which others go on (VertexFinishedStateChecker; measured on 2.3.0).
        """
        before, after = self._vertex(operator), self._new.chained.by_id.get(operator)
        if before is None or after is None:
            return False
        return (before.described, before.inputs) != (after.described, after.inputs)

    def exceeded(self, state: HeldState) -> str:
        """Return why the parallelism of the new version is too high for a state; else nothing."""
        most = state.max_parallelism
        vertex = self._operators.get(state.id) or self._new.chained.by_id.get(state.id)
        if most is None or vertex is None or vertex.parallelism <= most:
            return ""
        name = state.name or vertex.name
        return (
            f"parallelism {vertex.parallelism} of {name} is above the maximum parallelism of its "
            f"state, {most}"
        )

    def names_without_uid(self, unknown: Iterable[HeldState]) -> tuple[str, ...]:
        """Return the names of the operators without a uid, whose state may not be found again."""
        old, new = self._old, self._new.unchained
        anonymous = {*(old.without_uid if old else ()), *(new.without_uid if new else ())}
        names: dict[str, None] = {}
        for state in unknown:
            vertex = self._vertex(state.id)
            members = self._members(vertex) if state.of_chain else []
            for member in members:
                if member.id in anonymous:
                    names[member.name] = None
            hidden = old is not None and state.id not in old.by_id
            if not members and (state.id in anonymous or hidden) and not state.has_uid:
                names[str(state)] = None
        return tuple(names)


def held_in(snapshot: SnapshotMetadata, names: Mapping[str, str], *, drained: bool) -> Held:
    """Return the state of a snapshot, and what of it has come to the end of its input.

    Args:
        snapshot: The newest one.
        names: Names of operators by id, for snapshots that have none.
        drained: Whether the new version starts from a savepoint: then no records are in flight, and
            no files are merged, so that what has nothing else has no state.
    """
    states = {
        each: HeldState(
            each.id,
            each.name or names.get(each.id, ""),
            each.size,
            each.max_parallelism,
            has_uid=bool(each.uid),
        )
        for each in snapshot.operators
    }
    return Held(
        tuple(
            state
            for each, state in states.items()
            if each.has_state and (not drained or set(each.kinds) - _IN_FLIGHT)
        ),
        tuple(
            state for each, state in states.items() if each.finished_subtasks == each.parallelism
        ),
    )


#: How a chain is described where pipeline.vertex-description-mode is CASCADING.
_CHAINED = " -> "
_IN_FLIGHT = {StateKind.INPUT_CHANNEL, StateKind.OUTPUT_CHANNEL}


def _named(states: Iterable[HeldState]) -> str:
    return ", ".join(map(str, states))


def _size(states: Iterable[HeldState]) -> str:
    return size_text(sum(each.size or 0 for each in states))
