"""Writers of a SQLite file that wait for each other: one commit, and each as if it were alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Connection, event, text

from flink_jobs_provider.gateway.store.database import Database, RecordsConflict, RecordsUnavailable
from tests.waiting import wait_until

_PATIENCE_S = 30


class Writers:
    """A database with one table, and threads that write to it one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.database = Database(f"sqlite:///{path}")
        self.commits = 0
        self._threads = ThreadPoolExecutor(8)
        with self.database.writing() as connection:
            connection.execute(text("CREATE TABLE parent (name TEXT PRIMARY KEY)"))
            connection.execute(
                text(
                    "CREATE TABLE child (name TEXT PRIMARY KEY REFERENCES parent (name) "
                    "DEFERRABLE INITIALLY DEFERRED)"
                )
            )
        event.listen(self.database.engine, "commit", self._count)

    def _count(self, _connection: object) -> None:
        self.commits += 1

    @property
    def waiting(self) -> int:
        """How many writers wait for their turn."""
        assert self.database._group_commit is not None
        return self.database._group_commit._waiting

    def begin(self, work: Callable[[Connection], None]) -> Future[None]:
        """Write in a thread."""

        def writing() -> None:
            with self.database.writing() as connection:
                work(connection)

        return self._threads.submit(writing)

    def together(
        self, first: Callable[[Connection], None], *others: Callable[[Connection], None]
    ) -> list[BaseException | None]:
        """Have writers wait while the first one writes; return how each ended."""
        begun, go_on = Event(), Event()

        def holding(connection: Connection) -> None:
            first(connection)
            begun.set()
            _wait(go_on)

        calls = [self.begin(holding)]
        _wait(begun)
        calls += [self.begin(work) for work in others]
        wait_until(lambda: self.waiting == len(others), _PATIENCE_S, "the others wait")
        go_on.set()
        return [call.exception(_PATIENCE_S) for call in calls]

    @property
    def on_record(self) -> list[str]:
        """What another connection sees."""
        with closing(sqlite3.connect(self._path)) as connection:
            query = "SELECT name FROM parent UNION ALL SELECT name FROM child ORDER BY 1"
            return [row[0] for row in connection.execute(query)]

    def close(self) -> None:
        """End the threads, and close the database."""
        self._threads.shutdown()
        self.database.close()


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Writers]:
    """Return writers of an empty database."""
    with closing(Writers(tmp_path / "gateway.db")) as opened:
        yield opened


def _wait(go_on: Event) -> None:
    assert go_on.wait(_PATIENCE_S)


def _insert(name: str, table: str = "parent") -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(text(f"INSERT INTO {table} VALUES (:name)"), {"name": name})

    return work


def test_writers_that_wait_share_a_commit(writers: Writers) -> None:
    """Three writers, of which two waited for the first, commit once."""
    assert writers.together(_insert("a"), _insert("b"), _insert("c")) == [None] * 3

    assert writers.on_record == ["a", "b", "c"]
    assert writers.commits == 1


def test_a_writer_returns_when_the_commit_is_done(writers: Writers) -> None:
    """It waits for the others of its group: until they have ended, nothing is on record."""
    begun, go_on = Event(), Event()
    seen: list[tuple[bool, list[str]]] = []

    def first(connection: Connection) -> None:
        _insert("a")(connection)
        begun.set()
        _wait(go_on)

    def second(connection: Connection) -> None:
        _insert("b")(connection)
        seen.append((call.done(), writers.on_record))

    call = writers.begin(first)
    _wait(begun)
    other = writers.begin(second)
    wait_until(lambda: writers.waiting == 1, _PATIENCE_S, "the second writer waits")
    go_on.set()
    call.result(_PATIENCE_S)
    other.result(_PATIENCE_S)

    assert seen == [(False, [])]
    assert writers.on_record == ["a", "b"]


def test_one_that_fails_takes_back_its_own_alone(writers: Writers) -> None:
    """An error of its own, and a row that is there already, leave the others' work on record."""

    def fails(connection: Connection) -> None:
        _insert("b")(connection)
        raise ValueError

    errors = writers.together(_insert("a"), fails, _insert("a"), _insert("d"))

    assert [type(error) for error in errors] == [
        type(None),
        ValueError,
        RecordsConflict,
        type(None),
    ]
    assert writers.on_record == ["a", "d"]
    assert writers.commits == 1


def test_a_transaction_that_sqlite_rolled_back_fails_for_all(writers: Writers) -> None:
    """After an error that ends the transaction, nobody of the group is told that it has written."""

    def rolled_back(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does when the disk is full

    errors = writers.together(_insert("a"), rolled_back)

    assert [type(error) for error in errors] == [RecordsUnavailable] * 2
    assert writers.on_record == []
    writers.begin(_insert("c")).result(_PATIENCE_S)
    assert writers.on_record == ["c"]


def test_a_commit_that_fails_fails_for_all(writers: Writers) -> None:
    """Each writer of the group gets the error; the next one writes again."""
    errors = writers.together(_insert("a"), _insert("orphan", "child"), _insert("c"))

    assert [type(error) for error in errors] == [RecordsConflict] * 3
    assert writers.on_record == []
    writers.begin(_insert("d")).result(_PATIENCE_S)
    assert writers.on_record == ["d"]


def test_commits_wait_for_the_disk(writers: Writers) -> None:
    """A power cut takes back nothing that was told: SQLite syncs its log at each commit."""
    with writers.database.writing() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
