"""What a job's state is, and whether it has started from a named savepoint before. No I/O."""

from __future__ import annotations

from flink_jobs_provider.control_planes.step_plane import StepJob
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.ownership import (
    is_of_recorded_run,
    is_recorded,
    ran_since,
    recorded_run,
    run_of,
    tells_runs,
)
from flink_jobs_provider.reconciling.record_updates import knows
from flink_jobs_provider.reconciling.restore_history import unclear
from flink_jobs_provider.reconciling.version_marker import Mark, mark_of, read_mark

#: Why savepoints are taken that end a run.
_STOPS = (SavepointReason.STOP, SavepointReason.UPDATE)


def is_draft(job: StepJob, recorded: JobRecord | None, tells_starts: bool) -> bool:
    """Whether a job was created and has never come up.

    Args:
        job: How it is shown.
        recorded: The record in the state.
        tells_starts: Whether a job that shows no time of its last start surely never came up.
    """
    if recorded is not None and recorded.job_id is not None and is_recorded(job, recorded):
        return False
    return (job.unborn and job.job_id is None) or (tells_starts and job.started == 0)


def was_imported(job: StepJob, wanted: JobSpec) -> bool:
    """Whether a job's savepoint is one that was named to start from, and none of its own."""
    restore = read_mark(job.version.mark).restore
    return bool(restore) and restore == mark_of(wanted, job.last_savepoint).restore


def status_of(job: StepJob, recorded: JobRecord | None) -> JobStatus | None:
    """Return what a job does: one that ended with a savepoint was stopped."""
    if job.status is not JobStatus.CANCELED:
        return job.status
    if recorded and recorded.status is JobStatus.STOPPED and is_recorded(job, recorded):
        return JobStatus.CANCELED if ran_since(job, recorded) else JobStatus.STOPPED
    new = job.last_savepoint and (recorded is None or not knows(recorded, job.last_savepoint))
    return JobStatus.STOPPED if new and not ran_since(job, recorded) else JobStatus.CANCELED


def newest_savepoint(job: StepJob, recorded: JobRecord | None, wanted: JobSpec) -> str | None:
    """Return a savepoint that was surely taken of the last run of a job, or None."""
    shown, finished = job.last_savepoint, job.status is JobStatus.FINISHED
    if recorded is None or not is_recorded(job, recorded):
        its_own = not was_imported(job, wanted) and not (recorded and knows(recorded, shown))
        return (shown or None) if its_own and not finished else None
    if ran_since(job, recorded):
        return None
    if shown and not knows(recorded, shown) and not finished:
        return shown
    if not recorded_run(recorded):  # nothing tells its runs apart, but that it was stopped
        ended = recorded.status is JobStatus.STOPPED and same_path(shown, recorded.last_savepoint)
        return shown if ended and not same_path(shown, recorded.restored_from) else None
    of_last_run = (each for each in recorded.savepoints if is_of_recorded_run(each, recorded))
    # What a job that came to its own end had done by then is not done again.
    return next((each.path for each in of_last_run if not finished or each.reason in _STOPS), None)


def check_restore(job: StepJob, wanted: JobSpec) -> None:
    """Raise where a job that no record names might be set back to where it started long ago.

    Raises:
        RestoreUnclear: It has run, and whether it has started from the named savepoint is unknown.
    """
    named = wanted.restore_from
    if named is None or not run_of(job):
        return
    mark, right = read_mark(job.version.mark), mark_of(wanted, named)
    pending = mark.restore == right.restore and bool(mark.key)
    if not pending and not honoured(job, None, mark, right, named):
        raise unclear(wanted, job.job_id or job.run_id, "is there already")


def honoured(job: StepJob, recorded: JobRecord | None, mark: Mark, right: Mark, named: str) -> bool:
    """Whether an earlier run, whose record was lost, has started a job from a named savepoint.

    Its mark alone does not say that: it is written before the job is run.
    """
    if mark.key and mark.restore != right.restore:
        return False
    if not mark.key and not same_path(job.last_savepoint, named):
        return False
    known = recorded is not None and recorded.job_id and is_recorded(job, recorded)
    if recorded is not None and known and tells_runs(job, recorded):
        # One that is asked for again is honoured again: nothing was started since.
        ran = ran_since(job, recorded)
        return ran and (not mark.key or mark.was_written_before(run_of(job)))
    if job.active:
        return True
    return mark.was_written_before(run_of(job)) if mark.key else bool(run_of(job))
