"""Records that open quickly: with tables from a template, and statements compiled once.

Hundreds of tests open a database of their own. The migrations and SQLAlchemy's compiler would take
longer than what most of these tests are about.
"""

from __future__ import annotations

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy.engine import make_url

from flink_jobs_provider.gateway.store import Store
from flink_jobs_provider.gateway.store.database import Database


@cache
def _template() -> tuple[Path, Database]:
    """Return a database with empty tables, made by the migrations, and what it was made with."""
    directory = Path(mkdtemp(prefix="records-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    file = directory / "template.db"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    store.close()
    return file, store._database


def make_tables(url: str) -> None:
    """Write the tables of a SQLite database that does not exist yet."""
    file = make_url(url).database
    if url.startswith("sqlite") and file and not Path(file).exists():
        shutil.copyfile(_template()[0], file)


def open_records(url: str) -> Store:
    """Open records with the statements that other tests compiled."""
    store = Store(url)
    if not store.shared:
        _, first = _template()
        database = store._database
        # A compiled statement is found again by its dialect.
        for engine in (database.engine, database._reading):
            engine.dialect = first.engine.dialect
            engine._compiled_cache = first.engine._compiled_cache
    return store
