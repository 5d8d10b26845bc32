"""Opening the database: SQLite for one gateway, PostgreSQL for any number of them."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)

from flink_jobs_provider.gateway.store.group_commit import GroupCommit
from flink_jobs_provider.model.errors import FlinkJobsError, SetupError

#: Any number that nobody else locks in the same database.
_ADVISORY_LOCK = 0x666C696E6B6A6F62


def migrate(database: Database) -> None:
    """Bring the tables to the present version; two gateways that start at once take turns.

    Raises:
        DatabaseUnusable: They are of a later version than this one knows, or cannot be reached.
    """
    try:
        _migrate(database)
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise DatabaseUnusable(f"the database {database.name} cannot be used: {reason}") from None


def _migrate(database: Database) -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with database.connected() as connection:
        if database.shared:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        present = MigrationContext.configure(connection).get_current_revision()
        if present is not None and present not in known:
            raise DatabaseUnusable(
                f"the records in {database.name} are of a later version of the gateway "
                f"({present}): start that one"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


_BUSY_S = 30
#: Connections that are kept: as many as there are threads that call the records.
CONNECTIONS = 8


class DatabaseUnusable(SetupError):
    """The database cannot be used; the text says why, without its password."""


class DatabaseInUse(DatabaseUnusable):
    """Another gateway works on this SQLite file."""


class RecordsError(FlinkJobsError):
    """A statement that the database did not execute; the text is the kind of its error alone.

    What the database says may hold inputs of jobs.
    """


class RecordsUnavailable(RecordsError):
    """The database cannot be used now: away, full, out of connections, or a standby."""


class RecordsConflict(RecordsError):
    """A row that the rules of the tables do not allow alongside those that are there."""


#: Classes of PostgreSQL's SQLSTATE (its manual, appendix A): connection, resources, shutdown,
#: system error; and a server that only reads, as a standby does.
_UNAVAILABLE = ("08", "53", "57", "58", "25006")


@contextmanager
def _errors_of_the_records() -> Iterator[None]:
    """Raise SQLAlchemy's errors as those of the records: nobody else knows SQL."""
    try:
        yield
    except IntegrityError as error:
        raise RecordsConflict(type(error).__name__) from error
    except SQLAlchemyError as error:
        away = not isinstance(error, DBAPIError) or _unreachable(error)
        kind = RecordsUnavailable if away else RecordsError
        raise kind(type(error).__name__) from error


def _unreachable(error: DBAPIError) -> bool:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return (
        error.connection_invalidated
        or type(error).__name__ in ("OperationalError", "InterfaceError")
        or state.startswith(_UNAVAILABLE)
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
        self.directories = [] if self.shared else [Path(str(parsed.database)).absolute().parent]
        self.name = parsed.render_as_string(hide_password=True)
        self._lock = None if self.shared else FileLock(Path(f"{parsed.database}.lock"))
        try:
            if not self.shared:
                _make_private(Path(str(parsed.database)))
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
        with _errors_of_the_records(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction: all of it, or nothing.

        Raises:
            RecordsConflict: The rules of the tables do not allow it.
            RecordsError: It was not written.
        """
        group_commit = self._group_commit
        begun = group_commit.writing() if group_commit else self.engine.begin()
        with _errors_of_the_records(), begun as connection:
            yield connection

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
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise DatabaseUnusable(
            'PostgreSQL needs a further package: pip install "flink-jobs-provider[postgres]"'
        ) from None


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url, pool_size=CONNECTIONS, connect_args={"timeout": _BUSY_S}, hide_parameters=True
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
