"""Which row is a job's own, which run of it is meant, and whether that came to its own end.

Names may repeat, and a job service keeps no owner. It tells Flink's id of what runs, or when that
was started, or both; and of an ended job often the time alone. A savepoint belongs to one run, and
a start makes another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint, iso_time
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import asks_for_new_run
from flink_jobs_provider.reconciling.refusals import finished_meanwhile
from flink_jobs_provider.reconciling.version_marker import read_mark

Row = TypeVar("Row", bound=ActionJob)


def own_row(rows: Sequence[Row], recorded: JobRecord | None, wanted: JobSpec) -> Row | None:
    """Return the row of a job: the recorded one, or one that bears its mark.

    Raises:
        PermanentError: Several rows have its name, and nothing tells which one is meant.
    """
    named = [row for row in rows if row.job_name == wanted.job_name]
    for found in (_recorded(named, recorded), _marked(named, recorded, wanted)):
        if len(found) == 1:
            return found[0]
    if len(named) > 1:
        raise PermanentError(
            f"{wanted.job_name}: {len(named)} jobs have this name, and none of them alone is known "
            f"to be the one that is meant: {'; '.join(map(str, named))}",
            now="None of them was touched",
            remedy="Delete those that are not needed, so that one is left",
        )
    return None


def stranger(rows: Sequence[Row], own: Row | None, wanted: JobSpec) -> Row | None:
    """Return the row that has a job's name and is not known as its own, or None."""
    return next((row for row in rows if own is None and row.job_name == wanted.job_name), None)


def is_recorded(row: ActionJob, recorded: JobRecord | None) -> bool:
    """Whether a row is the one that the record names."""
    if recorded is None:
        return False
    if recorded.run_id:
        return row.run_id == recorded.run_id
    return recorded.job_id is not None and row.job_id == recorded.job_id


def _recorded(named: list[Row], recorded: JobRecord | None) -> list[Row]:
    if recorded is None:
        return []
    by_run = [row for row in named if recorded.run_id and row.run_id == recorded.run_id]
    # One version of the API calls a run by the job's name, so two rows may have one run id.
    by_job = [row for row in by_run or named if recorded.job_id and row.job_id == recorded.job_id]
    return by_job if len(by_job) == 1 else by_run


def _marked(named: list[Row], recorded: JobRecord | None, wanted: JobSpec) -> list[Row]:
    keys = [wanted.key, *([recorded.spec.key] if recorded else [])]
    return [row for row in named if read_mark(row.version.mark).is_of(*keys)]


def run_of(job: ActionJob) -> str:
    """Return what tells the last run of a job from others; empty where nothing does.

    The time of its start goes first, since that is shown of ended jobs, too. The time of a job that
    has not come up is that of a start which came to nothing.
    """
    return _started_at(job) or _flink_id(job.job_id, job.run_id)


def recorded_run(recorded: JobRecord) -> str:
    """Return what tells the run that a record names from others; empty where nothing does."""
    return recorded.started_at or _flink_id(recorded.job_id, recorded.run_id)


def is_of_recorded_run(savepoint: Savepoint, recorded: JobRecord) -> bool:
    """Whether a savepoint was surely taken of the run that a record names."""
    names = {_flink_id(recorded.job_id, recorded.run_id), recorded.started_at or ""}
    return savepoint.run in names - {""}


def ran_since(job: ActionJob, recorded: JobRecord | None) -> bool:
    """Whether a job was started since it was recorded: by Flink's ids, else by the time."""
    if recorded is None:
        return False
    now, then = (_flink_id(each.job_id, each.run_id) for each in (job, recorded))
    if now and then:
        return now != then
    return bool(recorded.started_at) and _started_at(job) > str(recorded.started_at)


def tells_runs(job: ActionJob, recorded: JobRecord) -> bool:
    """Whether it is known if a job was started since it was recorded."""
    ids = _flink_id(job.job_id, job.run_id) and _flink_id(recorded.job_id, recorded.run_id)
    return bool(ids or (recorded.started_at and _started_at(job)))


def with_run(record: JobRecord, job: ActionJob) -> JobRecord:
    """Return a record with the ids of the last run of a row.

    A record names a run by the service's own id of the job where Flink's is unknown.
    """
    again = is_another_id(record, job)
    job_id = job.job_id or (job.run_id if ran_since(job, record) else record.job_id)
    return record.model_copy(
        update={
            "run_id": job.run_id,
            "job_id": job_id,
            "generation": record.generation + again,
            "started_at": _started_at(job) or record.started_at,
        }
    )


def is_another_id(record: JobRecord, job: ActionJob) -> bool:
    """Whether Flink's id tells that a job was started since it was recorded."""
    if job.job_id is None or job.job_id == record.job_id:
        return False
    return record.job_id is None or record.job_id != record.run_id


def _flink_id(job_id: str | None, run_id: str | None) -> str:
    return job_id if job_id and job_id != run_id else ""


def _started_at(job: ActionJob) -> str:
    return "" if job.unborn else iso_time(job.started)


def has_finished(job: ActionJob, recorded: JobRecord | None) -> bool:
    """Whether a job came to its own end; one that was recorded as stopped did not."""
    if job.status is not JobStatus.FINISHED:
        return False
    if recorded is None or recorded.status is not JobStatus.STOPPED:
        return True
    return not is_recorded(job, recorded) or ran_since(job, recorded)


def stays_finished(
    job: ActionJob, recorded: JobRecord | None, wanted: JobSpec, same: bool, named: str | None
) -> bool:
    """Whether nothing asks for a new run of a job that came to its own end.

    Args:
        job: The job's row, which says that it finished.
        recorded: The record in the state.
        wanted: The job as it should be.
        same: Whether the row shows the version that is wanted.
        named: The savepoint that is newly named to start from.

    Raises:
        StateUnavailable: A new run is asked for, and the plan was made for a job that runs.
    """
    if recorded is None or not is_recorded(job, recorded):
        return same and named is None
    if not asks_for_new_run(recorded, wanted):
        return True
    if same and named is None and (recorded.status.active or ran_since(job, recorded)):
        return True  # a run that died has started it, and it has finished since
    stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
    if recorded.status.active and named is None and not stateless:
        raise finished_meanwhile(wanted, job.job_id or job.run_id)
    return False


def is_over(recorded: JobRecord | None, wanted: JobSpec) -> bool:
    """Whether a job that no service lists any more had finished, and no new run is asked for."""
    if recorded is None or recorded.status is not JobStatus.FINISHED:
        return False
    return not asks_for_new_run(recorded, wanted)


def last_known(recorded: JobRecord | None) -> str | None:
    """Return where a new run of a finished job starts, as its plan says; None for nothing."""
    return (recorded.last_savepoint or recorded.restored_from) if recorded else None
