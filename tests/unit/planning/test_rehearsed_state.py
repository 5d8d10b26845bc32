"""Whether a copy would commit what its job has yet to commit, by the names of operator state."""

from __future__ import annotations

import pytest

from flink_jobs_provider.model.job_graph import JobGraph, Vertex
from flink_jobs_provider.model.snapshot import (
    NamedState,
    OperatorSnapshot,
    SnapshotMetadata,
    StateKind,
)
from flink_jobs_provider.planning.rehearsed_state import RehearsedState, rehearsed_state

SOURCE = Vertex("a" * 32, ("numbers",), source=True)
WRITER = Vertex("b" * 32, ("lines: Writer",), inputs=(SOURCE.id,))
COMMITTER = Vertex("c" * 32, ("lines: Committer",), inputs=(WRITER.id,))
WANTED = JobGraph(1, (SOURCE, WRITER, COMMITTER))
ELSEWHERE = JobGraph(1, (SOURCE, Vertex("d" * 32, inputs=(SOURCE.id,))))


def snapshot(operator: str, *states: str) -> SnapshotMetadata:
    """Return a snapshot in which one operator has list states of these names."""
    named = tuple(NamedState(name, StateKind.LIST) for name in states)
    return SnapshotMetadata(5, 1, (OperatorSnapshot(operator, states=named),))


@pytest.mark.parametrize(
    ("vertex", "state", "restored"),
    [
        (COMMITTER, "streaming_committer_raw_states", True),
        (WRITER, "bucket-states", True),
        (WRITER, "pending-checkpoints", True),
        (COMMITTER, "state", True),
        (WRITER, "state", False),
        (WRITER, "writer_raw_states", False),
        (SOURCE, "SourceReaderState", False),
    ],
)
def test_state_with_output_that_is_not_committed(
    vertex: Vertex, state: str, restored: bool
) -> None:
    found = rehearsed_state(snapshot(vertex.id, state), WANTED, WANTED)
    assert found == RehearsedState((vertex.name,) if restored else ())


def test_a_sink_with_another_uid_is_left_out() -> None:
    held = snapshot(COMMITTER.id, "streaming_committer_raw_states")
    found = rehearsed_state(held, WANTED, ELSEWHERE)
    assert found == RehearsedState(left_out=("lines: Committer", "lines: Writer"))


def test_what_is_unknown() -> None:
    """Shows a snapshot that cannot be read, a plan without ids, and a sink without a uid."""
    unread = rehearsed_state(None, WANTED, ELSEWHERE)
    assert "cannot be read from here" in unread.why_unknown
    assert unread.left_out
    for wanted, copy in ((None, WANTED), (WANTED, None)):
        unplanned = rehearsed_state(None, wanted, copy)
        assert "its plan without chaining is unavailable" in unplanned.why_unknown
    strange = rehearsed_state(snapshot("e" * 32, "bucket-states"), WANTED, WANTED)
    assert strange == RehearsedState(why_unknown=f"the plan does not show {'e' * 32}")
