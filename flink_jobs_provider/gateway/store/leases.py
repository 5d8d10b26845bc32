"""Who executes an action: one gateway at a time, for as long as it renews its claim.

Times are the database's, so that the gateways' own clocks need not agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    update,
)

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.refusals import stored_output
from flink_jobs_provider.gateway.store.database import Database
from flink_jobs_provider.gateway.store.disposals import note_disposals
from flink_jobs_provider.gateway.store.foreign_text import storable
from flink_jobs_provider.gateway.store.queries import (
    ACTION_AND_JOB,
    JOB_AND_LAST,
    action_row,
    entries,
    one_job,
    stored_action,
    time_of,
)
from flink_jobs_provider.gateway.store.stored_values import (
    ACTIVE,
    JobState,
    StoredAction,
    StoredJob,
    moment,
    moment_or_none,
)
from flink_jobs_provider.gateway.store.tables import (
    ACTIONS,
    JOBS,
    SAVEPOINTS,
    ActionEntry,
    JobEntry,
    database_now,
)
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.wire.hdinsight import LAUNCH_FAILED

# Made once: what a statement costs is its making, more than its execution.
_LOCK_JOB = select(JOBS.c.number).where(JOBS.c.number == bindparam("job")).with_for_update()
_UPDATE_HELD = update(ACTIONS).where(
    ACTIONS.c.id == bindparam("action_id"),
    ACTIONS.c.claimed_by == bindparam("holder"),
    ACTIONS.c.finished_at.is_(None),
)
_END = _UPDATE_HELD.returning(ACTIONS.c.began_at)
_WRITE = update(JOBS).where(JOBS.c.number == bindparam("job")).values(revision=JOBS.c.revision + 1)
#: The same of a job that has a submission: when that was seen first.
_WRITE_SUBMITTED = _WRITE.values(
    started_at=case(
        (
            and_(JOBS.c.job_id == bindparam("seen_id"), JOBS.c.started_at.is_not(None)),
            JOBS.c.started_at,
        ),
        else_=bindparam("seen_at"),
    )
)
_KNOWN_PATHS = select(SAVEPOINTS.c.path).where(
    SAVEPOINTS.c.job_number == bindparam("job"),
    SAVEPOINTS.c.path.in_(bindparam("paths", expanding=True)),
)


class Leases:
    """Claims, renews, hands over and ends actions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, action_id: str, gateway: str) -> StoredJob | None:
        """Note that an action begins; return its job, or none where it is no longer ours."""
        with self._database.writing() as connection:
            job_number = connection.execute(
                update(ActionEntry)
                .where(ActionEntry.id == action_id, *_held(gateway))
                .values(began_at=func.coalesce(ActionEntry.began_at, database_now()))
                .returning(ActionEntry.job_number)
            ).scalar_one_or_none()
            if job_number is None:
                return None
            query = JOB_AND_LAST.where(JOBS.c.number == job_number)
            return one_job(connection.execute(query))

    def note_wait(self, action_id: str, gateway: str, output: str) -> None:
        """Note what an action waits for."""
        held = {"action_id": action_id, "holder": gateway}
        with self._database.writing() as connection:
            connection.execute(_UPDATE_HELD, {**held, "output": stored_output(output)})

    def finish(
        self,
        action: StoredAction,
        gateway: str,
        result: ActionResult,
        output: str,
        state: JobState | None,
        *,
        deleted: bool = False,
    ) -> ActionRow | None:
        """End an action, and record how its job is now, both or neither.

        Returns:
            The action as it ended; None where another gateway has taken it over meanwhile.
        """
        with self._database.writing() as connection:
            # The job first, as everybody does: an action's row is never locked without it.
            connection.execute(_LOCK_JOB, {"job": action.job_number})
            now = time_of(connection)
            ended = connection.execute(
                _END,
                {
                    "action_id": action.row.id,
                    "holder": gateway,
                    "result": result.value,
                    "output": stored_output(output),
                    "finished_at": now,
                    "claimed_by": None,
                    "claimed_until": None,
                },
            ).one_or_none()
            if ended is None:
                return None
            if state is not None:
                _write(connection, action.job_number, state, now)
            if deleted:
                connection.execute(
                    update(JOBS)
                    .where(JOBS.c.number == action.job_number)
                    .values(deleted_at=now, revision=JOBS.c.revision + 1)
                )
            return replace(
                action.row,
                result=result,
                output=output,
                began_at=moment_or_none(ended.began_at),
                finished_at=moment(now),
            )

    def observe(self, number: int, revision: int, state: JobState) -> bool:
        """Record how a job was seen; whether it was, no action having come between."""
        with self._database.writing() as connection:
            job = connection.execute(
                select(JobEntry.number)
                .where(
                    JobEntry.number == number,
                    JobEntry.revision == revision,
                    JobEntry.deleted_at.is_(None),
                )
                .with_for_update()
            ).scalar_one_or_none()
            busy = select(ActionEntry.number).where(
                ActionEntry.job_number == number, ActionEntry.finished_at.is_(None)
            )
            if job is None or connection.execute(busy).first() is not None:
                return False
            now = time_of(connection)
            _write(connection, number, state, now)
            return True

    def renew(self, gateway: str, lease: float, actions: Sequence[str]) -> set[str]:
        """Renew a gateway's claims on some actions; return the ids of those still its own."""
        with self._database.writing() as connection:
            query = (
                update(ActionEntry)
                .where(ActionEntry.id.in_(actions), *_held(gateway))
                .values(claimed_until=database_now() + lease)
                .returning(ActionEntry.id)
            )
            return set(connection.execute(query).scalars())

    def claim(
        self,
        gateway: str,
        lease: float,
        clusters: Sequence[str],
        limit: int,
        held: Sequence[str] = (),
    ) -> list[StoredAction]:
        """Claim actions that no gateway executes any more, the oldest first.

        Args:
            gateway: Who claims them.
            lease: For how many seconds.
            clusters: Keys of the clusters that it serves.
            limit: How many at most.
            held: Ids of actions that it has not let go of yet, though its claim has expired.
        """
        if limit <= 0:
            return []
        left = (
            select(ActionEntry.number)
            .where(*_left(), _cluster().in_(clusters))
            .order_by(ActionEntry.accepted_at)  # by number SQLite would go through all of them
            .limit(limit)
            .with_for_update(skip_locked=True, of=ActionEntry)
        )
        if held:
            left = left.where(ActionEntry.id.not_in(held))
        with self._database.writing() as connection:
            numbers = list(connection.scalars(left))
            if not numbers:
                return []
            connection.execute(
                update(ActionEntry)
                .where(ActionEntry.number.in_(numbers))
                .values(claimed_by=gateway, claimed_until=database_now() + lease)
            )
            now = time_of(connection)
            query = ACTION_AND_JOB.where(ActionEntry.number.in_(numbers))
            found = map(entries, connection.execute(query.order_by(ActionEntry.number)))
            return [stored_action(entry, job, now) for job, entry in found]

    def release(self, gateway: str) -> int:
        """Hand over all actions of a gateway to whoever comes first; return how many."""
        return self._release(ActionEntry.claimed_by == gateway)

    def release_all(self) -> int:
        """Hand over the actions of every gateway: the caller knows that none of them lives."""
        return self._release(ActionEntry.claimed_by.is_not(None))

    def _release(self, whose: ColumnElement[bool]) -> int:
        with self._database.writing() as connection:
            query = (
                update(ActionEntry)
                .where(whose, ActionEntry.finished_at.is_(None))
                .values(claimed_by=None, claimed_until=None)
                .returning(ActionEntry.id)
            )
            return len(connection.execute(query).all())

    def abandon(self, clusters: Sequence[str], output: str) -> list[ActionRow]:
        """End, as failed, actions past their deadline on clusters that no gateway serves any more.

        Args:
            clusters: Keys of the clusters that are served.
            output: What the actions report.
        """
        query = ACTION_AND_JOB.where(
            *_left(), ActionEntry.deadline < database_now(), _cluster().not_in(clusters)
        ).with_for_update(skip_locked=True, of=ACTIONS)
        with self._database.writing() as connection:
            found = []
            for job, entry in map(entries, connection.execute(query).all()):
                entry.result, entry.output = ActionResult.FAILED.value, output
                entry.finished_at = time_of(connection)
                ended = {name: getattr(entry, name) for name in ("result", "output", "finished_at")}
                connection.execute(
                    update(ACTIONS).where(ACTIONS.c.number == entry.number).values(ended)
                )
                connection.execute(
                    update(JOBS)
                    .where(JOBS.c.number == job.number)
                    .values(status=job.status or LAUNCH_FAILED, revision=JOBS.c.revision + 1)
                )
                found.append(action_row(entry, job))
            return found


