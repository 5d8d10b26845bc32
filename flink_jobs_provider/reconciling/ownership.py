"""Which row is a job's own, which run of it is meant, and whether that came to its own end.

Names may repeat, and a job service keeps no owner, and shows no jar's content. So a mark is written
alongside a version, where it is shown again, and shows a later run what an earlier one has done.
Its parts, in order, with dashes between them: digests of the job's name and owner, of the spec,
and, where a savepoint was named to start from, of that and of the run before: it was honoured when
another run is the last one.

A job service shows Flink's id of what runs, or when that was started, or both; and of an ended job
often the time alone. A savepoint belongs to one run, and a start makes another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from flink_jobs_provider.control_planes.service_planes import ActionJob
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.identity import JobKey, digest, restore_digest
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import Savepoint, iso_time
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import asks_for_new_run, asks_for_savepoint
from flink_jobs_provider.reconciling.job_errors import finished_meanwhile

_SPEC, _RUN = 32, 8


@dataclass(frozen=True)
class Mark:
    """The parts of a mark; empty texts where there is none."""

    key: str
    spec: str
    restore: str = ""
    before: str = ""

    def __str__(self) -> str:
        """Write it."""
        parts = (self.key, self.spec, self.restore, self.before)
        return "-".join(part for part in parts if part)

    def was_written_before(self, run: str) -> bool:
        """Whether it was written before a run began, which is then the one that it was for."""
        return bool(run) and self.before != digest_of_run(run)

    def is_of(self, *keys: JobKey) -> bool:
        """Whether it marks a job with one of these identities."""
        return any(self.key == key.prefix for key in keys)


def read_mark(text: str) -> Mark:
    """Read a mark back."""
    key, _, rest = text.partition("-")
    spec, _, rest = rest.partition("-")
    restore, _, before = rest.partition("-")
    return Mark(key, spec, restore, before)


def mark_of(spec: JobSpec, restore_from: str | None = None, before: str = "") -> Mark:
    """Return the mark of a spec.

    `restore_from` is the savepoint that is newly named to start from, and `before` the job's last
    run until then; empty for none.
    """
    restore = restore_digest(restore_from) if restore_from else ""
    run = digest_of_run(before) if restore_from and before else ""
    return Mark(spec.key.prefix, spec.digits(None)[:_SPEC], restore, run)


def digest_of_run(run: str) -> str:
    """Return what stands for a run."""
    return digest("run", run)[:_RUN]


Row = TypeVar("Row", bound=ActionJob)


def own_row(rows: Sequence[Row], recorded: JobRecord | None, wanted: JobSpec) -> Row | None:
    """Return the row of a job: the recorded one, or one that bears its mark.

    Raises:
        PermanentError: Several rows have its name, and which one is meant is unknown.
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


def copies_of(own: Row, rows: Sequence[Row]) -> list[Row]:
    """Return further rows of a job that run: of its name, and with the mark of the same owner."""
    key = read_mark(own.version.mark).key
    return [
        row
        for row in rows
        if key and row.active and row.run_id != own.run_id and row.job_name == own.job_name
        if read_mark(row.version.mark).key == key
    ]


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
    """Return what distinguishes the last run of a job from others; empty where nothing does.

    The time of its start goes first, since that is shown of ended jobs, too. The time of a job that
    has not come up is that of a start which came to nothing.
    """
    return _started_at(job) or _flink_id(job.job_id, job.run_id)


def recorded_run(recorded: JobRecord) -> str:
    """Return what distinguishes the run that a record names; empty where nothing does."""
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


def distinguishes_runs(job: ActionJob, recorded: JobRecord) -> bool:
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
    """Whether Flink's id shows that a job was started since it was recorded."""
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
    job: ActionJob, recorded: JobRecord | None, wanted: JobSpec, *, same: bool, named: str | None
) -> bool:
    """Whether nothing asks for a new run of a job that came to its own end.

    `same` is whether the row shows the version that is wanted, and `named` the savepoint that is
    newly named to start from.

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


def goes_on_as_recorded(job: ActionJob, recorded: JobRecord | None, *, same_run: bool) -> bool:
    """Whether a job goes on as it is recorded, rather than that a run which died has started it."""
    if recorded is None or not is_recorded(job, recorded):
        return False
    ran = recorded.spec.desired_state is DesiredState.RUNNING and not recorded.other_version
    return same_run and (ran or has_finished(job, recorded))


def asks_for_its_savepoint(recorded: JobRecord | None, wanted: JobSpec) -> bool:
    """Whether a savepoint is asked for of a job that was recorded, and goes on."""
    if recorded is None or wanted.desired_state is DesiredState.STOPPED:
        return False
    return asks_for_savepoint(recorded, wanted)


def is_over(recorded: JobRecord | None, wanted: JobSpec) -> bool:
    """Whether a job that no service lists any more had finished, and no new run is asked for."""
    if recorded is None or recorded.status is not JobStatus.FINISHED:
        return False
    return not asks_for_new_run(recorded, wanted)


def last_known(recorded: JobRecord | None) -> str | None:
    """Return where a new run of a finished job starts, as its plan shows; None for nothing."""
    return (recorded.last_savepoint or recorded.restored_from) if recorded else None
