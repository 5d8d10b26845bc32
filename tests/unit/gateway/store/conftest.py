"""Every test of the store runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.store import Store
from tests.postgres_server import postgres_server
from tests.unit.gateway.records import make_tables, open_records

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.process)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    url: str = request.getfixturevalue("postgres_server").new_database()
    return url


@pytest.fixture
def open_store() -> Iterator[Callable[[str], Store]]:
    """Return a function that opens a store and closes it after the test."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(closing(open_records(url)))


@pytest.fixture
def store(database_url: str, open_store: Callable[[str], Store]) -> Store:
    """Return a store with empty tables."""
    make_tables(database_url)
    opened = open_store(database_url)
    opened.migrate()
    return opened
