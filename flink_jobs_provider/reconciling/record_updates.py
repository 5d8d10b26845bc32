"""What is recorded of a job after an action, on Flink itself and on job services."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from flink_jobs_provider.control_planes.service_planes import ActionJob
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.identity import restore_digest
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    Savepoint,
    SavepointReason,
    epoch_seconds,
    is_checkpoint,
    iso_time,
    same_path,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.ownership import (
    has_finished,
    is_another_id,
    ran_since,
    read_mark,
    recorded_run,
    run_of,
    with_run,
)

#: The beginning of the output of a job that had ended before it was to be stopped.
NOTHING_TO_STOP = "Nothing was left to stop"
#: Older ones are no longer listed in the record; their files are never touched.
SAVEPOINTS_LISTED = 50


def now_text() -> str:
    """Return the present time as records write it."""
    return iso_time(time.time() * 1000)


def savepoint_output(path: str) -> str:
    """Return what is recorded as the output of a savepoint."""
    return f"Savepoint completed. Path: {path}"


def record_of(wanted: JobSpec, job: ObservedJob) -> JobRecord:
    """Return the record of a submission that no run has recorded yet."""
    return JobRecord(spec=wanted, status=job.status, job_id=job.job_id, generation=job.generation)


def keep(
    record: JobRecord,
    path: str,
    reason: SavepointReason,
    taken_at: str | None = None,
    run: str = "",
) -> JobRecord:
    """Return a record with a savepoint put first; it was taken now where no time is given."""
    when = now_text() if taken_at is None else taken_at
    return record.with_savepoint(Savepoint(path=path, taken_at=when, reason=reason, run=run))


def knows(recorded: JobRecord, path: str) -> bool:
    """Whether a record names a savepoint, however it is spelt."""
    origins = (recorded.last_savepoint, recorded.restored_from, recorded.spec.restore_from)
    paths = [*origins, *(savepoint.path for savepoint in recorded.savepoints)]
    return any(known and same_path(known, path) for known in paths)


def recorded_state(recorded: JobRecord) -> list[tuple[float, RestorePoint]]:
    """Return the newest state that the record names: its last savepoint, or its origin.

    Of a job that was lost before it was to be stopped, and of a first version that failed, it is
    the checkpoint that was left.

    What a version started from is newer than a savepoint taken before: an update of `last-state`
    records no savepoint.
    """
    names_it = recorded.status is JobStatus.STOPPED or recorded.never_came_up
    if names_it and (left := recorded.restore_point):
        return [(epoch_seconds(left.taken_at), left)]
    last, origin = recorded.last_savepoint or "", recorded.restored_from
    of_this_version = recorded.status is JobStatus.STOPPED or f"/{recorded.job_id}/" in last
    if origin and not (last and of_this_version):
        when = recorded.taken_at(origin)
        return [(epoch_seconds(when or recorded.taken_at(last)), RestorePoint.at(origin, when))]
    when = recorded.taken_at(last)
    return [(epoch_seconds(when), RestorePoint(last, "savepoint", when))] if last else []


def older_savepoint(record: JobRecord | None, than: str) -> str | None:
    """Return the savepoint that a record lists after another one, with its time, or None."""
    listed = [
        known
        for known in (record.savepoints if record else [])
        if known.reason is not SavepointReason.DUPLICATE and not is_checkpoint(known.path)
    ]
    at = next((i for i, known in enumerate(listed) if same_path(known.path, than)), -1)
    found = next((known for known in listed[at + 1 :] if not same_path(known.path, than)), None)
    if found is None:
        return None
    return f"{found.path} (taken at {found.taken_at or 'an unknown time'})"


def last_known(record: JobRecord | None, *states: str | None) -> str:
    """Return a clause that names a job's last known savepoints, the newest first, unverified."""
    paths = list(dict.fromkeys(path for path in states if path))
    if not paths:
        return "no savepoint of it is known"
    text = f"the last savepoint of it that is known is {', and of just before that '.join(paths)}"
    older = older_savepoint(record, paths[-1])
    return f"{text}; the next older one is {older}" if older else text


def with_found(recorded: JobRecord, point: RestorePoint | None) -> JobRecord:
    """Return the record with a savepoint that it does not name yet."""
    if point is None or point.what != "savepoint":
        return recorded
    if same_path(point.path, recorded.last_savepoint):
        return recorded
    return keep(recorded, point.path, SavepointReason.FOUND, point.taken_at)


def add_aside(record: JobRecord, path: str, reason: SavepointReason, run: str = "") -> JobRecord:
    """List a savepoint that is not of the state that the job goes on with."""
    others = [known for known in record.savepoints if known.path != path]
    extra = Savepoint(path=path, taken_at=now_text(), reason=reason, run=run)
    return record.model_copy(update={"savepoints": [extra, *others]})


def comes_back_to(record: JobRecord, restored_from: str | None) -> str | None:
    """Return the savepoint that a version just started would come back to.

    A fresh start has none; a checkpoint belongs to Flink and may go, so the savepoint before it
    stays the last one.
    """
    if restored_from is None:
        return None
    if is_checkpoint(restored_from):
        return record.last_savepoint
    return restored_from


