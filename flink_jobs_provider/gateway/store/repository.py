"""The store: everything that the gateway asks of its database, what it migrates and clears away.

The list of jobs for people is searched, sorted and cut into pages by the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError

from flink_jobs_provider.gateway.job_board import (
    BROKEN,
    RESTARTING,
    JobCounts,
    JobOrder,
    JobSearch,
)
from flink_jobs_provider.gateway.store.acceptance import Acceptance
from flink_jobs_provider.gateway.store.database import Database, DatabaseUnusable
from flink_jobs_provider.gateway.store.disposals import Disposals
from flink_jobs_provider.gateway.store.leases import Leases
from flink_jobs_provider.gateway.store.list_orders import needs_attention, of_clusters
from flink_jobs_provider.gateway.store.queries import JOB_AND_LAST, Reads, all_jobs
from flink_jobs_provider.gateway.store.sample_records import SampleRecords
from flink_jobs_provider.gateway.store.session_records import SessionRecords
from flink_jobs_provider.gateway.store.stored_values import StoredJob
from flink_jobs_provider.gateway.store.tables import (
    JOBS,
    ActionEntry,
    JobEntry,
    SavepointEntry,
    database_now,
)

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
        # Apart, by its own index: what all jobs are searched for is in the index of the list.
        of_run = JOBS.alias()
        yield or_(
            JOBS.c.job_name.contains(search.text.lower(), autoescape=True),
            JOBS.c.number.in_(select(of_run.c.number).where(of_run.c.run_id == search.text)),
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
    return or_(needs_attention(JOBS.c, search.noticed), JOBS.c.status == RESTARTING)


def _rank(search: JobSearch) -> ColumnElement[int]:
    """Rank what has broken down, then what is about to, then what did not do as it was asked."""
    broken = JOBS.c.status.in_(BROKEN)
    return case((broken, 0), (_noticed(search), 1), (_attention(search), 2), else_=3)


def _order(search: JobSearch) -> Iterator[ColumnElement[Any]]:
    first = _ORDERS.get(search.order)
    if first is None:
        first = _rank(search)
    yield first.desc() if search.descending else first.asc()
    if search.order is not JobOrder.NAME:
        yield JOBS.c.job_name
    yield JOBS.c.number


#: Rows for each transaction, so that nobody waits long for it.
_BATCH = 500


@dataclass(frozen=True)
class Swept:
    """How many rows were cleared away."""

    actions: int
    savepoints: int
    jobs: int


class Retention:
    """Clears away what is older than the configuration keeps; what a live job needs stays.

    No savepoint file is ever touched.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self, actions: float, savepoints: float) -> Swept:
        """Delete actions and savepoints that are older than N seconds each.

        The last action of a live job stays, and its newest savepoint. A deleted job goes when its
        last action has gone.
        """
        return Swept(self._actions(actions), self._savepoints(savepoints), self._jobs(actions))

    def _actions(self, age: float) -> int:
        last = exists().where(JobEntry.last_action == ActionEntry.id, JobEntry.deleted_at.is_(None))
        old = select(ActionEntry.number).where(
            ActionEntry.finished_at < database_now() - age, ~last
        )
        return self._clear(ActionEntry, old)

    def _savepoints(self, age: float) -> int:
        newest = (
            select(func.max(SavepointEntry.number))
            .join(JobEntry, JobEntry.number == SavepointEntry.job_number)
            .where(JobEntry.deleted_at.is_(None), SavepointEntry.disposed_at.is_(None))
            .group_by(SavepointEntry.job_number)
        )
        # One that goes, and may be gone in part, is refused for as long as it is on record.
        going = and_(SavepointEntry.disposing_at.is_not(None), SavepointEntry.disposed_at.is_(None))
        old = select(SavepointEntry.number).where(
            SavepointEntry.recorded_at < database_now() - age,
            SavepointEntry.number.not_in(newest),
            ~going,
        )
        return self._clear(SavepointEntry, old)

    def _jobs(self, age: float) -> int:
        has_actions = exists().where(ActionEntry.job_number == JobEntry.number)
        old = select(JobEntry.number).where(
            JobEntry.deleted_at < database_now() - age, ~has_actions
        )
        return self._clear(JobEntry, old)

    def _clear(self, table: type[ActionEntry | SavepointEntry | JobEntry], old: Select[int]) -> int:
        """Delete the rows of a table whose numbers a query finds; return how many there were."""
        gone = 0
        while True:
            with self._database.writing() as connection:
                numbers = list(connection.scalars(old.limit(_BATCH)))
                if numbers:
                    connection.execute(delete(table).where(table.number.in_(numbers)))
            gone += len(numbers)
            if len(numbers) < _BATCH:
                return gone


class Store(Reads, Board, Acceptance, Leases, Disposals, Retention, SessionRecords, SampleRecords):
    """The records. Its methods block, each for one short transaction; call them in threads.

    Args:
        url: SQLAlchemy URL: `sqlite:///path` for one gateway, `postgresql+psycopg://…` for many.

    Raises:
        DatabaseUnusable: It cannot be used.
        DatabaseInUse: Another gateway works on this SQLite file.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    @property
    def shared(self) -> bool:
        """Whether other gateways may work on the same records."""
        return self._database.shared

    @property
    def name(self) -> str:
        """The database, as messages may show it: without its password."""
        return self._database.name

    @property
    def directories(self) -> list[Path]:
        """Where this process writes the records itself: nowhere where a server does."""
        return self._database.directories

    def migrate(self) -> None:
        """Bring the tables to the present version; two gateways that start at once take turns.

        Raises:
            DatabaseUnusable: They are of a later version than this one knows, or cannot be
                reached.
        """
        try:
            _migrate(self._database)
        except DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            raise DatabaseUnusable(f"the database {self.name} cannot be used: {reason}") from None

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


#: Any number that nobody else locks in the same database.
_ADVISORY_LOCK = 0x666C696E6B6A6F62


def _config() -> Config:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    return config


@cache
def _scripts() -> ScriptDirectory:
    """Load the migrations, once in a process."""
    return ScriptDirectory.from_config(_config())


def _migrate(database: Database) -> None:
    scripts = _scripts()
    known = {script.revision for script in scripts.walk_revisions()}
    with database.connected() as connection:
        if database.shared:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        present = MigrationContext.configure(connection).get_current_revision()
        if present is not None and present not in known:
            raise DatabaseUnusable(
                f"the records in {database.name} are of a later version of the gateway "
                f"({present}): start that one"
            )
        if present != scripts.get_current_head():
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
