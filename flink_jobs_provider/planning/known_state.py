"""The last state of a job that a record knows, in words."""

from __future__ import annotations

from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import age
from flink_jobs_provider.wire.hdinsight import last_state_prefix


def known_state(recorded: JobRecord, now: float) -> str | None:
    """Return the state that a refresh has found, or that is recorded, with its age."""
    if point := recorded.restore_point:
        shown = point.with_age(now)
        if not point.broken:
            return shown
        checked = recorded.spec.target.checks_state_before_start
        fate = "this is refused" if checked else "a start from it fails"
        return f"{shown}, WHICH {point.broken.upper()}: {fate}"
    path = recorded.last_savepoint
    taken_at = recorded.taken_at(path)
    return f"{path} ({age(taken_at, now)})" if taken_at else path


def last_state(recorded: JobRecord, now: float) -> str | None:
    """Return the last state of a job that a record knows, with its age; None for none."""
    return known_state(recorded, now) or recorded.restored_from


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
        return f"{happened}; its last known state is {point.with_age(now)}{broken}"
    last = last_state(recorded, now)
    if last:
        return f"{happened}; its last known state is {last}"
    asked = recorded.spec.on_delete is OnDelete.CANCEL and recorded.status is not JobStatus.LOST
    return None if asked or recorded.job_id is None else f"{happened}; no state of it is known"