def done(record: JobRecord, wanted: JobSpec, action: Action | None, output: str) -> JobRecord:
    """Record an action that succeeded.

    Where old savepoints are disposed of, all are listed: one that is not would be kept for good.
    """
    listed = None if wanted.savepoint_retention else SAVEPOINTS_LISTED
    return record.model_copy(
        update={
            "spec": wanted,
            "action": action,
            "action_result": ActionResult.SUCCESS if action else None,
            "job_output": output,
            "savepoints": record.savepoints[:listed],
            "duplicates": [],
            "other_version": False,
            "rescaled": None,
            "restore_point": None,
            "gate_failed": None,
        }
    )


def with_row(record: JobRecord, row: ActionJob) -> JobRecord:
    """Return a record with the ids and the status of a row."""
    return with_run(record, row).model_copy(update={"status": row.status or record.status})


def with_savepoint_of(
    record: JobRecord,
    row: ActionJob,
    reason: SavepointReason,
    run: str | None = None,
) -> JobRecord:
    """Return a record with a row's last savepoint put first, if it does not list it yet.

    `run` is the run that it was taken of, empty where that is not known; the row's last one if none
    is given.
    """
    path = row.last_savepoint
    run = (run_of(row) or recorded_run(record)) if run is None else run
    if not path or knows(record, path):
        return record
    taken_at = "" if reason is SavepointReason.FOUND else None
    if is_checkpoint(path):
        return add_aside(record, path, reason, run)
    return keep(record, path, reason, taken_at, run)


def blank(wanted: JobSpec, row: ActionJob) -> JobRecord:
    """Return the record of a job that has run, and that no run has recorded yet."""
    row = replace(row, job_id=row.job_id or row.run_id)  # it must not look new
    return with_row(JobRecord(spec=wanted, status=JobStatus.RUNNING), row)


def stopped(base: JobRecord, wanted: JobSpec, row: ActionJob) -> JobRecord:
    """Return what is recorded of a job that was stopped with a savepoint."""
    record = with_savepoint_of(base, row, SavepointReason.STOP)
    output = row.output or savepoint_output(row.last_savepoint)
    return with_row(done(record, wanted, Action.STOP, output), row).model_copy(
        update={"status": JobStatus.STOPPED}
    )


def started(
    base: JobRecord | None, wanted: JobSpec, row: ActionJob, action: Action, origin: str | None
) -> JobRecord:
    """Return what is recorded of a version that is up.

    `origin` is what it started from; None for nothing, or where only the system knows.
    """
    record = base or JobRecord(spec=wanted, status=JobStatus.RUNNING)
    if row.job_id is None and record.job_id is None:
        row = replace(row, job_id=row.run_id)  # one that has run must not look new
    # From a checkpoint of its own, or from its newest state: the system does not show which.
    own = (Action.LAST_STATE_UPDATE, Action.RE_LAUNCH, Action.UPDATE, Action.START)
    from_own = not origin and action in own
    last = record.last_savepoint if from_own else comes_back_to(record, origin)
    output = row.output or (f"Job started from {origin}" if origin else "Job started")
    return with_row(done(record, wanted, action, output), row).model_copy(
        update={"last_savepoint": last, "restored_from": origin}
    )


def ended(
    base: JobRecord | None, wanted: JobSpec, row: ActionJob | None, *, saved: bool
) -> JobRecord:
    """Return what is recorded of a job that does not run, and is not to be started.

    `saved` is whether it ended with a savepoint, by a stop of somebody else or of a run that died.
    """
    record = base or JobRecord(spec=wanted, status=JobStatus.STOPPED)
    finished = record.status is JobStatus.FINISHED
    if row is not None:
        finished = has_finished(row, base)
        record = with_row(record, row)
    status = JobStatus.FINISHED if finished else JobStatus.STOPPED
    output = record.job_output
    if base and base.job_id and base.status is not JobStatus.STOPPED and not (finished or saved):
        how = f"is {row.status_word}" if row else "is no longer listed"
        state = last_known(base, base.last_savepoint)
        output = f"{NOTHING_TO_STOP}: job {base.job_id} {how}; {state}"
    return record.model_copy(update={"spec": wanted, "status": status, "job_output": output})


def seen(
    recorded: JobRecord,
    row: ActionJob | None,
    *,
    other_version: bool,
    copies: Sequence[ActionJob] = (),
) -> JobRecord:
    """Return a record as the system shows the job now, and further copies of it that run."""
    duplicates = [each.job_id or each.run_id for each in copies]
    quiet = recorded.model_copy(update={"duplicates": duplicates, "other_version": False})
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
    run = "" if ran else None  # whether its savepoint is newer than the start is unknown
    record = with_savepoint_of(quiet, row, SavepointReason.FOUND, run)
    record = with_row(record, row)
    active = row.active
    stopped = recorded.status is JobStatus.STOPPED and not active and not ran
    update: dict[str, object] = {"other_version": other_version and active}
    if stopped:
        update["status"] = JobStatus.STOPPED  # as it was recorded: it ended with its savepoint
    elif row.status is JobStatus.FAILED or row.stop_failed or row.status is None:
        said = f"The job service reports {row.status_word or 'no status'}"
        # What was reported of the action before is no reason for what came after it.
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
