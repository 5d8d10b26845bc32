"""Group commit: transactions that wait for each other reach the disk by one commit.

SQLite admits one writer at a time, and each commit waits for the disk. Writers queue here instead
of polling SQLite's lock. The transaction stays open while writers wait, each works behind a
savepoint of its own, and the last of them commits for all. A writer returns only when that commit
has reached the disk: what it was told is as durable as with a commit of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError


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
    """The writers of one SQLite database.

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
