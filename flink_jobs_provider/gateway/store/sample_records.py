"""The history on record: what was observed of jobs minute by minute, and who observes.

Minutes are the database's, so that the gateways' own clocks need not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from flink_jobs_provider.gateway.job_history import (
    MINUTE,
    JobVersion,
    Load,
    StatePeriod,
    StateSample,
)
from flink_jobs_provider.gateway.store.database import Database
from flink_jobs_provider.gateway.store.queries import (
    ACTION_AND_JOB,
    action_row,
    entries,
    started_version,
    time_of,
)
from flink_jobs_provider.gateway.store.tables import (
    JOBS,
    LOADS,
    SAMPLED,
    STATES,
    ActionEntry,
    database_now,
)

#: Rows of a statement, and of a transaction that clears away, so that nobody waits long for it.
_BATCH = 500
#: Seconds of a minute after which nobody else tries to observe a cluster in it: each gateway tries
#: every 5 s, and waits as long for an answer.
_LATE = 40
_SAMPLE = tuple(field.name for field in fields(StateSample) if field.name != "number")


class SampleRecords:
    """Shares out the sampling of clusters, and stores, reads and clears away what it finds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def minute(self) -> int:
        """Return the present minute, counted since the epoch."""
        with self._database.reading() as connection:
            return _minute(connection)

    def claim_sampling(
        self, gateway: str, lease: float, clusters: Sequence[str]
    ) -> tuple[int, list[str]]:
        """Claim the clusters that nobody has sampled in this minute, and nobody samples now.

        Args:
            gateway: Who claims them.
            lease: For how many seconds.
            clusters: Keys of the clusters that it serves.

        Returns:
            The minute, and the clusters.
        """
        with self._database.reading() as connection:  # a write is only worth it once a minute
            minute = _minute(connection)
            known = set(connection.scalars(_known(clusters)))
            due = list(connection.scalars(_due(minute, clusters)))
        if len(known) == len(set(clusters)) and not due:
            return minute, []
        with self._database.writing() as connection:
            if missing := sorted(set(clusters) - known):
                new = [{"cluster": key, "sampled": 0} for key in missing]
                connection.execute(self._insert_new(SAMPLED), new)
            due = list(connection.scalars(_due(minute, clusters).with_for_update(skip_locked=True)))
            if due:
                connection.execute(
                    update(SAMPLED)
                    .where(SAMPLED.c.cluster.in_(due))
                    .values(claimed_by=gateway, claimed_until=database_now() + lease)
                )
        return minute, due

    def release_sampling(self, cluster: str, gateway: str, minute: int) -> bool:
        """Leave a minute of a cluster to whoever can observe it; False where it is nearly over."""
        with self._database.writing() as connection:
            if time_of(connection) >= minute * MINUTE + _LATE:
                return False
            connection.execute(
                update(SAMPLED)
                .where(SAMPLED.c.cluster == cluster, SAMPLED.c.claimed_by == gateway)
                .values(claimed_by=None, claimed_until=None)
            )
        return True

    def jobs_to_sample(self, cluster: str) -> list[tuple[int, str, str]]:
        """Return number, jobId and status of the live jobs of a cluster that ever ran."""
        query = select(JOBS.c.number, JOBS.c.job_id, JOBS.c.status).where(
            JOBS.c.cluster == cluster, JOBS.c.deleted_at.is_(None), JOBS.c.job_id.is_not(None)
        )
        with self._database.reading() as connection:
            return [
                (number, job_id, status) for number, job_id, status in connection.execute(query)
            ]

    def jobs_by_id(self, cluster: str, job_ids: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the live jobs whose submissions have one of some jobIds."""
        query = select(JOBS.c.job_id, JOBS.c.number).where(
            JOBS.c.cluster == cluster, JOBS.c.deleted_at.is_(None), JOBS.c.job_id.in_(job_ids)
        )
        with self._database.reading() as connection:
            return {row.job_id: row.number for row in connection.execute(query)}

    def put_samples(
        self, cluster: str, gateway: str, minute: int, samples: Sequence[StateSample]
    ) -> bool:
        """Store how the jobs of a cluster were in a minute; whether it was this gateway's to do."""
        with self._database.writing() as connection:
            held = connection.execute(
                update(SAMPLED)
                .where(
                    SAMPLED.c.cluster == cluster,
                    SAMPLED.c.claimed_by == gateway,
                    SAMPLED.c.sampled < minute,
                )
                .values(sampled=minute, claimed_by=None, claimed_until=None)
            )
            if not held.rowcount:
                return False
            before = _periods_that_end(connection, cluster, minute - 1)
            same = [each.number for each in samples if before.get(each.number) == each]
            fresh = [each for each in samples if before.get(each.number) != each]
            for first in range(0, len(same), _BATCH):
                connection.execute(
                    update(STATES)
                    .where(
                        STATES.c.ends == minute - 1,
                        STATES.c.job_number.in_(same[first : first + _BATCH]),
                    )
                    .values(ends=minute)
                )
            if fresh:
                connection.execute(insert(STATES), [_row(each, minute) for each in fresh])
        return True

    def put_loads(self, minute: int, loads: Mapping[int, Load]) -> None:
        """Store the load of jobs, by number, in a minute; what is there already stays."""
        rows = [
            {"job_number": number, "minute": minute, "load": _told(load)}
            for number, load in sorted(loads.items())
        ]
        if rows:
            with self._database.writing() as connection:
                connection.execute(self._insert_new(LOADS), rows)

    def history(
        self, job_number: int, begin: int, end: int
    ) -> tuple[list[StatePeriod], dict[int, Load]]:
        """Return how a job was from one minute to before another, and its load by minute.

        The period before is returned, too: what changed in the first minute shows by it.
        """
        states = (
            select(STATES)
            .where(STATES.c.job_number == job_number, STATES.c.begins < end)
            .where(STATES.c.ends >= begin - 1)
            .order_by(STATES.c.begins)
        )
        loads = select(LOADS.c.minute, LOADS.c.load).where(
            LOADS.c.job_number == job_number, LOADS.c.minute >= begin, LOADS.c.minute < end
        )
        with self._database.reading() as connection:
            periods = [
                StatePeriod(row.begins, row.ends, _sample(row))
                for row in connection.execute(states)
            ]
            return periods, {minute: _load(load) for minute, load in connection.execute(loads)}

    def versions_of(
        self, job_number: int, limit: int = 100, action_id: str | None = None
    ) -> list[JobVersion]:
        """Return the versions of a job that were started, newest first; or one, by its action."""
        query = ACTION_AND_JOB.where(*started_version(job_number))
        if action_id is not None:
            query = query.where(ActionEntry.id == action_id)
        query = query.order_by(ActionEntry.number.desc()).limit(limit)
        with self._database.reading() as connection:
            found = [entries(row) for row in connection.execute(query)]
        return [
            JobVersion(
                action_row(action, job), action.wanted, action.jar_digest or "", action.as_given
            )
            for job, action in found
            if action.wanted is not None
        ]

    def sweep_history(self, age: float) -> int:
        """Delete rows that are older than `age` seconds; return their number."""
        with self._database.reading() as connection:
            oldest = _minute(connection) - int(age // MINUTE)
        states = select(STATES.c.job_number, STATES.c.begins).where(STATES.c.ends < oldest)
        loads = select(LOADS.c.job_number, LOADS.c.minute).where(LOADS.c.minute < oldest)
        return self._clear_rows(STATES, states) + self._clear_rows(LOADS, loads)

    def _clear_rows(self, table: Any, old: Select[Any]) -> int:
        """Delete the rows whose keys a query finds, some at a time; return how many there were."""
        gone = 0
        key: ColumnElement[Any] = tuple_(*table.primary_key.columns)
        while True:
            with self._database.writing() as connection:
                keys = [tuple(row) for row in connection.execute(old.limit(_BATCH))]
                if keys:
                    connection.execute(delete(table).where(key.in_(keys)))
            gone += len(keys)
            if len(keys) < _BATCH:
                return gone

    def _insert_new(self, table: Any) -> Any:
        """Return the statement that inserts rows, and leaves those that are there as they are."""
        dialect = postgresql if self._database.shared else sqlite
        return dialect.insert(table).on_conflict_do_nothing()


def _minute(connection: Connection) -> int:
    return int(time_of(connection) // MINUTE)


def _known(clusters: Sequence[str]) -> Select[str]:
    return select(SAMPLED.c.cluster).where(SAMPLED.c.cluster.in_(clusters))


def _due(minute: int, clusters: Sequence[str]) -> Select[str]:
    free = or_(SAMPLED.c.claimed_until.is_(None), SAMPLED.c.claimed_until < database_now())
    return _known(clusters).where(SAMPLED.c.sampled < minute, free)


def _periods_that_end(connection: Connection, cluster: str, minute: int) -> dict[int, StateSample]:
    query = (
        select(STATES)
        .join(JOBS, JOBS.c.number == STATES.c.job_number)
        .where(STATES.c.ends == minute, JOBS.c.cluster == cluster)
    )
    return {row.job_number: _sample(row) for row in connection.execute(query)}


def _sample(row: Any) -> StateSample:
    return StateSample(row.job_number, *(getattr(row, name) for name in _SAMPLE))


def _row(sample: StateSample, minute: int) -> dict[str, Any]:
    values = {name: getattr(sample, name) for name in _SAMPLE}
    return {"job_number": sample.number, "begins": minute, "ends": minute, **values}


def _told(load: Load) -> dict[str, Any]:
    return {name: value for name, value in asdict(load).items() if value is not None}


def _load(document: Mapping[str, Any]) -> Load:
    """Return a load; what a later version added is left aside."""
    known = {field.name for field in fields(Load)}
    return Load(**{name: value for name, value in document.items() if name in known})
