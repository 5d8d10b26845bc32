"""The orders of lists of jobs, and where a page begins in them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal_column, or_, select
from sqlalchemy.orm import aliased

from flink_jobs_provider.gateway.job_board import BROKEN
from flink_jobs_provider.gateway.job_service import ListColumn
from flink_jobs_provider.gateway.store.tables import ActionEntry, JobEntry
from flink_jobs_provider.model.action import ActionResult

#: As a literal: only so do databases see that the index of failed actions holds them all.
_IS_FAILED = ActionEntry.result == literal_column(f"'{ActionResult.FAILED.value}'")


def needs_attention(job: Any, flagged: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a job needs attention, by its record or by one of some jobIds.

    `job` has the columns of a job as its attributes.
    """
    conditions = [
        job.status.in_(BROKEN),
        job.last_action.in_(select(ActionEntry.id).where(_IS_FAILED)),
    ]
    if flagged:
        conditions.append(job.job_id.in_(sorted(flagged)))
    return or_(*conditions)


def ordered_by(
    column: ListColumn, flagged: Collection[str], *, descending: bool
) -> tuple[ColumnElement[Any], ...]:
    """Return what a list is ordered by: the column, then the jobs' numbers."""
    by = (
        (JobEntry.number,)
        if column is ListColumn.CREATED
        else (_value(JobEntry, column, flagged), JobEntry.number)
    )
    return tuple(each.desc() if descending else each.asc() for each in by)


def after(
    number: int, column: ListColumn, flagged: Collection[str], *, descending: bool
) -> ColumnElement[bool]:
    """Return the condition that a job comes after another one, as that one is now."""
    beyond = JobEntry.number < number if descending else JobEntry.number > number
    if column is ListColumn.CREATED:
        return beyond
    last = aliased(JobEntry)
    value = _value(JobEntry, column, flagged)
    of_last = select(_value(last, column, flagged)).where(last.number == number).scalar_subquery()
    return or_(value < of_last if descending else value > of_last, and_(value == of_last, beyond))


def _value(job: Any, column: ListColumn, flagged: Collection[str]) -> ColumnElement[Any]:
    """Return what is sorted by; what a job does not have comes before the rest."""
    match column:
        case ListColumn.PARALLELISM:
            return func.coalesce(job.record[("spec", "parallelism")].as_integer(), 0)
        case ListColumn.LAST_ACTION:
            accepted = select(ActionEntry.accepted_at).where(ActionEntry.id == job.last_action)
            return accepted.correlate(job).scalar_subquery()
        case ListColumn.ATTENTION:
            return case((needs_attention(job, flagged), 1), else_=0)
        case ListColumn.STARTED | ListColumn.ENDED:
            return func.coalesce(getattr(job, column.value), 0.0)
        case ListColumn.CREATED_BY:
            return func.coalesce(job.created_by, "")
        case ListColumn.NAME:
            return job.job_name  # type: ignore[no-any-return]
        case _:
            return getattr(job, column.value)  # type: ignore[no-any-return]
