"""A change of target that carries the job to another Flink cluster with its state."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.inputs import Cost
from flink_jobs_provider.model.record import Adopted, JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.diff import changes

_KINDS = ("flink", "flink")


def is_move(recorded: JobRecord, wanted: JobSpec) -> bool:
    """Whether a change carries a job to another cluster: `move` asks for it, and it has state."""
    changed = changes(recorded.spec, wanted)
    replaced = [change.name for change in changed if change.cost is Cost.REPLACE]
    return (
        wanted.move
        and replaced == ["target"]
        and (recorded.spec.target.kind, wanted.target.kind) == _KINDS
        and recorded.job_id is not None
        and recorded.status is not JobStatus.FINISHED
        and wanted.desired_state is DesiredState.RUNNING
        and wanted.upgrade_mode is not UpgradeMode.STATELESS
        and not any(change.name == "restore_from" for change in changed)
    )


def refusal_to_move(recorded: JobRecord, wanted: JobSpec, reasons: Sequence[str]) -> str:
    """Return why a job is not moved with these changes; empty where it is.

    The version that is moved is the one that runs: so it is known what to go back to, and that its
    state fits.
    """
    costs = [change.cost for change in changes(recorded.spec, wanted)]
    name = wanted.job_name
    if recorded.adopted not in (None, Adopted.SAME_VERSION):
        return (
            f"{name}: job {recorded.job_id} was adopted and has not been restarted since, so that "
            "its program is not known. The job is untouched. Restart it where it is, with a change "
            "of restart_trigger, and move it then."
        )
    if recorded.unconfirmed:
        return (
            f"{name}: job {recorded.unconfirmed} was submitted and may yet start where the job is. "
            "The job is untouched. Undo the change of target, and run again; move it then."
        )
    if Cost.RESTART in costs:
        return (
            f"{name}: a job is moved as it is, and these change: {', '.join(reasons)}. The job is "
            "untouched. Change its target alone, and the rest in a run before or after."
        )
    return ""
