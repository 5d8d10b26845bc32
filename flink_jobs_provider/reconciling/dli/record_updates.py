"""What is written down of a job that was stopped, started, or found started by steps."""

from __future__ import annotations

from dataclasses import replace

from flink_jobs_provider.control_planes.step_plane import StepJob
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling.record_updates import add_aside
from flink_jobs_provider.reconciling.service_records import started

#: What a version is called that was started in the place of another.
UPDATES = {
    UpgradeMode.SAVEPOINT: Action.UPDATE,
    UpgradeMode.LAST_STATE: Action.LAST_STATE_UPDATE,
    UpgradeMode.STATELESS: Action.STATELESS_UPDATE,
}


def telling_where(after: StepJob, lasts: bool) -> StepJob:
    """Have a stopped job say where its savepoint lies, and whether the service may delete it."""
    said = f"Savepoint completed. Path: {after.last_savepoint}"
    if not lasts:
        said += (
            ". The service deletes it when the job starts again: set savepoint_directory to have "
            "another one taken there"
        )
    return replace(after, output=said)


def warning(record: JobRecord, wanted: JobSpec) -> JobRecord:
    """Have the record of a version say that the service may delete what it was started from."""
    said = f"{record.job_output.rstrip('.')}. The service may delete that savepoint now: "
    if wanted.savepoint_directory:
        said += f"look for another one below {wanted.savepoint_directory}"
    else:
        said += "set savepoint_directory to have another one taken there before each stop"
    return record.model_copy(update={"job_output": said})


def adopted(
    recorded: JobRecord | None, base: JobRecord | None, wanted: JobSpec, job: StepJob
) -> JobRecord:
    """Take over the wanted version, which a run that died has started.

    Args:
        recorded: What the state says.
        base: That, with what was found on the way.
        wanted: The version.
        job: How it is shown.
    """
    if recorded is None or recorded.job_id is None:
        origin = job.started_from or wanted.restore_from
        return started(base, wanted, job, Action.NEW, origin)
    stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
    if newly_restores(recorded, wanted):
        origin = wanted.restore_from
    else:
        origin = None if stateless else job.last_savepoint or recorded.last_savepoint
    action = UPDATES[wanted.upgrade_mode]
    if recorded.spec.desired_state is DesiredState.STOPPED:
        action = Action.STATELESS_UPDATE if stateless else Action.START
    base = base or recorded
    if not stateless and job.last_savepoint and not same_path(origin, job.last_savepoint):
        base = add_aside(base, job.last_savepoint, SavepointReason.FOUND)
    return started(base, wanted, job, action, job.started_from or origin)