def _held(gateway: str) -> tuple[ColumnElement[bool], ...]:
    return (ActionEntry.claimed_by == gateway, ActionEntry.finished_at.is_(None))


def _left() -> tuple[ColumnElement[bool], ...]:
    return (
        ActionEntry.finished_at.is_(None),
        or_(ActionEntry.claimed_until.is_(None), ActionEntry.claimed_until < database_now()),
    )


def _cluster() -> ScalarSelect[str]:
    """Return the cluster of an action; asked for each, since few of them are in progress."""
    query = select(JobEntry.cluster).where(JobEntry.number == ActionEntry.job_number)
    return query.correlate(ActionEntry).scalar_subquery()


def _write(connection: Connection, number: int, state: JobState, now: float) -> None:
    """Write a job's row, and the savepoints that its record names for the first time."""
    more: dict[str, Any] = {}
    if state.started:
        more["next_inputs"] = None
    written = _WRITE
    if job_id := state.record.get("job_id"):
        # Also where the start failed that it is of: nobody may take it for one that never ran, and
        # has no state.
        written = _WRITE_SUBMITTED
        more |= {"seen_id": job_id, "seen_at": now}
    if state.started or state.status in ACTIVE:
        # A job that runs has state of its own again, which no savepoint named before may replace.
        more |= {"next_restore": None, "ended_at": None}
    elif state.ended is not None:
        more["ended_at"] = state.ended
    connection.execute(written, {"job": number, **state.columns, **more})
    _note_savepoints(connection, number, state.record.get("savepoints", []), now)
    note_disposals(connection, number, state.disposed, now)


def _note_savepoints(
    connection: Connection, number: int, listed: Sequence[Mapping[str, str]], now: float
) -> None:
    if not listed:
        return
    named = {storable(savepoint["path"]): savepoint for savepoint in reversed(listed)}
    known = set(connection.scalars(_KNOWN_PATHS, {"job": number, "paths": list(named)}))
    fresh = [
        {
            "job_number": number,
            "path": path,
            "taken_at": savepoint["taken_at"],
            "reason": savepoint["reason"],
            "recorded_at": now,
        }
        for path, savepoint in named.items()  # the newest last: it gets the highest number
        if path not in known
    ]
    if fresh:
        connection.execute(insert(SAVEPOINTS), fresh)
