"""What is written down of a job that a system keeps by name."""

from __future__ import annotations

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, is_checkpoint, iso_time
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.marks import mark_of, read_mark
from flink_jobs_provider.reconciling.records import (
    add_aside,
    comes_back_to,
    done,
    keep,
    knows,
)

_REASONS = {
    Action.STOP: SavepointReason.STOP,
    Action.UPDATE: SavepointReason.UPDATE,
    Action.SAVEPOINT: SavepointReason.SAVEPOINT,
}


def is_another_run(record: JobRecord, row: ActionJob) -> bool:
    """Whether Flink's id tells that a job was started since it was recorded.

    A record names a job by the service's own id where Flink's was not told.
    """
    if row.job_id is None or row.job_id == record.job_id:
        return False
    return record.job_id is None or record.job_id != record.run_id


def with_row(record: JobRecord, row: ActionJob) -> JobRecord:
    """Put into a record which job it is: its ids, and what it does."""
    return record.model_copy(
        update={
            "run_id": row.run_id,
            "job_id": row.job_id or record.job_id,
            "status": row.status or record.status,
            "generation": record.generation + is_another_run(record, row),
            "started_at": iso_time(row.started) or record.started_at,
        }
    )


def with_savepoint_of(
    record: JobRecord, row: ActionJob, reason: SavepointReason, wanted: JobSpec
) -> JobRecord:
    """Put a row's last savepoint first, if the record does not know it yet."""
    path = row.last_savepoint
    if not path or knows(record, path):
        return record
    taken_at = "" if reason is SavepointReason.FOUND else None
    if is_checkpoint(path):
        return add_aside(record, path, reason)
    return keep(record, path, reason, wanted, taken_at=taken_at)


def blank(wanted: JobSpec, row: ActionJob) -> JobRecord:
    """Return the record of a job that no run has recorded yet."""
    return with_row(JobRecord(spec=wanted, status=JobStatus.RUNNING), row)


def stopped(base: JobRecord, wanted: JobSpec, row: ActionJob) -> JobRecord:
    """Return what is recorded of a job that was stopped with a savepoint."""
    record = with_savepoint_of(base, row, SavepointReason.STOP, wanted)
    output = row.output or f"Savepoint completed. Path: {row.last_savepoint}"
    return with_row(done(record, wanted, Action.STOP, output), row).model_copy(
        update={"status": JobStatus.STOPPED}
    )


def started(
    base: JobRecord | None,
    wanted: JobSpec,
    row: ActionJob,
    action: Action,
    origin: str | None,
) -> JobRecord:
    """Return what is recorded of a version that is up.

    Args:
        base: The record, with the savepoints that were found or taken on the way.
        wanted: The version.
        row: The job.
        action: What it was started by.
        origin: What it started from; none for nothing, or where only the system knows.
    """
    record = base or JobRecord(spec=wanted, status=JobStatus.RUNNING)
    # From a checkpoint of its own, or from its newest state: the system does not say which.
    from_own = not origin and action in (Action.LAST_STATE_UPDATE, Action.RE_LAUNCH)
    last = record.last_savepoint if from_own else comes_back_to(record, origin)
    output = row.output or (f"Job started from {origin}" if origin else "Job started")
    return with_row(done(record, wanted, action, output), row).model_copy(
        update={"last_savepoint": last, "restored_from": origin}
    )


def ended(base: JobRecord | None, wanted: JobSpec, row: ActionJob | None) -> JobRecord:
    """Return what is recorded of a job that is to be stopped, and does not run."""
    record = base or JobRecord(spec=wanted, status=JobStatus.STOPPED)
    if row is not None:
        record = with_row(record, row)
    return record.model_copy(update={"spec": wanted, "status": JobStatus.STOPPED})


def seen(recorded: JobRecord, row: ActionJob | None, other_version: bool) -> JobRecord:
    """Return a record as the system shows the job now."""
    quiet = recorded.model_copy(update={"duplicates": [], "other_version": False})
    if row is None:
        if recorded.job_id is None or not recorded.status.active:
            return quiet
        return quiet.model_copy(
            update={
                "status": JobStatus.LOST,
                "job_output": f"The job service no longer lists {recorded.spec.job_name}",
            }
        )
    record = with_savepoint_of(quiet, row, SavepointReason.FOUND, recorded.spec)
    record = with_row(record, row)
    active = row.active
    stopped = recorded.status is JobStatus.STOPPED and not active
    update: dict[str, object] = {"other_version": other_version and active}
    if stopped:
        update["status"] = JobStatus.STOPPED  # as it was recorded: it ended with its savepoint
    elif row.status is JobStatus.FAILED or row.stop_failed or row.status is None:
        said = f"The job service says {row.status_word or 'nothing'}"
        # What was said of the action before is no reason for what came after it.
        update["job_output"] = said if row.output in ("", recorded.job_output) else row.output
    if is_another_run(recorded, row):
        found = None if knows(recorded, row.last_savepoint) else row.last_savepoint
        origin = row.started_from or found or None
        if active:
            update["restored_from"] = origin
        update["spec"] = with_honoured(recorded.spec, row, origin)
    return record.model_copy(update=update)


def with_honoured(spec: JobSpec, row: ActionJob, origin: str | None) -> JobSpec:
    """Put into a spec the savepoint that was named to start from, in a run that nobody recorded.

    Args:
        spec: What is recorded.
        row: The job, which was started since.
        origin: What it may have started from: its mark tells whether that was named.
    """
    if origin and read_mark(row.version.mark).restore == mark_of(spec, origin).restore:
        return spec.model_copy(update={"restore_from": origin})
    return spec
