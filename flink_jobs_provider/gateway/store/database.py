"""Opening the database: SQLite for one gateway, PostgreSQL for any number of them."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Lock

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from flink_jobs_provider.gateway.store.foreign_text import storable_json
from flink_jobs_provider.gateway.store.sqlite_file import (
    DAMAGED,
    SqliteFile,
    cause_of,
    code_of,
    leftovers,
)
from flink_jobs_provider.model.errors import FlinkJobsError, SetupError

_BUSY_S = 30
#: Connections that are kept: as many as there are threads that call the records.
CONNECTIONS = 8


class DatabaseUnusable(SetupError):
    """The database cannot be used; the text is the reason, without its password."""


class DatabaseInUse(DatabaseUnusable):
    """Another gateway works on this SQLite file."""


class RecordsError(FlinkJobsError):
    """A statement that the database did not execute; the text is the kind of its error.

    What the database reports may hold inputs of jobs: of that, a known cause alone is named.
    """


class RecordsUnavailable(RecordsError):
    """The database cannot be used now: away, full, damaged, out of connections, or a standby.

    Attributes:
        cause: What is the matter and what would help, where that is known.
    """

    def __init__(self, kind: str, cause: str = "") -> None:
        self.cause = cause
        super().__init__(f"{kind}: {cause}" if cause else kind)


class RecordsConflict(RecordsError):
    """A row that the rules of the tables do not allow alongside those that are there."""


#: Classes of PostgreSQL's SQLSTATE (its manual, appendix A): connection, resources, shutdown,
#: system error; and a server that only reads, as a standby does.
_UNAVAILABLE = ("08", "53", "57", "58", "25006")


@contextmanager
def _errors_of_the_records() -> Iterator[None]:
    """Raise SQLAlchemy's errors as those of the records: no other layer knows SQL."""
    try:
        yield
    except IntegrityError as error:
        raise RecordsConflict(type(error).__name__) from error
    except SQLAlchemyError as error:
        if not isinstance(error, DBAPIError) or _unreachable(error):
            cause = cause_of(getattr(error, "orig", None))
            raise RecordsUnavailable(type(error).__name__, cause) from error
        raise RecordsError(type(error).__name__) from error


def _unreachable(error: DBAPIError) -> bool:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return (
        error.connection_invalidated
        or type(error).__name__ in ("OperationalError", "InterfaceError")
        or state.startswith(_UNAVAILABLE)
        or code_of(error.orig) in DAMAGED
    )


class FileLock:
    """A file that one process holds; the operating system frees it however the process ends."""

    def __init__(self, path: Path) -> None:
        if sys.platform == "win32":
            raise DatabaseUnusable("SQLite needs Linux or macOS here: use PostgreSQL on Windows")
        import fcntl

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseUnusable(f"{path} cannot be made: {error.strerror or error}") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise DatabaseInUse(
                f"another gateway works on {path.with_suffix('')}. Two gateways need PostgreSQL: "
                "stop the other one, or give each a database of its own"
            ) from None

    def close(self) -> None:
        """Free the file; it stays, since a removed one would lock nothing."""
        os.close(self._descriptor)


