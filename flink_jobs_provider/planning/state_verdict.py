"""Whether a new version can go on from the state of a running one: decided from their job graphs.

Flink finds state by operator id: a hash of the operator's uid, or of its place in the topology
where it has none. Plans show the id of the first operator of each chain alone, and chains change
with the topology. So a program is also planned without chaining, which shows the ids of all
operators; those of operators without a uid may be other ones than when it runs. What is not known
from ids is said to be unknown: serializers, for one, are seen only when a version starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from flink_jobs_provider.model.job_graph import JobGraph, Vertex
from flink_jobs_provider.model.snapshot import size_text
from flink_jobs_provider.planning.held_state import HeldState


class Compatibility(StrEnum):
    """How the state of one version suits another one."""

    FITS = "fits"
    DROPS = "drops"
    CANNOT_RESTORE = "cannot restore"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Maxima:
    """The maximum parallelism that two versions are configured with; None where they are not.

    Flink takes over the maximum of a state where a version sets none, and refuses a state whose
    maximum is another one than is set (measured on 1.20.5 and 2.3.0). An operator may set its own.
    """

    old: int | None = None
    new: int | None = None

    def refuses(self, most: int, parallelisms: Iterable[int]) -> bool:
        """Whether a state is refused for the maximum that it has.

        Args:
            most: That maximum. It is taken for the operator's own where neither the old version's
                configuration nor its parallelism explains it.
            parallelisms: Those of the old version's vertices.
        """
        if self.new is None or self.new in (most, self.old):
            return False
        derived = self.old is None and most in map(_default_maximum, parallelisms)
        return derived or most == self.old


def _default_maximum(parallelism: int) -> int:
    """Return the maximum that Flink chooses (`KeyGroupRangeAssignment` of Flink)."""
    return min(max(1 << (parallelism + parallelism // 2 - 1).bit_length(), 1 << 7), 1 << 15)


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
    maxima: Maxima = Maxima(),
) -> StateVerdict:
    """Return whether a new version can go on from a state.

    Args:
        held: The state.
        old: The graphs of the version whose state it is, the first one as it ran; None where they
            are unknown.
        new: The graphs of the new version.
        finished: The operators that have come to the end of their input.
        maxima: The maximum parallelism that both are configured with.
    """
    found = _Comparison(old, new, maxima)
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
    def __init__(self, old: ProgramGraphs | None, new: ProgramGraphs, maxima: Maxima) -> None:
        self._maxima = maxima
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
        """Return why the parallelism of the new version does not suit a state; else nothing."""
        most = state.max_parallelism
        vertex = self._operators.get(state.id) or self._new.chained.by_id.get(state.id)
        if most is None or vertex is None:
            return ""
        name = state.name or vertex.name
        if vertex.parallelism > most:
            return (
                f"parallelism {vertex.parallelism} of {name} is above the maximum parallelism of "
                f"its state, {most}"
            )
        ran = self._ran.vertices if self._ran else ()
        if self._maxima.refuses(most, (each.parallelism for each in ran)):
            return (
                f"the maximum parallelism of the state of {name} is {most}, and "
                f"pipeline.max-parallelism is {self._maxima.new} now"
            )
        return ""

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


#: How a chain is described where pipeline.vertex-description-mode is CASCADING.
_CHAINED = " -> "


def _named(states: Iterable[HeldState]) -> str:
    return ", ".join(map(str, states))


def _size(states: Iterable[HeldState]) -> str:
    return size_text(sum(each.size or 0 for each in states))
