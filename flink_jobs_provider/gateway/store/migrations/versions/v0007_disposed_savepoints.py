"""When it was decided that a savepoint is disposed of, and when it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no savepoint was disposed of before."""
    op.add_column("savepoints", sa.Column("disposing_at", sa.Double))
    op.add_column("savepoints", sa.Column("disposed_at", sa.Double))