class _Group:
    """The writers that one commit is for."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._ended = Event()
        self._error: Exception | None = None

    @property
    def ended(self) -> bool:
        """Whether it was committed or rolled back."""
        return self._ended.is_set()

    def end(self, error: Exception | None = None) -> None:
        """Commit the work of all its writers; or roll it back, and give each of them the error."""
        try:
            if error is None:
                self.connection.commit()
        except Exception as failure:  # noqa: BLE001 - raised by `wait`, for each of the writers
            error = failure
        try:
            if error is not None:
                # After a commit that failed, SQLite may still be in the transaction: closing rolls
                # it back.
                self.connection.invalidate()
            self.connection.close()
        finally:
            self._error = error
            self._ended.set()

    def wait(self) -> None:
        """Return once its work is on the disk.

        Raises:
            SQLAlchemyError: It is not.
        """
        self._ended.wait()
        if self._error is not None:
            raise self._error


class GroupCommit:
    """The writers of one SQLite database: those that wait for each other share a commit.

    SQLite admits one writer at a time, and each commit waits for the disk. Writers queue here
    instead of polling SQLite's lock. The transaction stays open while writers wait, each works
    behind a savepoint of its own, and the last of them commits for all. A writer returns only when
    that commit has reached the disk: it is as durable as with a commit of its own.

    Args:
        engine: The database; its connections begin transactions that may write.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = Lock()
        self._count = Lock()
        self._waiting = 0
        self._group: _Group | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: all of it, or nothing. One within another waits for itself."""
        group = None
        try:
            with self._queued():
                group = self._open()
                try:
                    with group.connection.begin_nested():
                        yield group.connection
                except DBAPIError as error:
                    # After some errors, that of a full disk for one, SQLite rolls back everything.
                    if not isinstance(error, IntegrityError):
                        group.end(error)
                    raise
                finally:
                    self._leave(group)
        finally:
            # Also where it failed: it may have failed for what others of the group have written.
            if group is not None:
                group.wait()

    @contextmanager
    def _queued(self) -> Iterator[None]:
        with self._count:
            self._waiting += 1
        with self._turn:
            with self._count:
                self._waiting -= 1
            yield

    def _open(self) -> _Group:
        """Return the group that is open, or begin one."""
        if self._group is None:
            connection = self._engine.connect()
            try:
                connection.begin()
            except BaseException:
                connection.close()
                raise
            self._group = _Group(connection)
        return self._group

    def _leave(self, group: _Group) -> None:
        """Commit, unless a writer waits: that one commits then."""
        with self._count:
            last = self._waiting == 0
        if last and not group.ended:
            group.end()
        if group.ended:
            self._group = None


class Database:
    """An engine, and the short transactions that the records are read and written in.

    Args:
        url: SQLAlchemy URL: `sqlite:///path` or `postgresql+psycopg://…`.

    Raises:
        DatabaseUnusable: The URL is of neither, or a package is missing.
        DatabaseInUse: Another gateway works on this SQLite file.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.shared = parsed.get_backend_name() == "postgresql"
        # Links followed, as SQLite does: by whichever path, it is one file that is locked.
        path = Path(os.path.realpath(str(parsed.database)))
        self.directories = [] if self.shared else [path.parent]
        self.name = parsed.render_as_string(hide_password=True)
        self._lock = None if self.shared else FileLock(path.with_name(f"{path.name}.lock"))
        self._file: SqliteFile | None = None
        try:
            if not self.shared:
                if found := leftovers(path):
                    raise DatabaseUnusable(found)
                _make_private(path)
                self._file = SqliteFile(Path(str(parsed.database)))
            self.engine = _postgresql(parsed) if self.shared else _sqlite(parsed)
        except BaseException:
            if self._lock:
                self._lock.close()
            raise
        self._reading = self.engine.execution_options(reads=True)
        self._group_commit = None if self.shared else GroupCommit(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in one transaction.

        Raises:
            RecordsError: It cannot be read.
        """
        self._check_file()
        with _errors_of_the_records(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: all of it, or nothing.

        Raises:
            RecordsConflict: The rules of the tables do not allow it.
            RecordsError: It was not written, or to a file that will not be found again.
        """
        self._check_file()
        group_commit = self._group_commit
        begun = group_commit.writing() if group_commit else self.engine.begin()
        with _errors_of_the_records(), begun as connection:
            yield connection
        self._check_file()

    def _check_file(self) -> None:
        """Raise RecordsUnavailable where the file of SQLite is no longer the one we opened."""
        if self._file and not self._file.in_place:
            raise RecordsUnavailable("DatabaseMoved", self._file.moved)

    def connected(self) -> AbstractContextManager[Connection]:
        """Open one transaction that no other writer shares, for migrations."""
        return self.engine.begin()

    def close(self) -> None:
        """Close all connections, and free the file."""
        self.engine.dispose()
        if self._lock:
            self._lock.close()
            self._lock = None


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise DatabaseUnusable(
            "database must be a URL such as sqlite:///gateway.db or "
            "postgresql+psycopg://user@host/name"
        ) from None
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise DatabaseUnusable("database must be a file: what is in memory ends with us")
        if parsed.database.startswith("file:"):
            raise DatabaseUnusable(
                "database must be the path of a file, as in sqlite:////srv/gateway.db, and no "
                "file: URI"
            )
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise DatabaseUnusable(f"{backend} is no database that can be used: sqlite or postgresql")


def _make_private(path: Path) -> None:
    """Make an empty file that only we can read: arguments of jobs may be secret."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise DatabaseUnusable(f"{path} cannot be used: {error.strerror or error}") from None


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=CONNECTIONS,
            max_overflow=8,
            pool_pre_ping=True,
            hide_parameters=True,
            json_serializer=storable_json,
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise DatabaseUnusable(
            'PostgreSQL needs a further package: pip install "flink-jobs-provider[postgres]"'
        ) from None


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        connect_args={"timeout": _BUSY_S},
        hide_parameters=True,
        json_serializer=storable_json,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # what was accepted outlives a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that writes takes the lock at once: one that began by reading could fail.
        reads = connection.get_execution_options().get("reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
