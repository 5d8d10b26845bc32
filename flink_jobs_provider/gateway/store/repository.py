"""The store: everything that the gateway asks of its database."""

from __future__ import annotations

from pathlib import Path

from flink_jobs_provider.gateway.store.acceptance import Acceptance
from flink_jobs_provider.gateway.store.database import Database, migrate
from flink_jobs_provider.gateway.store.expiry import Retention
from flink_jobs_provider.gateway.store.leases import Leases
from flink_jobs_provider.gateway.store.queries import Reads


class Store(Reads, Acceptance, Leases, Retention):
    """The records. Its methods block, each for one short transaction; call them in threads.

    Args:
        url: SQLAlchemy URL: `sqlite:///path` for one gateway, `postgresql+psycopg://…` for many.

    Raises:
        DatabaseUnusable: It cannot be used.
        DatabaseInUse: Another gateway works on this SQLite file.
    """

    def __init__(self, url: str) -> None:
        super().__init__(Database(url))

    @property
    def shared(self) -> bool:
        """Whether other gateways may work on the same records."""
        return self._database.shared

    @property
    def name(self) -> str:
        """The database, as messages may show it: without its password."""
        return self._database.name

    @property
    def directories(self) -> list[Path]:
        """Where this process writes the records itself: nowhere where a server does."""
        return self._database.directories

    def migrate(self) -> None:
        """Bring the tables to the present version.

        Raises:
            DatabaseUnusable: They are of a later version than this one knows, or cannot be
                reached.
        """
        migrate(self._database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
