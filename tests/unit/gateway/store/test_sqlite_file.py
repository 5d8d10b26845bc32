"""The SQLite file while it is used: moved, replaced, damaged, or limited; and what is reported."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from flink_jobs_provider.gateway.store import DatabaseUnusable
from flink_jobs_provider.gateway.store.database import Database, RecordsError, RecordsUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of the database is."""
    return tmp_path / "gateway.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """An open database with one row."""
    database = Database(f"sqlite:///{path}")
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE jobs (name TEXT)"))
    _add(database, "orders")
    yield database
    database.close()


def _add(database: Database, name: str) -> None:
    with database.writing() as connection:
        connection.execute(text("INSERT INTO jobs VALUES (:name)"), {"name": name})


def _names(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(text("SELECT name FROM jobs")).scalars())


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"garbage" * 1000)
    other.rename(path)


@pytest.mark.parametrize("how", [Path.unlink, _replace], ids=["removed", "replaced"])
def test_a_file_that_is_no_longer_there_is_not_written_to(
    database: Database, path: Path, how: Callable[[Path], None]
) -> None:
    """Shows that nothing is accepted into a file that the next start will not find."""
    aside = path.with_name("aside")
    aside.hardlink_to(path)
    how(path)
    there = path.read_bytes() if path.exists() else None
    for use in (lambda: _add(database, "lost"), lambda: _names(database)):
        with pytest.raises(RecordsUnavailable, match="was moved, removed or replaced") as refused:
            use()
        assert str(path) in refused.value.cause
    assert (path.read_bytes() if path.exists() else None) == there, "nor is another one made"

    aside.rename(path)
    _add(database, "payments")
    assert _names(database) == ["orders", "payments"]


def test_a_file_that_goes_while_it_is_written_is_not_reported_as_written(
    database: Database, path: Path
) -> None:
    """Shows that the caller hears of it, though SQLite has committed."""
    aside = path.with_name("aside")

    def write() -> None:
        with database.writing() as connection:
            connection.execute(text("INSERT INTO jobs VALUES ('unsure')"))
            path.rename(aside)

    with pytest.raises(RecordsUnavailable, match="was moved, removed or replaced"):
        write()
    aside.rename(path)
    assert _names(database) == ["orders", "unsure"]


def test_a_damaged_file_is_no_defect_of_the_gateway(path: Path) -> None:
    """Shows that it is unavailable, and what to do."""
    database = Database(f"sqlite:///{path}")
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE jobs (name TEXT)"))
    database.close()
    first_page = path.read_bytes()[:4096]
    path.write_bytes(first_page + b"garbage!" * 512)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(RecordsUnavailable) as refused:
        _names(database)
    database.close()
    assert refused.value.cause == (
        "the database is damaged: stop the gateway, and restore a backup (SQLITE_CORRUPT)"
    )


def test_a_limit_of_the_file_size_is_named(database: Database) -> None:
    """Shows the cause of a write that the operating system refuses, and that the row is not in."""
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, allowed[1]))
    try:
        with pytest.raises(RecordsUnavailable) as refused:
            _add(database, "too much")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert str(refused.value).startswith("OperationalError: the disk of the database f")
    assert _names(database) == ["orders"]


def test_a_wrong_statement_is_named_by_its_kind_alone(database: Database) -> None:
    """Shows that no part of a statement is in the text of its error."""
    with pytest.raises(RecordsError) as failed, database.reading() as connection:
        connection.execute(text("SELECT name FROM secrets"))
    assert str(failed.value) == "OperationalError"


@pytest.mark.parametrize("emptied", [False, True], ids=["missing", "empty"])
def test_a_journal_without_its_database_is_not_dropped(
    database: Database, path: Path, tmp_path: Path, emptied: bool
) -> None:
    """Shows what a killed gateway finds whose file was removed: SQLite would drop the records."""
    left = tmp_path / "left"
    left.mkdir()
    for found in tmp_path.glob("gateway.db*"):
        if found.suffix != ".lock":
            shutil.copy(found, left)
    whole = (left / path.name).read_bytes()
    (left / path.name).unlink()
    if emptied:
        (left / path.name).touch()
    journal = left / f"{path.name}-wal"
    records = journal.read_bytes()
    with pytest.raises(DatabaseUnusable, match=r"is missing or empty, and .* has records of it"):
        Database(f"sqlite:///{left / path.name}")
    assert journal.read_bytes() == records

    (left / path.name).write_bytes(whole)
    again = Database(f"sqlite:///{left / path.name}")
    assert _names(again) == ["orders"]
    again.close()
    assert _names(database) == ["orders"]
