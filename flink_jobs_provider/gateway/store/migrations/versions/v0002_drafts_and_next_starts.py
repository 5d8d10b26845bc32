"""Drafts, what counts from a job's next start on, and deletions that cancel first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(JSONB, "postgresql")


def upgrade() -> None:
    """Add the columns.

    The creator of a job is who asked for its oldest action on record; one that ran was started.
    """
    op.add_column("jobs", sa.Column("next_inputs", _DOCUMENT))
    op.add_column("jobs", sa.Column("next_restore", sa.Text))
    op.add_column("jobs", sa.Column("created_by", sa.Text))
    op.add_column("jobs", sa.Column("started_at", sa.Double))
    op.add_column("jobs", sa.Column("changed_at", sa.Double))
    op.add_column(
        "actions",
        sa.Column("cancels_first", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.execute(
        "UPDATE jobs SET created_by = (SELECT caller FROM actions"
        " WHERE actions.job_number = jobs.number ORDER BY actions.number LIMIT 1)"
    )
    op.execute("UPDATE jobs SET started_at = created_at WHERE job_id IS NOT NULL")
