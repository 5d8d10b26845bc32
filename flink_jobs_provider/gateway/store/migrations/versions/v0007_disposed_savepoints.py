"""When a savepoint was disposed of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; no savepoint was disposed of before."""
    op.add_column("savepoints", sa.Column("disposed_at", sa.Double))
