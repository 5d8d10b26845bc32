"""Bringing the tables to the present version."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from flink_jobs_provider.gateway.store.database import Database, DatabaseUnusable

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
