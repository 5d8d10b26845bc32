"""The first tables: jobs, their actions, their savepoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DOCUMENT = sa.JSON().with_variant(JSONB, "postgresql")
_LIVE = "deleted_at IS NULL"
_IN_PROGRESS = "finished_at IS NULL"


def upgrade() -> None:
    """Make the tables."""
    _jobs()
    _actions()
    op.create_table(
        "savepoints",
        sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
        _of_a_job(),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("taken_at", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Double, nullable=False),
        sa.UniqueConstraint("job_number", "path", name="each_savepoint_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("savepoints_by_age", "savepoints", ["recorded_at"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("job_name", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False, unique=True),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("jar_name", sa.Text, nullable=False),
        sa.Column("jar_digest", sa.Text, nullable=False),
        sa.Column("record", _DOCUMENT, nullable=False),
        sa.Column("as_given", _DOCUMENT, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("last_action", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("deleted_at", sa.Double),
        sqlite_autoincrement=True,
    )
    _index("one_live_job_of_a_name", "jobs", ["cluster", "job_name"], _LIVE, unique=True)
    _index("live_jobs_of_a_cluster", "jobs", ["cluster", "number"], _LIVE)
    _index("live_jobs_of_a_jar", "jobs", ["cluster", "jar_name", "number"], _LIVE)
    _index("live_jobs_by_status", "jobs", ["cluster", "status"], _LIVE)
    _index("live_jobs_by_identity", "jobs", ["identity"], _LIVE)
    _index("deleted_jobs", "jobs", ["deleted_at"], "deleted_at IS NOT NULL")
    op.create_index("jobs_of_a_name", "jobs", ["cluster", "job_name"])


def _actions() -> None:
    op.create_table(
        "actions",
        sa.Column("number", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        _of_a_job(),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("wanted", _DOCUMENT),
        sa.Column("jar_digest", sa.Text),
        sa.Column("as_given", _DOCUMENT, nullable=False),
        sa.Column("accepted_at", sa.Double, nullable=False),
        sa.Column("began_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("deadline", sa.Double, nullable=False),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_until", sa.Double),
        sqlite_autoincrement=True,
    )
    _index("one_action_in_progress", "actions", ["job_number"], _IN_PROGRESS, unique=True)
    _index("actions_in_progress", "actions", ["number"], _IN_PROGRESS)
    op.create_index("actions_of_a_job", "actions", ["job_number", "number"])
    op.create_index("finished_actions", "actions", ["finished_at"])


def _of_a_job() -> sa.Column[int]:
    return sa.Column(
        "job_number", _NUMBER, sa.ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False
    )


def _index(name: str, table: str, columns: list[str], where: str, unique: bool = False) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
