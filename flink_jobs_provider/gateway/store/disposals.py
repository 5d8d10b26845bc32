"""Which savepoints are disposed of: decided in turn with what is accepted to start from one.

A start that names a savepoint, and the decision to dispose of one, each read what the other has
written, and write then. They take turns: no start is accepted from a savepoint that is about to go,
and none goes that a start was accepted from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, or_, select, text, update

from flink_jobs_provider.gateway.store.database import Database
from flink_jobs_provider.gateway.store.queries import started_version, time_of
from flink_jobs_provider.gateway.store.tables import ACTIONS, JOBS, SAVEPOINTS, STATES
from flink_jobs_provider.model.errors import Signal
from flink_jobs_provider.model.savepoint import SavepointReason, canonical_path

#: Any number that nobody else locks in the same database.
_ADVISORY_LOCK = 0x7361766570740001
_TAKE_TURN = text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

_UNDISPOSED = select(SAVEPOINTS.c.number, SAVEPOINTS.c.path).where(
    SAVEPOINTS.c.job_number == bindparam("job"), SAVEPOINTS.c.disposed_at.is_(None)
)
_GOING = select(SAVEPOINTS.c.path, SAVEPOINTS.c.disposed_at).where(
    or_(SAVEPOINTS.c.disposing_at.is_not(None), SAVEPOINTS.c.disposed_at.is_not(None))
)
_HELD = select(ACTIONS.c.number).where(
    ACTIONS.c.id == bindparam("action_id"),
    ACTIONS.c.claimed_by == bindparam("holder"),
    ACTIONS.c.finished_at.is_(None),
)
_RECORD = JOBS.c.record
#: What `ways_back` names, and what the next start begins from, of every job that was not deleted.
_OF_LIVE_JOBS = select(
    JOBS.c.next_restore,
    _RECORD["last_savepoint"].as_string(),
    _RECORD["restored_from"].as_string(),
    _RECORD[("spec", "restore_from")].as_string(),
    _RECORD[("restore_point", "path")].as_string(),
).where(JOBS.c.deleted_at.is_(None))
_RESTORE_FROM = ACTIONS.c.wanted["restore_from"].as_string()
#: Savepoints of these reasons are of no state that the job itself went on from.
_ASIDE = (SavepointReason.DUPLICATE.value, SavepointReason.REHEARSAL.value)
#: Schemes by which Flink reaches the same storage as by another one (Flink 2.3, "File Systems").
_ONE_STORAGE = {"s3a": "s3", "s3p": "s3", "abfss": "abfs", "wasbs": "wasb"}
_OF_ACTIONS = select(_RESTORE_FROM).where(ACTIONS.c.finished_at.is_(None))
#: What starts of other jobs named, as long as their actions are on record.
_OF_OTHERS = (
    select(_RESTORE_FROM)
    .join(JOBS, JOBS.c.number == ACTIONS.c.job_number)
    .where(
        JOBS.c.deleted_at.is_(None),
        JOBS.c.number != bindparam("job"),
        ACTIONS.c.jar_digest.is_not(None),
        _RESTORE_FROM.is_not(None),
    )
    .distinct()
)


class SavepointDisposed(Signal):
    """A start is to begin from a savepoint that was disposed of, or is about to be.

    Attributes:
        path: The savepoint.
        gone: Whether its disposal has ended.
    """

    def __init__(self, path: str, *, gone: bool) -> None:
        self.path = path
        self.gone = gone
        super().__init__(f"savepoint {path} was disposed of")


@dataclass(frozen=True)
class HeldAction:
    """An action, and the gateway that executes it.

    Attributes:
        id: The action.
        job_number: Its job.
        gateway: Who has claimed it.
    """

    id: str
    job_number: int
    gateway: str


class Disposals:
    """Decides which savepoints of a job can go now, and records it before they do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def needed_savepoints(self) -> set[str]:
        """Return the savepoints, each spelled one way, that a job or a start may come back to."""
        with self._database.reading() as connection:
            return _needed(connection)

    def begin_disposals(self, action: HeldAction, paths: Collection[str]) -> set[str]:
        """Decide that savepoints of a job are disposed of by an action; return those that can be.

        One cannot where a job or a start may come back to it, where another job was ever started
        from it by name, or where it is not on record. None can where the action is no longer that
        gateway's. What was decided before is taken back of one that is needed again.

        Args:
            action: The action.
            paths: The savepoints, however they are spelled.

        Returns:
            Their paths, each spelled one way.
        """
        places = {canonical_path(path) for path in paths}
        # Many rows, which are read before anybody has to wait. Of a start that is accepted from
        # now on, its action or its job's record tells.
        with self._database.reading() as connection:
            of_others = connection.scalars(_OF_OTHERS, {"job": action.job_number}).all()
        with self._database.writing() as connection:
            _take_turn(connection)
            held = {"action_id": action.id, "holder": action.gateway}
            if connection.execute(_HELD, held).first() is None:
                return set()
            needed = _needed(connection) | _places(of_others)
            # By name: one may be needed under another scheme of its storage, as s3a for s3.
            named = {_name(place) for place in needed}
            rows = connection.execute(_UNDISPOSED, {"job": action.job_number})
            found = {row.number: canonical_path(row.path) for row in rows}
            found = {number: place for number, place in found.items() if place in places}
            going = [number for number, place in found.items() if _name(place) not in named]
            taken_back = [number for number, place in found.items() if place in needed]
            for numbers, decided in ((going, time_of(connection)), (taken_back, None)):
                marked = update(SAVEPOINTS).where(SAVEPOINTS.c.number.in_(numbers))
                connection.execute(marked.values(disposing_at=decided))
            return {found[number] for number in going}

    def check_is_there(self, path: str) -> None:
        """Check that a start could begin from a savepoint now.

        Raises:
            SavepointDisposed: It was disposed of, or is about to be.
        """
        with self._database.reading() as connection:
            _check(connection, [path])

    def origins_of_versions(self, job_number: int, count: int) -> set[str]:
        """Return the savepoints that the newest versions of a job can be started from again.

        Of each, that is the one that it named, and the newest that was on record when it was up.
        """
        versions = (
            select(ACTIONS.c.finished_at, _RESTORE_FROM)
            .where(*started_version(job_number))
            .order_by(ACTIONS.c.number.desc())
            .limit(count)
        )
        found: set[str] = set()
        with self._database.reading() as connection:
            for finished_at, named in connection.execute(versions).all():
                before = select(SAVEPOINTS.c.path).where(
                    SAVEPOINTS.c.job_number == job_number,
                    SAVEPOINTS.c.recorded_at <= finished_at,
                    SAVEPOINTS.c.reason.not_in(_ASIDE),
                )
                # What LIST_SAVEPOINT has found is on record later than what is newer.
                own = before.where(SAVEPOINTS.c.reason != SavepointReason.FOUND.value)
                last = SAVEPOINTS.c.number.desc()
                for query in (
                    own.order_by(last),
                    before.order_by(SAVEPOINTS.c.taken_at.desc(), last),
                ):
                    found.update(connection.scalars(query.limit(1)))
                found.update([named] if named else [])
        return found

    def submissions_of(self, job_number: int) -> set[str]:
        """Return the jobIds under which a job was observed, as long as its history is kept."""
        query = select(STATES.c.job_id).where(STATES.c.job_number == job_number).distinct()
        with self._database.reading() as connection:
            return set(connection.scalars(query))


