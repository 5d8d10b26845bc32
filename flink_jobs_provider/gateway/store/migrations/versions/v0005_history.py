"""The history: how jobs were in each minute, and who observes them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _of_job() -> sa.Column[int]:
    job = sa.ForeignKey("jobs.number", ondelete="CASCADE")
    return sa.Column("job_number", _NUMBER, job, primary_key=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "job_states",
        _of_job(),
        sa.Column("begins", _NUMBER, primary_key=True),
        sa.Column("ends", _NUMBER, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tasks", sa.Integer, nullable=False),
        sa.Column("running_tasks", sa.Integer, nullable=False),
        sa.Column("finished_tasks", sa.Integer, nullable=False),
        sa.Column("deployed_at", sa.Double),
    )
    op.create_index("job_states_by_end", "job_states", ["ends"])
    op.create_table(
        "job_loads",
        _of_job(),
        sa.Column("minute", _NUMBER, primary_key=True),
        sa.Column("load", sa.JSON().with_variant(JSONB, "postgresql"), nullable=False),
    )
    op.create_index("job_loads_by_minute", "job_loads", ["minute"])
    op.create_table(
        "sampled_clusters",
        sa.Column("cluster", sa.Text, primary_key=True),
        sa.Column("sampled", _NUMBER, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_until", sa.Double),
    )
