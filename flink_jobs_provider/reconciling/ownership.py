"""Finding a job's own row: names may repeat, and the system keeps no owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
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
    """Return the row that has a job's name without being known as its own; none where none has."""
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
