"""The index of the list of jobs holds all that its searches and orders read.

Without that each job of a list costs a look into its row, past the documents that it holds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LISTED = (
    *("cluster", "status", "job_name", "last_action"),
    *("job_id", "started_at", "deleted_at", "number"),
)


def upgrade() -> None:
    """Make the index again."""
    live = sa.text("deleted_at IS NULL")
    op.drop_index("live_jobs_as_listed", "jobs")
    op.create_index(
        "live_jobs_as_listed", "jobs", list(_LISTED), sqlite_where=live, postgresql_where=live
    )
