"""The orders of lists of jobs, and where a page begins in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal_column, or_, select

from flink_jobs_provider.gateway.job_board import BROKEN
from flink_jobs_provider.gateway.job_service import ListColumn
from flink_jobs_provider.gateway.store.tables import ActionEntry, JobEntry
from flink_jobs_provider.model.action import ActionResult

#: As a literal: only so do databases see that the index of failed actions holds them all.
_IS_FAILED = ActionEntry.result == literal_column(f"'{ActionResult.FAILED.value}'")


def of_clusters(clusters: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a job is on one of some clusters."""
    if len(clusters) == 1:  # an index then has the rows in their order
        return JobEntry.cluster == clusters[0]
    return JobEntry.cluster.in_(clusters)


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


def place_of(
    number: int, clusters: Sequence[str], column: ListColumn, flagged: Collection[str]
) -> Select[Any]:
    """Select what a list is sorted by of one job, deleted or not, if it is on one of some clusters.

    The number of a page's last job comes from a caller: of a cluster that the caller may not read,
    not even the order of its jobs may show.
    """
    value = _value(JobEntry, column, flagged)
    return select(value).where(JobEntry.number == number, of_clusters(clusters))


def after(
    number: int, place: Any, column: ListColumn, flagged: Collection[str], *, descending: bool
) -> ColumnElement[bool]:
    """Return the condition that a job comes after another one.

    Args:
        number: The other one's number.
        place: What `place_of` has selected of it; not used where jobs are sorted by creation.
        column: What is sorted by.
        flagged: JobIds of jobs that need attention as their clusters show it.
        descending: Whether the order is descending.
    """
    beyond = JobEntry.number < number if descending else JobEntry.number > number
    if column is ListColumn.CREATED:
        return beyond
    value = _value(JobEntry, column, flagged)
    return or_(value < place if descending else value > place, and_(value == place, beyond))


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
