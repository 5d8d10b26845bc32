"""Which run of a job is meant: a savepoint belongs to one, and a start makes another.

A job service tells Flink's id of what runs, or when it was started, or both; and of an ended job
often the time alone.
"""

from __future__ import annotations

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint, iso_time


def run_of(job: ActionJob) -> str:
    """Return what tells the last run of a job from others; empty where nothing does.

    The time of its start goes first, since that is told of ended jobs, too. The time of a job that
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
    """Whether it can be told if a job was started since it was recorded."""
    ids = _flink_id(job.job_id, job.run_id) and _flink_id(recorded.job_id, recorded.run_id)
    return bool(ids or (recorded.started_at and _started_at(job)))


def with_run(record: JobRecord, job: ActionJob) -> JobRecord:
    """Put into a record which run of the job is the last one.

    A record names a run by the service's own id of the job where Flink's is not told.
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
