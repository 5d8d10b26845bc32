"""The portal: sessions of people who are signed in, and indexes for its list of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and the indexes."""
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("proof", sa.JSON().with_variant(JSONB, "postgresql"), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
    )
    op.create_index("sessions_by_expiry", "sessions", ["expires_at"])
    live, failed = sa.text("deleted_at IS NULL"), sa.text("result = 'FAILED'")
    op.create_index(
        "live_jobs_as_listed",
        "jobs",
        ["cluster", "status", "job_name", "last_action"],
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index(
        "failed_actions", "actions", ["id"], sqlite_where=failed, postgresql_where=failed
    )
