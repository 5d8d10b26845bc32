"""The state that a running version has, operator by operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flink_jobs_provider.model.snapshot import SnapshotMetadata, StateKind

_IN_FLIGHT = {StateKind.INPUT_CHANNEL, StateKind.OUTPUT_CHANNEL}


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