def check_is_there(connection: Connection, paths: Iterable[str | None]) -> None:
    """Check, within the transaction that accepts it, that a start can begin from savepoints.

    Raises:
        SavepointDisposed: One was disposed of, or is about to be.
    """
    named = [path for path in paths if path]
    if not named:
        return
    _take_turn(connection)
    _check(connection, named)


def _check(connection: Connection, paths: Iterable[str]) -> None:
    places = {_in_storage(path): path for path in paths}
    named = [SAVEPOINTS.c.path.contains(_name(place), autoescape=True) for place in places]
    for row in connection.execute(_GOING.where(or_(*named))):
        if path := places.get(_in_storage(row.path)):
            raise SavepointDisposed(path, gone=row.disposed_at is not None)


def note_disposals(connection: Connection, number: int, paths: Sequence[str], now: float) -> None:
    """Mark savepoints as disposed of, however their paths are spelled on record."""
    if not paths:
        return
    gone = {canonical_path(path) for path in paths}
    rows = connection.execute(_UNDISPOSED, {"job": number})
    numbers = [row.number for row in rows if canonical_path(row.path) in gone]
    marked = update(SAVEPOINTS).where(SAVEPOINTS.c.number.in_(numbers))
    connection.execute(marked.values(disposed_at=now))


def _take_turn(connection: Connection) -> None:
    """Wait for the others, and have them wait for the end of the transaction.

    Writers of an SQLite file take turns anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE_TURN)


def _in_storage(path: str) -> str:
    """Spell a path one way, also where its storage goes by several schemes."""
    scheme, separator, rest = canonical_path(path).rpartition("://")
    return f"{_ONE_STORAGE.get(scheme, scheme)}{separator}{rest}"


def _name(place: str) -> str:
    """Return the last part of a path, which Flink makes unique."""
    return place.rpartition("/")[2]


def _needed(connection: Connection) -> set[str]:
    found = {path for row in connection.execute(_OF_LIVE_JOBS) for path in row}
    found.update(connection.scalars(_OF_ACTIONS))
    return _places(found)


def _places(paths: Iterable[str | None]) -> set[str]:
    return {canonical_path(path) for path in paths if path}
