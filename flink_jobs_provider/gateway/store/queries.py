"""Reading the records."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Result,
    Row,
    Select,
    bindparam,
    func,
    select,
)

from flink_jobs_provider.gateway.job_service import (
    ActionRow,
    DisposedSavepoint,
    JobFilter,
    JobsOfCluster,
    ListColumn,
    PageOfJobs,
)
from flink_jobs_provider.gateway.refusals import Refusal, read_output
from flink_jobs_provider.gateway.store.database import Database
from flink_jobs_provider.gateway.store.list_filters import filtered
from flink_jobs_provider.gateway.store.list_orders import after, of_clusters, ordered_by, place_of
from flink_jobs_provider.gateway.store.stored_values import (
    NextStart,
    StoredAction,
    StoredJob,
    Watched,
    moment,
    moment_or_none,
)
from flink_jobs_provider.gateway.store.tables import (
    ACTIONS,
    JOBS,
    SAVEPOINTS,
    ActionEntry,
    JobEntry,
    database_now,
)
from flink_jobs_provider.model.action import STARTS, Action, ActionResult
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.savepoint import Savepoint, SavepointReason

_JOB_COLUMNS = tuple(JOBS.c.keys())
_ACTION_COLUMNS = tuple(ACTIONS.c.keys())

# Made once: what a statement costs is its making, more than its execution.
_NOW = select(database_now())
#: Each job with its last action.
JOB_AND_LAST = select(JOBS, ACTIONS).join(ACTIONS, ACTIONS.c.id == JOBS.c.last_action)
#: Each action with its job.
ACTION_AND_JOB = select(JOBS, ACTIONS).join(ACTIONS, ACTIONS.c.job_number == JOBS.c.number)
_LIVE_OF_CLUSTER = JOB_AND_LAST.where(
    JOBS.c.cluster == bindparam("of_cluster"), JOBS.c.deleted_at.is_(None)
)
_ANY_JOB = select(JOBS.c.cluster, JOBS.c.deleted_at).limit(1)
_LIVE_JOB = _LIVE_OF_CLUSTER.where(JOBS.c.job_name == bindparam("of_name"))
_ACTION = ACTION_AND_JOB.where(ACTIONS.c.id == bindparam("action_id"))
_SAVEPOINTS = (
    select(SAVEPOINTS.c.path, SAVEPOINTS.c.taken_at, SAVEPOINTS.c.reason, SAVEPOINTS.c.disposed_at)
    .where(SAVEPOINTS.c.job_number == bindparam("job"))
    .order_by(SAVEPOINTS.c.taken_at.desc(), SAVEPOINTS.c.number.desc())
)


class Reads:
    """What can be asked of the records; each method is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def answers(self) -> None:
        """Check that the database answers, and that its jobs can be read.

        Raises:
            RecordsError: It does not.
        """
        with self._database.reading() as connection:
            connection.execute(_ANY_JOB)

    def now(self) -> datetime:
        """Return the present time by the database's clock."""
        with self._database.reading() as connection:
            return moment(time_of(connection))

    def live_job(self, cluster: str, job_name: str) -> StoredJob | None:
        """Return the job of a name that was not deleted."""
        named = {"of_cluster": cluster, "of_name": job_name}
        with self._database.reading() as connection:
            return one_job(connection.execute(_LIVE_JOB, named))

    def job(self, cluster: str, number: int) -> StoredJob | None:
        """Return the job of a number that was not deleted."""
        query = live(cluster).where(JobEntry.number == number)
        with self._database.reading() as connection:
            return one_job(connection.execute(query))

    def jobs(self, wanted: JobsOfCluster) -> list[StoredJob]:
        """Return a page of a cluster's jobs in the order of their numbers."""
        given = {"of_name": wanted.job_name, "of_jar": wanted.jar_name}
        named = {name: value for name, value in given.items() if value is not None}
        page = {"of_cluster": wanted.cluster, "after": wanted.after, "page": wanted.limit, **named}
        with self._database.reading() as connection:
            return all_jobs(connection.execute(_page(*named), page))

    def cluster_of(self, number: int) -> str | None:
        """Return the key of the cluster of a job that was not deleted."""
        query = select(JobEntry.cluster).where(
            JobEntry.number == number, JobEntry.deleted_at.is_(None)
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def found(self, jobs: JobFilter, page: PageOfJobs) -> tuple[list[StoredJob], int]:
        """Return a page of the jobs that pass a filter, and how many pass it in all.

        Raises:
            Refusal: The page is to begin after a job whose place in the order is unknown.
        """
        which = filtered(jobs, postgresql=self._database.shared)
        total = select(func.count()).select_from(which.subquery())
        column, descending = page.column, page.newest_first
        order = ordered_by(column, jobs.flagged, descending=descending)
        # The numbers first: a sort or a step over rows must not carry their documents along.
        numbers = which.order_by(*order).offset(page.offset).limit(page.limit)
        with self._database.reading() as connection:
            if page.beyond:
                place = _place_of(connection, page.beyond, jobs, column)
                follows = after(page.beyond, place, column, jobs.flagged, descending=descending)
                numbers = numbers.where(follows)
            listed = list(connection.scalars(numbers))
            rows = JOB_AND_LAST.where(JobEntry.number.in_(listed))
            counted = int(connection.execute(total).scalar_one())
            read = {job.number: job for job in all_jobs(connection.execute(rows))} if listed else {}
            return [read[number] for number in listed], counted

    def jobs_with_status(self, cluster: str, statuses: Sequence[str]) -> list[StoredJob]:
        """Return the jobs of a cluster that were last seen so."""
        query = live(cluster).where(JobEntry.status.in_(statuses))
        with self._database.reading() as connection:
            return all_jobs(connection.execute(query))

    def watched(self, cluster: str, statuses: Sequence[str]) -> list[Watched]:
        """Return what is to be compared with the cluster, of the jobs last seen in a status."""
        return self._watched(cluster, JobEntry.status.in_(statuses))

    def watched_of(self, cluster: str, job_ids: Collection[str]) -> list[Watched]:
        """Return the same of the jobs that jobIds of a cluster's list belong to.

        A jobId belongs to a job by the digits that it begins with; one that a job has adopted, by
        the job's record.
        """
        identities = sorted({identity_of(job_id) for job_id in job_ids})
        found = self._watched(cluster, JobEntry.identity.in_(identities))
        found += self._watched(cluster, JobEntry.job_id.in_(sorted(job_ids)))
        return list({row.number: row for row in found}.values())

    def _watched(self, cluster: str, which: ColumnElement[bool]) -> list[Watched]:
        query = select(
            JobEntry.number,
            JobEntry.identity,
            JobEntry.job_id,
            JobEntry.status,
            JobEntry.settled,
        ).where(JobEntry.cluster == cluster, JobEntry.deleted_at.is_(None), which)
        with self._database.reading() as connection:
            return [Watched(*row) for row in connection.execute(query)]

    def action(self, action_id: str) -> ActionRow | None:
        """Return an action; None where there is none, or it was cleared away."""
        with self._database.reading() as connection:
            found = connection.execute(_ACTION, {"action_id": action_id}).one_or_none()
            return None if found is None else _action_row(found)

    def actions_of(self, job_number: int, limit: int = 100) -> list[ActionRow]:
        """Return a job's actions, newest first."""
        query = ACTION_AND_JOB.where(ActionEntry.job_number == job_number)
        query = query.order_by(ActionEntry.number.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_action_row(row) for row in connection.execute(query)]

    def savepoints(self, job_number: int, limit: int | None = None) -> list[Savepoint]:
        """Return the savepoints of a job, newest first, without those that were disposed of.

        Args:
            job_number: The job.
            limit: How many of the newest; None for all.
        """
        there = _SAVEPOINTS.where(SAVEPOINTS.c.disposed_at.is_(None))
        return [_savepoint(row) for row in self._savepoint_rows(job_number, there, limit)]

    def disposed_savepoints(
        self, job_number: int, limit: int | None = None
    ) -> list[DisposedSavepoint]:
        """Return the savepoints of a job that were disposed of, newest first; see `savepoints`."""
        gone = _SAVEPOINTS.where(SAVEPOINTS.c.disposed_at.is_not(None))
        return [
            DisposedSavepoint(_savepoint(row), moment(row.disposed_at))
            for row in self._savepoint_rows(job_number, gone, limit)
        ]

    def _savepoint_rows(self, job_number: int, query: Select[Any], limit: int | None) -> list[Any]:
        with self._database.reading() as connection:
            found = [*connection.execute(query.limit(limit), {"job": job_number})]
        return sorted(found, key=lambda row: str(row.taken_at), reverse=True)

    def jars_needed(self) -> set[str]:
        """Return the digests of the jars that live jobs run, or actions in progress start."""
        jobs = select(JobEntry.jar_digest).where(JobEntry.deleted_at.is_(None)).distinct()
        actions = select(ActionEntry.jar_digest).where(ActionEntry.finished_at.is_(None))
        with self._database.reading() as connection:
            found = {*connection.scalars(jobs), *connection.scalars(actions)}
        return {digest for digest in found if digest}


def _savepoint(row: Any) -> Savepoint:
    return Savepoint(path=row.path, taken_at=row.taken_at, reason=SavepointReason(row.reason))


def _place_of(connection: Connection, number: int, jobs: JobFilter, column: ListColumn) -> Any:
    """Return what a list is sorted by of the last job of the page before.

    Raises:
        Refusal: The job is not on record, or on none of the list's clusters. Its number alone is
            the place in a list by creation.
    """
    if column is ListColumn.CREATED:
        return None
    place = connection.scalar(place_of(number, jobs.clusters, column, jobs.flagged))
    if place is None:
        raise Refusal(
            "InvalidParameter",
            "cursor names a job that is not on record for this list, so its place in the order is "
            "unknown: leave cursor out to begin with the first page.",
            target="cursor",
        )
    return place


def started_version(job_number: int) -> tuple[ColumnElement[bool], ...]:
    """Select actions that started a version of a job."""
    return (
        ActionEntry.job_number == job_number,
        ActionEntry.action.in_([action.value for action in STARTS]),
        ActionEntry.result == ActionResult.SUCCESS.value,
        # A draft, or a change of inputs, is on record as an action, and starts none.
        ActionEntry.jar_digest.is_not(None),
    )


def time_of(connection: Connection) -> float:
    """Return the present time by the database's clock."""
    now: float = connection.execute(_NOW).scalar_one()
    return now


@lru_cache
def _page(*filters: str) -> Select[Any]:
    """Return the statement of a page of a cluster's jobs, with some of the filters."""
    conditions = {
        "of_name": JOBS.c.job_name == bindparam("of_name"),
        "of_jar": JOBS.c.jar_name == bindparam("of_jar"),
    }
    return (
        _LIVE_OF_CLUSTER.where(
            JOBS.c.number > bindparam("after"), *(conditions[name] for name in filters)
        )
        .order_by(JOBS.c.number)
        .limit(bindparam("page"))
    )


def live(*clusters: str) -> Select[Any]:
    """Select the jobs of clusters that were not deleted, each with its last action."""
    return JOB_AND_LAST.where(of_clusters(clusters), JobEntry.deleted_at.is_(None))


def entries(row: Row[Any]) -> tuple[JobEntry, ActionEntry]:
    """Return a job and an action of a row that has the columns of both, in the tables' order."""
    job = JobEntry(**dict(zip(_JOB_COLUMNS, row, strict=False)))
    action = ActionEntry(**dict(zip(_ACTION_COLUMNS, row[len(_JOB_COLUMNS) :], strict=True)))
    return job, action


def one_job(found: Result[Any]) -> StoredJob | None:
    """Return the one job that a query has found, if it has found one."""
    row = found.one_or_none()
    return None if row is None else stored_job(*entries(row))


def all_jobs(found: Result[Any]) -> list[StoredJob]:
    """Return the jobs that a query has found."""
    return [stored_job(*entries(row)) for row in found]


def stored_job(job: JobEntry, last: ActionEntry) -> StoredJob:
    """Return a job's row as a plain value."""
    return StoredJob(
        number=job.number,
        cluster=job.cluster,
        job_name=job.job_name,
        run_id=job.run_id,
        identity=job.identity,
        job_id=job.job_id,
        generation=job.generation,
        status=job.status,
        record=job.record,
        as_given=job.as_given,
        revision=job.revision,
        last=action_row(last, job),
        next_start=NextStart(job.next_inputs or {}, job.next_restore),
        created_by=job.created_by or "",
        created_at=moment(job.created_at),
        started_at=moment_or_none(job.started_at),
        changed_at=moment_or_none(job.changed_at),
        ended_at=moment_or_none(job.ended_at),
    )


def stored_action(action: ActionEntry, job: JobEntry, now: float) -> StoredAction:
    """Return an action's row as a plain value."""
    return StoredAction(
        row=action_row(action, job),
        job_number=job.number,
        wanted=action.wanted,
        jar_digest=action.jar_digest,
        as_given=action.as_given,
        seconds_left=action.deadline - now,
        cancels_first=action.cancels_first,
    )


def action_row(action: ActionEntry, job: JobEntry) -> ActionRow:
    """Return an action as the service shows it."""
    return ActionRow(
        id=action.id,
        cluster=job.cluster,
        job_name=job.job_name,
        run_id=job.run_id,
        action=Action(action.action),
        result=ActionResult(action.result),
        output=read_output(action.output),
        caller=action.caller,
        accepted_at=moment(action.accepted_at),
        began_at=moment_or_none(action.began_at),
        finished_at=moment_or_none(action.finished_at),
    )


def _action_row(row: Row[Any]) -> ActionRow:
    job, action = entries(row)
    return action_row(action, job)
