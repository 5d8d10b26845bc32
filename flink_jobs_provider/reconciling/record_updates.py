"""What is written down of a job after an action."""

from __future__ import annotations

import time

from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    Savepoint,
    SavepointReason,
    is_checkpoint,
    iso_time,
    same_path,
)
from flink_jobs_provider.model.spec import JobSpec

#: Older ones are no longer listed in the record; their files are never touched.
SAVEPOINTS_LISTED = 50


def now_text() -> str:
    """Return the present time as records write it."""
    return iso_time(time.time() * 1000)


def keep(
    record: JobRecord | None,
    path: str,
    reason: SavepointReason,
    wanted: JobSpec,
    job: ObservedJob | None = None,
    taken_at: str | None = None,
    run: str = "",
) -> JobRecord:
    """Put a savepoint first in a record, making the record where there is none yet."""
    if record is None:
        record = JobRecord(
            spec=wanted,
            status=job.status if job else JobStatus.RUNNING,
            job_id=job.job_id if job else None,
            generation=job.generation if job else 0,
        )
    when = now_text() if taken_at is None else taken_at
    return record.with_savepoint(Savepoint(path=path, taken_at=when, reason=reason, run=run))


def knows(recorded: JobRecord, path: str) -> bool:
    """Whether a record names a savepoint, however it is spelt."""
    origins = (recorded.last_savepoint, recorded.restored_from, recorded.spec.restore_from)
    paths = [*origins, *(savepoint.path for savepoint in recorded.savepoints)]
    return any(known and same_path(known, path) for known in paths)


def older_savepoint(record: JobRecord | None, than: str) -> str | None:
    """Return the savepoint that a record lists after another one, with its time; None for none."""
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
    """Return a clause that names a job's last known savepoints, which nobody has looked at.

    Args:
        record: What is recorded of the job; None where nothing is.
        states: The savepoints, the newest first.
    """
    paths = list(dict.fromkeys(path for path in states if path))
    if not paths:
        return "no savepoint of it is known"
    text = f"the last savepoint of it that is known is {', and of just before that '.join(paths)}"
    older = older_savepoint(record, paths[-1])
    return f"{text}; the next older one is {older}" if older else text


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
    """Record an action that succeeded."""
    return record.model_copy(
        update={
            "spec": wanted,
            "action": action,
            "action_result": ActionResult.SUCCESS if action else None,
            "job_output": output,
            "savepoints": record.savepoints[:SAVEPOINTS_LISTED],
            "duplicates": [],
            "other_version": False,
            "rescaled": None,
            "restore_point": None,
        }
    )
