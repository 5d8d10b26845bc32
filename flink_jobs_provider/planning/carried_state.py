"""The state that a job goes on from, as plans, deletions and warnings name it."""

from __future__ import annotations

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import age
from flink_jobs_provider.model.spec import JobSpec, OnDelete, UpgradeMode
from flink_jobs_provider.wire.hdinsight import last_state_prefix


def newest_state(recorded: JobRecord, wanted: JobSpec, now: float) -> str:
    """Return the state that a job which does not run goes on from, as far as it is known."""
    stopped, target = recorded.status is JobStatus.STOPPED, wanted.target
    if not target.dates_savepoints and not stopped:
        return "its newest state, if that is known to be newer than its last start"
    if target.finds_newest_state and not stopped:
        return "its newest savepoint or checkpoint"
    return _known(recorded, now) or "its newest savepoint or checkpoint"


def last_state(recorded: JobRecord, now: float) -> str | None:
    """Return the last state of a job that a record knows, with its age; None for none."""
    return _known(recorded, now) or recorded.restored_from


def start_of_new_run(recorded: JobRecord, now: float) -> str:
    """Return what a new run of a finished job starts from."""
    where = last_state(recorded, now)
    if where is None:
        return "start from nothing, since no state is known of the run that finished"
    return f"start from {where}, so that what the finished run did after it is done again"


def last_words(recorded: JobRecord, now: float) -> str | None:
    """Return where the last state of a job is that was deleted without a savepoint, or None.

    None is for a job that was cancelled, as `on_delete` asks for, and has no known state.
    """
    happened = last_state_prefix(recorded.spec.job_name)
    if recorded.status is JobStatus.LOST:
        happened += "; its cluster no longer knew it (LOST)"
    if recorded.status is not JobStatus.STOPPED:
        happened += ", no savepoint was taken of it"
    point = recorded.restore_point
    if point:
        broken = f", which {point.broken}" if point.broken else ""
        return f"{happened}; its last known state is {point.told(now)}{broken}"
    last = last_state(recorded, now)
    if last:
        return f"{happened}; its last known state is {last}"
    asked = recorded.spec.on_delete is OnDelete.CANCEL and recorded.status is not JobStatus.LOST
    return None if asked or recorded.job_id is None else f"{happened}; no state of it is known"


def retention_warning(job_name: str) -> str:
    """Return the warning of a job whose checkpoints are not retained."""
    return (
        f"warning: the checkpoints of {job_name} do not survive a cancel: a cancel from outside "
        f"sets it back to its last savepoint. Set {RETENTION} to {RETAINED} in its "
        "flink_configuration, or in the cluster's configuration"
    )


def is_set_back_by_a_cancel(record: JobRecord, wanted: JobSpec) -> bool:
    """Whether a job runs whose checkpoints are not retained, though its spec does not ask for that.

    Another value of the option asks for it, and so does dropping the state with each update. A
    change of the option has yet to take effect.
    """
    if record.retains_checkpoints is not False or not record.status.active:
        return False
    if wanted.upgrade_mode is UpgradeMode.STATELESS:
        return False
    chosen = wanted.flink_configuration.get(RETENTION)
    return chosen is None or chosen == RETAINED == record.spec.flink_configuration.get(RETENTION)


def _known(recorded: JobRecord, now: float) -> str | None:
    """Return the state that a refresh has found, or that is recorded, with its age."""
    if point := recorded.restore_point:
        told = point.told(now)
        if not point.broken:
            return told
        checked = recorded.spec.target.checks_state_before_start
        fate = "this is refused" if checked else "a start from it fails"
        return f"{told}, WHICH {point.broken.upper()}: {fate}"
    path = recorded.last_savepoint
    times = {known.path: known.taken_at for known in recorded.savepoints}
    taken_at = times.get(path or "", "")
    return f"{path} ({age(taken_at, now)})" if taken_at else path
