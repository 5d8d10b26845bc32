"""The tables. A change of them needs a migration in `migrations/versions`.

Times are seconds since the epoch by the database's clock, which all gateways share.
"""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from flink_jobs_provider.gateway.store.foreign_text import ForeignText

#: SQLite counts by itself only what it calls INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")
Document = JSON().with_variant(JSONB, "postgresql")
#: Where None is written as SQL's NULL, not as JSON's.
NullableDocument = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

_LIVE = "deleted_at IS NULL"
_IN_PROGRESS = "finished_at IS NULL"


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of those rows alone that meet a condition."""
    these = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=these, postgresql_where=these)


class Base(DeclarativeBase):
    """All tables of the gateway."""


class JobEntry(Base):
    """A job, live or deleted.

    Attributes:
        identity: The first digits of its jobIds, which all its submissions share.
        status: What is shown; beyond the record's own words "" and JOB_LAUNCH_FAILED.
        settled: Whether one submission alone was seen, and of the version on record.
        record: The job as last seen, without its target and credentials.
        revision: Counts the changes of the row, so that a stale copy of it is noticed.
        last_action: The id of the last action.
        next_inputs: Inputs that count from the next start on.
        next_restore: A savepoint that the next start goes on from.
        created_by: Who had it recorded.
        started_at: When its latest submission was first seen; None where it was never started.
        ended_at: When that ended, by its cluster's clock; none while it runs, or where the cluster
            did not report it.
        changed_at: When its inputs were last changed without a start.
    """

    __tablename__ = "jobs"

    number: Mapped[int] = mapped_column(Number, Identity(), primary_key=True)
    cluster: Mapped[str] = mapped_column(Text)
    job_name: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str] = mapped_column(Text, unique=True)
    identity: Mapped[str] = mapped_column(Text)
    job_id: Mapped[str | None] = mapped_column(Text)
    generation: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(Text)
    settled: Mapped[bool] = mapped_column(Boolean)
    jar_name: Mapped[str] = mapped_column(Text)
    jar_digest: Mapped[str] = mapped_column(Text)
    record: Mapped[dict[str, Any]] = mapped_column(Document)
    as_given: Mapped[dict[str, Any]] = mapped_column(Document)
    revision: Mapped[int] = mapped_column(Integer)
    last_action: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Double)
    deleted_at: Mapped[float | None] = mapped_column(Double)
    next_inputs: Mapped[dict[str, Any] | None] = mapped_column(NullableDocument)
    next_restore: Mapped[str | None] = mapped_column(ForeignText)
    created_by: Mapped[str | None] = mapped_column(ForeignText)
    started_at: Mapped[float | None] = mapped_column(Double)
    changed_at: Mapped[float | None] = mapped_column(Double)
    ended_at: Mapped[float | None] = mapped_column(Double)

    __table_args__ = (
        _partial("one_live_job_of_a_name", "cluster", "job_name", where=_LIVE, unique=True),
        _partial("live_jobs_of_a_cluster", "cluster", "number", where=_LIVE),
        _partial("live_jobs_of_a_jar", "cluster", "jar_name", "number", where=_LIVE),
        _partial("live_jobs_by_status", "cluster", "status", where=_LIVE),
        _partial("live_jobs_by_identity", "identity", where=_LIVE),
        _partial("deleted_jobs", "deleted_at", where="deleted_at IS NOT NULL"),
        Index("jobs_of_a_name", "cluster", "job_name"),
        # All that lists are searched and sorted by: also its own condition, else SQLite reads rows.
        _partial(
            "live_jobs_as_listed",
            *("cluster", "status", "job_name", "last_action"),
            *("job_id", "started_at", "deleted_at", "number"),
            where=_LIVE,
        ),
        {"sqlite_autoincrement": True},
    )


class ActionEntry(Base):
    """An action that was accepted.

    Attributes:
        wanted: The job as the action should make it, without its target; None where it makes none.
        as_given: What the face shows once it has succeeded.
        deadline: Until when it is retried.
        claimed_by: The gateway that executes it.
        claimed_until: Until when no other gateway may; renewed while the work goes on.
        cancels_first: DELETE only: whether a job that runs is cancelled.
    """

    __tablename__ = "actions"

    number: Mapped[int] = mapped_column(Number, Identity(), primary_key=True)
    id: Mapped[str] = mapped_column(Text, unique=True)
    job_number: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(Text)
    caller: Mapped[str] = mapped_column(ForeignText)
    result: Mapped[str] = mapped_column(Text)
    output: Mapped[str] = mapped_column(ForeignText)
    wanted: Mapped[dict[str, Any] | None] = mapped_column(Document)
    jar_digest: Mapped[str | None] = mapped_column(Text)
    as_given: Mapped[dict[str, Any]] = mapped_column(Document)
    accepted_at: Mapped[float] = mapped_column(Double)
    began_at: Mapped[float | None] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)
    deadline: Mapped[float] = mapped_column(Double)
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[float | None] = mapped_column(Double)
    cancels_first: Mapped[bool] = mapped_column(Boolean, server_default=false())

    __table_args__ = (
        _partial("one_action_in_progress", "job_number", where=_IN_PROGRESS, unique=True),
        _partial("actions_in_progress", "number", where=_IN_PROGRESS),
        Index("actions_of_a_job", "job_number", "number"),
        Index("finished_actions", "finished_at"),
        _partial("failed_actions", "id", where="result = 'FAILED'"),
        {"sqlite_autoincrement": True},
    )


class SavepointEntry(Base):
    """A savepoint that a job is known to have had.

    Attributes:
        disposing_at: When it was decided that it is disposed of: nothing is started from it any
            more. None while that was not decided.
        disposed_at: When it was disposed of through its cluster; None while it was not.
    """

    __tablename__ = "savepoints"

    number: Mapped[int] = mapped_column(Number, Identity(), primary_key=True)
    job_number: Mapped[int] = mapped_column(ForeignKey("jobs.number", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(ForeignText)
    taken_at: Mapped[str] = mapped_column(ForeignText)
    reason: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[float] = mapped_column(Double)
    disposing_at: Mapped[float | None] = mapped_column(Double)
    disposed_at: Mapped[float | None] = mapped_column(Double)

    __table_args__ = (
        UniqueConstraint("job_number", "path", name="each_savepoint_once"),
        Index("savepoints_by_age", "recorded_at"),
        {"sqlite_autoincrement": True},
    )


class SessionEntry(Base):
    """Somebody who is signed in to the portal.

    Attributes:
        digest: Of what their browser holds, which is stored nowhere.
        proof: What they signed in with, as far as it decides what they may do now.
    """

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(Text, primary_key=True)
    proof: Mapped[dict[str, Any]] = mapped_column(Document)
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)

    __table_args__ = (Index("sessions_by_expiry", "expires_at"),)


class StateEntry(Base):
    """How the list of its cluster showed a job, unchanged from one minute to another.

    Minutes are counted since the epoch by the database's clock. A job that does not change has one
    row, which grows; a minute in which nobody observed is in none.

    Attributes:
        begins: The first minute.
        ends: The last one, which belongs to it.
        job_id: The submission.
        state: Flink's word, or NOT_LISTED, or UNREACHABLE; see `gateway.job_history`.
        deployed_at: When a task changed its state last, in seconds since the epoch by the
            cluster's clock.
    """

    __tablename__ = "job_states"

    job_number: Mapped[int] = mapped_column(
        ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True
    )
    begins: Mapped[int] = mapped_column(Number, primary_key=True)
    ends: Mapped[int] = mapped_column(Number)
    job_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    tasks: Mapped[int] = mapped_column(Integer)
    running_tasks: Mapped[int] = mapped_column(Integer)
    finished_tasks: Mapped[int] = mapped_column(Integer)
    deployed_at: Mapped[float | None] = mapped_column(Double)

    __table_args__ = (Index("job_states_by_end", "ends"),)


class LoadEntry(Base):
    """The load of a job in one minute in which somebody read it; see `job_history.Load`."""

    __tablename__ = "job_loads"

    job_number: Mapped[int] = mapped_column(
        ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True
    )
    minute: Mapped[int] = mapped_column(Number, primary_key=True)
    load: Mapped[dict[str, Any]] = mapped_column(Document)

    __table_args__ = (Index("job_loads_by_minute", "minute"),)


class SampledClusterEntry(Base):
    """Which gateway observes a cluster for the history, and which minute was the last one.

    Attributes:
        sampled: The last minute that is on record.
        claimed_by: The gateway that observes it now.
        claimed_until: Until when nobody else does.
    """

    __tablename__ = "sampled_clusters"

    cluster: Mapped[str] = mapped_column(Text, primary_key=True)
    sampled: Mapped[int] = mapped_column(Number)
    claimed_by: Mapped[str | None] = mapped_column(Text)
    claimed_until: Mapped[float | None] = mapped_column(Double)


#: The tables themselves: statements on them cost a third of those on the classes.
JOBS = cast(Table, JobEntry.__table__)
ACTIONS = cast(Table, ActionEntry.__table__)
SAVEPOINTS = cast(Table, SavepointEntry.__table__)
SESSIONS = cast(Table, SessionEntry.__table__)
STATES = cast(Table, StateEntry.__table__)
LOADS = cast(Table, LoadEntry.__table__)
SAMPLED = cast(Table, SampledClusterEntry.__table__)


class database_now(FunctionElement[float]):  # noqa: N801 - it is written as a function of SQL
    """The present time by the database's clock, also within a long transaction."""

    type = Double()
    inherit_cache = True


@compiles(database_now, "postgresql")
def _postgresql_now(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(database_now, "sqlite")
def _sqlite_now(_element: database_now, _compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
