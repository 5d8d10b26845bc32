"""Clearing away what is older than the configuration keeps. No savepoint file is ever touched."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, delete, exists, func, select

from flink_jobs_provider.gateway.store.database import Database
from flink_jobs_provider.gateway.store.tables import (
    ActionEntry,
    JobEntry,
    SavepointEntry,
    database_now,
)

#: Rows for each transaction, so that nobody waits long for it.
_BATCH = 500


@dataclass(frozen=True)
class Swept:
    """How many rows were cleared away."""

    actions: int
    savepoints: int
    jobs: int


class Retention:
    """Clears away old records; what a live job needs stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self, actions: float, savepoints: float) -> Swept:
        """Clear away what is older than so many seconds.

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
            .where(JobEntry.deleted_at.is_(None))
            .group_by(SavepointEntry.job_number)
        )
        old = select(SavepointEntry.number).where(
            SavepointEntry.recorded_at < database_now() - age, SavepointEntry.number.not_in(newest)
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
                connection.execute(delete(table).where(table.number.in_(numbers)))
            gone += len(numbers)
            if len(numbers) < _BATCH:
                return gone
