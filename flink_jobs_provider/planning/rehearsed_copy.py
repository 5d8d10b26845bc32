"""What is rehearsed of an update, and as what; where nothing is, why not."""

from __future__ import annotations

from flink_jobs_provider.model.action import STARTS, Action
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.flink_options import DISCARDED, RETENTION
from flink_jobs_provider.model.health_gate import HealthGate, OnGateFailure
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.rehearsal import SAME_OUTPUT, Rehearsal
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.planning.rehearsed_state import RehearsedState


def rehearsal_of(wanted: JobSpec) -> JobSpec:
    """Return the copy of a version that is rehearsed: as a job, it has an identity of its own.

    Nobody goes on from its checkpoints, so they end with it.
    """
    rehearsal, gate = wanted.rehearsal or Rehearsal(), wanted.health or HealthGate()
    window = rehearsal.window or gate.window
    options = {**wanted.flink_configuration, RETENTION: DISCARDED, **rehearsal.flink_configuration}
    return wanted.model_copy(
        update={
            "job_name": wanted.key.rehearsal.name,
            "args": wanted.args if rehearsal.args is None else rehearsal.args,
            "flink_configuration": options,
            "parallelism": rehearsal.parallelism or wanted.parallelism,
            "parallelism_managed_by": ParallelismManager.PROVIDER,
            "health": gate.model_copy(
                update={"window": window, "on_failure": OnGateFailure.ROLLBACK}
            ),
            "restore_from": None,
            "rehearsal": None,
        }
    )


def refusal_to_rehearse(wanted: JobSpec) -> PermanentError | None:
    """Return the refusal to rehearse a version that would write where the job itself does."""
    rehearsal = wanted.rehearsal
    if rehearsal is None or rehearsal.changes(wanted.args, wanted.flink_configuration):
        return None
    return PermanentError(
        f"{wanted.job_name}: {{field}}: {SAME_OUTPUT}",
        now="The job is untouched",
        field="rehearsal",
    )


def refusal_of_sinks(found: RehearsedState, wanted: JobSpec, now: str) -> PermanentError | None:
    """Return the refusal of a copy that would commit what the job has yet to commit, or None."""
    rehearsal = wanted.rehearsal
    if not found.restored or (rehearsal and rehearsal.allow_restored_sinks):
        return None
    return PermanentError(
        f"{wanted.job_name}: {{field}}: the copy would go on from the state of "
        f"{' and '.join(found.restored)}, and commit what the job itself has yet to commit",
        now=now,
        field="rehearsal",
        remedy="Give that sink another uid in the rehearsal, by an argument of the program; or set "
        "allow_restored_sinks in rehearsal, if its state never holds output that is not committed",
    )


def sinks_text(found: RehearsedState) -> str:
    """Return what a rehearsal leaves out, or what is not known of its sinks; empty for neither."""
    parts = []
    if found.left_out:
        parts.append(f"the rehearsal leaves out the state of {' and '.join(found.left_out)}")
    if found.why_unknown:
        parts.append(
            "whether the rehearsal commits what sinks of the job have yet to commit is unknown: "
            f"{found.why_unknown}"
        )
    return "; ".join(parts)


def obstacle_to_rehearsal(
    action: Action, mode: UpgradeMode, *, rescales: bool, moves: bool, names_start: bool
) -> str | None:
    """Return why nothing is rehearsed although `rehearsal` is declared; None where it is.

    It is empty for an action that starts no version.

    Args:
        action: What is planned. It is no UPDATE where no version runs.
        mode: How state is carried over.
        rescales: Whether the running version is rescaled.
        moves: Whether the job is started on another cluster.
        names_start: Whether it starts from a newly named `restore_from`.
    """
    if action not in STARTS:
        return ""
    if rescales:
        return "the version that runs goes on"
    if moves:
        return "a move starts the version that ran"
    if names_start:
        return "it starts from restore_from, not from the state of now"
    if action is Action.UPDATE and mode is UpgradeMode.BLUE_GREEN:
        return "blue-green starts it alongside the running version in any case"
    if action is Action.UPDATE:
        return None
    return _UNREHEARSED.get(action, "no version runs whose state it could start from")


_UNREHEARSED = {
    Action.STATELESS_UPDATE: "it starts without state",
    Action.LAST_STATE_UPDATE: "last-state takes no savepoint of a running job",
}
