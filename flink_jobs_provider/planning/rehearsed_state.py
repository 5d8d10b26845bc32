"""Whether a copy of a job could commit what the job itself has yet to commit.

A sink that commits with checkpoints keeps in its state what it has written and not committed:
transactions, or files under temporary names. A copy that is restored with that state commits it as
well, or aborts it. So a sink has another uid in a rehearsal, and that state is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.snapshot import OperatorSnapshot, SnapshotMetadata

#: Names of operator state that holds what is yet to be committed, read from the classes of Flink
#: 1.17.2 to 2.0.1: of any sink with a committer (CommitterOperator), of StreamingFileSink and of
#: GenericWriteAheadSink.
_UNCOMMITTED = {"streaming_committer_raw_states", "bucket-states", "pending-checkpoints"}
#: That of TwoPhaseCommitSinkFunction, which is also a likely name of other state: it counts where
#: an operator has no output.
_UNCOMMITTED_AT_THE_END = "state"


@dataclass(frozen=True)
class RehearsedState:
    """How the state of a running version suits a copy of the next one.

    Attributes:
        restored: The sinks whose uncommitted output the copy would go on with.
        left_out: The operators of the next version that the copy does not have.
        why_unknown: Why sinks are not known; empty where they are.
    """

    restored: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    why_unknown: str = ""


def rehearsed_state(
    snapshot: SnapshotMetadata | None, wanted: JobGraph | None, copy: JobGraph | None
) -> RehearsedState:
    """Compare the newest snapshot of a job with a copy of its next version.

    Args:
        snapshot: It; None where it cannot be read.
        wanted: The next version, with each operator as a vertex; None where that is unavailable.
        copy: The copy of it, likewise.
    """
    if copy is None or wanted is None:
        return RehearsedState(why_unknown="its plan without chaining is unavailable")
    left_out = tuple(sorted(each.name for each in wanted.vertices if each.id not in copy.by_id))
    if snapshot is None:
        why = "the _metadata of the job's newest checkpoint or savepoint cannot be read from here"
        return RehearsedState(left_out=left_out, why_unknown=why)
    consumed = {source for each in copy.vertices for source in each.inputs}
    restored, strange = [], []
    for each in snapshot.operators:
        if not _holds_output(each, ends=each.id not in consumed):
            continue
        if each.id in copy.by_id:
            restored.append(copy.by_id[each.id].name)
        elif each.id not in wanted.by_id:
            strange.append(each.label)
    why = f"the plan does not show {', '.join(strange)}" if strange else ""
    return RehearsedState(tuple(restored), left_out, why)


def _holds_output(operator: OperatorSnapshot, *, ends: bool) -> bool:
    """Whether an operator keeps in its state what it has yet to commit."""
    names = {state.name for state in operator.states}
    return bool(names & _UNCOMMITTED) or (ends and _UNCOMMITTED_AT_THE_END in names)
