"""The sessions of people who are signed in to the portal, in the records that gateways share.

Only a digest of what the browser holds is stored, so that a copy of the records signs nobody in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from flink_jobs_provider.gateway.job_board import StoredSession
from flink_jobs_provider.gateway.store.database import Database
from flink_jobs_provider.gateway.store.stored_values import moment
from flink_jobs_provider.gateway.store.tables import SESSIONS, database_now


class SessionRecords:
    """Stores, finds and removes sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_session(self, digest: str, proof: Mapping[str, Any], lifetime: float) -> None:
        """Store a session with its lifetime in seconds; remove those that have expired."""
        with self._database.writing() as connection:
            now: float = connection.execute(select(database_now())).scalar_one()
            connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_at <= now))
            values = {"digest": digest, "proof": dict(proof), "created_at": now}
            connection.execute(insert(SESSIONS), {**values, "expires_at": now + lifetime})

    def session(self, digest: str) -> StoredSession | None:
        """Return a session that has not expired; None where there is none."""
        query = select(SESSIONS.c.proof, SESSIONS.c.expires_at).where(
            SESSIONS.c.digest == digest, SESSIONS.c.expires_at > database_now()
        )
        with self._database.reading() as connection:
            found = connection.execute(query).one_or_none()
        return None if found is None else StoredSession(found.proof, moment(found.expires_at))

    def end_session(self, digest: str) -> None:
        """Remove a session, if it is there."""
        with self._database.writing() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest))
