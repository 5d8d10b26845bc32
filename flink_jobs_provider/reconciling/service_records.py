"""What is written down of a job that a system keeps by name."""

from __future__ import annotations

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.identity import restore_digest
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, is_checkpoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.finished_jobs import has_finished
from flink_jobs_provider.reconciling.record_updates import (
    add_aside,
    comes_back_to,
    done,
    keep,
    knows,
)
from flink_jobs_provider.reconciling.runs import (
    is_another_id,
    ran_since,
    recorded_run,
    run_of,
    with_run,
)
from flink_jobs_provider.reconciling.version_marker import read_mark

_REASONS = {
    Action.STOP: SavepointReason.STOP,
    Action.UPDATE: SavepointReason.UPDATE,
    Action.SAVEPOINT: SavepointReason.SAVEPOINT,
}


def with_row(record: JobRecord, row: ActionJob) -> JobRecord:
    """Put into a record which job it is: its ids, and what it does."""
    return with_run(record, row).model_copy(update={"status": row.status or record.status})


def with_savepoint_of(
    record: JobRecord,
    row: ActionJob,
    reason: SavepointReason,
    wanted: JobSpec,
    run: str | None = None,
) -> JobRecord:
    """Put a row's last savepoint first, if the record does not know it yet.

    Args:
        record: The record.
        row: The job.
        reason: Why it was taken.
        wanted: The job as it should be.
        run: The run that it was taken of, empty where that is not known; the row's last one if none
            is given.
    """
    path = row.last_savepoint
    run = (run_of(row) or recorded_run(record)) if run is None else run
    if not path or knows(record, path):
        return record
    taken_at = "" if reason is SavepointReason.FOUND else None
    if is_checkpoint(path):
        return add_aside(record, path, reason, run)
    return keep(record, path, reason, wanted, taken_at=taken_at, run=run)


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
    """Return what is recorded of a job that does not run, and is not to be started."""
    record = base or JobRecord(spec=wanted, status=JobStatus.STOPPED)
    finished = record.status is JobStatus.FINISHED
    if row is not None:
        finished = has_finished(row, base)
        record = with_row(record, row)
    status = JobStatus.FINISHED if finished else JobStatus.STOPPED
    return record.model_copy(update={"spec": wanted, "status": status})


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
    ran = ran_since(row, recorded)
    run = "" if ran else None  # whether its savepoint is newer than the start is not told
    record = with_savepoint_of(quiet, row, SavepointReason.FOUND, recorded.spec, run)
    record = with_row(record, row)
    active = row.active
    stopped = recorded.status is JobStatus.STOPPED and not active and not ran
    update: dict[str, object] = {"other_version": other_version and active}
    if stopped:
        update["status"] = JobStatus.STOPPED  # as it was recorded: it ended with its savepoint
    elif row.status is JobStatus.FAILED or row.stop_failed or row.status is None:
        said = f"The job service says {row.status_word or 'nothing'}"
        # What was said of the action before is no reason for what came after it.
        update["job_output"] = said if row.output in ("", recorded.job_output) else row.output
    if is_another_id(recorded, row) and active:
        found = None if knows(recorded, row.last_savepoint) else row.last_savepoint
        update["restored_from"] = row.started_from or found or None
    if ran:
        update["honoured"] = honoured_by(row)
    return record.model_copy(update=update)


def honoured_by(row: ActionJob) -> str | None:
    """Return what stands for the savepoint that the last run was named to start from, if any."""
    mark = read_mark(row.version.mark)
    if mark.key:
        return mark.restore or None if mark.was_written_before(run_of(row)) else None
    return restore_digest(row.restored_from) if row.restored_from else None
