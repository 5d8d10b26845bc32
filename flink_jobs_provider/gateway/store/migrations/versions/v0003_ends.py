"""When a job's latest submission ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of jobs that ended before, it is not known."""
    op.add_column("jobs", sa.Column("ended_at", sa.Double))
