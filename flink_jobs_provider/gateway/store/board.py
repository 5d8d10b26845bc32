"""The list of jobs that people look at: searched, sorted and cut into pages by the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal_column, or_, select

from flink_jobs_provider.gateway.job_board import (
    BROKEN,
    RESTARTING,
    JobCounts,
    JobOrder,
    JobSearch,
)
from flink_jobs_provider.gateway.store.database import Database
from flink_jobs_provider.gateway.store.queries import JOB_AND_LAST, all_jobs, of_clusters
from flink_jobs_provider.gateway.store.stored_values import StoredJob
from flink_jobs_provider.gateway.store.tables import ACTIONS, JOBS
from flink_jobs_provider.model.action import ActionResult

#: As a literal: only so do databases see that the index of failed actions holds them all.
_IS_FAILED = ACTIONS.c.result == literal_column(f"'{ActionResult.FAILED.value}'")
_FAILED = JOBS.c.last_action.in_(select(ACTIONS.c.id).where(_IS_FAILED))
_ORDERS: dict[JobOrder, ColumnElement[Any]] = {
    JobOrder.NAME: JOBS.c.job_name,
    JobOrder.STATUS: JOBS.c.status,
    JobOrder.CLUSTER: JOBS.c.cluster,
    # What never started has no such time: it comes last, whichever way the rest is turned.
    JobOrder.SINCE: func.coalesce(JOBS.c.started_at, 0.0),
}


class Board:
    """Reads pages of the jobs of several clusters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def board(self, search: JobSearch) -> tuple[list[StoredJob], int, JobCounts]:
        """Return a page of jobs, how many there are in all of it, and on the clusters."""
        conditions = list(_conditions(search))
        which = _live(search, JOBS.c.number).where(*conditions)
        # The numbers first: a sort over rows must not carry their documents along.
        page = which.order_by(*_order(search)).offset(search.offset).limit(search.limit)
        total = select(func.count()).select_from(which.subquery())
        counts = _live(
            search, JOBS.c.status, func.count(), func.sum(case((_attention(search), 1), else_=0))
        )
        with self._database.reading() as connection:
            numbers = list(connection.scalars(page))
            found = int(connection.execute(total).scalar_one()) if conditions else None
            by_status = connection.execute(counts.group_by(JOBS.c.status)).all()
            rows = JOB_AND_LAST.where(JOBS.c.number.in_(numbers))
            jobs = {job.number: job for job in all_jobs(connection.execute(rows))}
        counted = JobCounts(
            {status: int(number) for status, number, _ in by_status},
            sum(int(attention) for _, _, attention in by_status),
        )
        return (
            [jobs[number] for number in numbers],
            counted.total if found is None else found,
            counted,
        )


def _live(search: JobSearch, *columns: Any) -> Select[Any]:
    """Select of the jobs of clusters that were not deleted."""
    return select(*columns).where(of_clusters(search.clusters), JOBS.c.deleted_at.is_(None))


def _conditions(search: JobSearch) -> Iterator[ColumnElement[bool]]:
    if search.text:
        yield or_(
            JOBS.c.job_name.contains(search.text.lower(), autoescape=True),
            JOBS.c.run_id == search.text,
            JOBS.c.job_id == search.text.lower(),
        )
    if search.statuses:
        yield JOBS.c.status.in_(search.statuses)
    if search.attention:
        yield _attention(search)


def _noticed(search: JobSearch) -> ColumnElement[bool]:
    """Select jobs whose clusters show that they need attention, or are starting again."""
    return or_(JOBS.c.status == RESTARTING, JOBS.c.job_id.in_(search.noticed))


def _attention(search: JobSearch) -> ColumnElement[bool]:
    return or_(JOBS.c.status.in_(BROKEN), _noticed(search), _FAILED)


def _rank(search: JobSearch) -> ColumnElement[int]:
    """Rank what has broken down, then what is about to, then what did not do as it was asked."""
    broken = JOBS.c.status.in_(BROKEN)
    return case((broken, 0), (_noticed(search), 1), (_FAILED, 2), else_=3)


def _order(search: JobSearch) -> Iterator[ColumnElement[Any]]:
    first = _ORDERS.get(search.order)
    if first is None:
        first = _rank(search)
    yield first.desc() if search.descending else first.asc()
    if search.order is not JobOrder.NAME:
        yield JOBS.c.job_name
    yield JOBS.c.number
