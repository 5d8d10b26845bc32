"""Admission actions: one at a time for each job, and one live job for each name.

Each method locks the job's row before anything else, so that no two wait for each other. The
indexes of the tables hold the same rules, whatever a gateway does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from flink_jobs_provider.gateway.action_outputs import stored_output
from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.store.database import Database, RecordsConflict
from flink_jobs_provider.gateway.store.queries import (
    action_row,
    stored_action,
    stored_job,
)
from flink_jobs_provider.gateway.store.stored_values import (
    JobState,
    NewAction,
    NextStart,
    StoredAction,
)
from flink_jobs_provider.gateway.store.tables import (
    ACTIONS,
    JOBS,
    ActionEntry,
    JobEntry,
    database_now,
)
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.errors import Signal

# Made once: what a statement costs is its making, more than its execution.
_NOW = select(database_now())
_LOCK_JOB = (
    select(JOBS)
    .where(JOBS.c.number == bindparam("job"), JOBS.c.deleted_at.is_(None))
    .with_for_update()
)
_IN_PROGRESS = select(ACTIONS).where(
    ACTIONS.c.job_number == bindparam("job"), ACTIONS.c.finished_at.is_(None)
)
_LAST_GENERATION = select(func.max(JOBS.c.generation)).where(
    JOBS.c.cluster == bindparam("cluster"),
    JOBS.c.job_name == bindparam("name"),
    JOBS.c.deleted_at.is_not(None),
)
_UPDATE_JOB = update(JOBS).where(JOBS.c.number == bindparam("job"))
_INSERT_JOB = insert(JOBS).returning(JOBS.c.number)
_INSERT_ACTION = insert(ACTIONS)


class UnfinishedAction(Signal):
    """Another action on the job has not ended.

    Attributes:
        first: That action.
    """

    def __init__(self, first: ActionRow) -> None:
        self.first = first
        super().__init__(f"{first.action} {first.id} is in progress")


class RowChanged(Signal):
    """The row is no longer as it was when it was decided on: decide again."""


class Acceptance:
    """Records actions, each claimed by the gateway that accepted it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept_new(
        self,
        cluster: str,
        job_name: str,
        run_id: str,
        identity: str,
        state: JobState,
        action: NewAction,
        *,
        replaces: tuple[int, int] | None,
        gateway: str,
        lease: float,
        begins: bool = False,
    ) -> StoredAction:
        """Accept the first action of a new job.

        Args:
            cluster: Key of the cluster.
            job_name: Its name there.
            run_id: What tells it from others of the name.
            identity: What its jobIds begin with.
            state: What its row says. Its generation is set to that of the last job of the name.
            action: The action.
            replaces: Number and revision of the row that gives way to it, if there is one.
            gateway: Who executes it.
            lease: For how many seconds nobody else may.
            begins: Whether it begins at once, as `Leases.begin` would note afterwards.

        Raises:
            RowChanged: A job has that name meanwhile, or the one that gives way has changed.
            UnfinishedAction: An action is in progress on the one that gives way.
        """
        with self._changing() as (connection, now):
            _give_way(connection, replaces, now)
            job = _insert_job(connection, cluster, job_name, run_id, identity, state, action, now)
            claim = _claim(now, action, gateway, lease, begins)
            return _insert(connection, job, action, now, claim, begins)

    def accept(
        self,
        number: int,
        revision: int,
        action: NewAction,
        *,
        gateway: str,
        lease: float,
        status: str | None = None,
        begins: bool = False,
    ) -> StoredAction:
        """Accept an action on a job that is on record.

        Args:
            number: The job.
            revision: That of the row that was decided on.
            action: The action.
            gateway: Who executes it.
            lease: For how many seconds nobody else may.
            status: What the job's row says from now on; none to leave it as it is.
            begins: Whether it begins at once, as `Leases.begin` would note afterwards.

        Raises:
            RowChanged: The row is no longer of that revision.
            UnfinishedAction: An action is in progress.
        """
        with self._changing() as (connection, now):
            before = _locked(connection, number, revision)
            more = {} if status is None else {"status": status}
            job = _update_job(connection, before, action, **more)
            claim = _claim(now, action, gateway, lease, begins)
            return _insert(connection, job, action, now, claim, begins)

    def put_ended(
        self,
        cluster: str,
        job_name: str,
        run_id: str,
        identity: str,
        state: JobState,
        action: NewAction,
        output: str,
        *,
        result: ActionResult = ActionResult.SUCCESS,
        replaces: tuple[int, int] | None = None,
    ) -> StoredAction:
        """Put a job on record that is not started, with an action that has ended; see `accept_new`.

        Raises:
            RowChanged: A job has that name meanwhile, or the one that gives way has changed.
            UnfinishedAction: An action is in progress on the one that gives way.
        """
        with self._changing() as (connection, now):
            _give_way(connection, replaces, now)
            job = _insert_job(connection, cluster, job_name, run_id, identity, state, action, now)
            return _insert(connection, job, action, now, _ended(now, output, result))

    def change(
        self,
        number: int,
        revision: int,
        action: NewAction,
        output: str,
        next_start: NextStart,
    ) -> None:
        """Record what counts from a job's next start on, with an action that has ended.

        What the action says of `as_given` is shown from now on.

        Raises:
            RowChanged: The row is no longer of that revision.
            UnfinishedAction: An action is in progress.
        """
        with self._changing() as (connection, now):
            job = _update_job(
                connection,
                _locked(connection, number, revision),
                action,
                as_given=dict(action.as_given),
                next_inputs=dict(next_start.inputs) or None,
                next_restore=next_start.restore,
                changed_at=now,
            )
            _insert(connection, job, action, now, _ended(now, output))

    @contextmanager
    def _changing(self) -> Iterator[tuple[Connection, float]]:
        """Open a transaction, with the time by the database's clock."""
        try:
            with self._database.writing() as connection:
                yield connection, connection.execute(_NOW).scalar_one()
        except RecordsConflict:
            raise RowChanged from None


def _give_way(connection: Connection, replaces: tuple[int, int] | None, now: float) -> None:
    """Delete the row that gives way to a new job, if there is one: its number and revision."""
    if replaces is None:
        return
    connection.execute(
        update(JOBS)
        .where(JOBS.c.number == _locked(connection, *replaces).number)
        .values(deleted_at=now, revision=JOBS.c.revision + 1)
    )


def _insert_job(
    connection: Connection,
    cluster: str,
    job_name: str,
    run_id: str,
    identity: str,
    state: JobState,
    action: NewAction,
    now: float,
) -> JobEntry:
    record = {**state.record, "generation": _last(connection, cluster, job_name)}
    values = {
        **JobState(record, state.status, state.as_given).columns,
        "cluster": cluster,
        "job_name": job_name,
        "run_id": run_id,
        "identity": identity,
        "revision": 1,
        "last_action": action.id,
        "created_at": now,
        "created_by": action.caller,
    }
    number = connection.execute(_INSERT_JOB, values).scalar_one()
    return JobEntry(number=number, **values)


def _update_job(
    connection: Connection, job: JobEntry, action: NewAction, **values: Any
) -> JobEntry:
    """Record an action of a job whose row is locked; return the row as it is then."""
    changed = {"last_action": action.id, "revision": job.revision + 1, **values}
    connection.execute(_UPDATE_JOB, {"job": job.number, **changed})
    for name, value in changed.items():
        setattr(job, name, value)
    return job


def _locked(connection: Connection, number: int, revision: int) -> JobEntry:
    """Lock a live job's row, and see that it is as it was and that nothing is in progress."""
    found = connection.execute(_LOCK_JOB, {"job": number}).one_or_none()
    if found is None:
        raise RowChanged
    job = JobEntry(**found._mapping)
    first = connection.execute(_IN_PROGRESS, {"job": number}).one_or_none()
    if first is not None:
        raise UnfinishedAction(action_row(ActionEntry(**first._mapping), job))
    if job.revision != revision:
        raise RowChanged
    return job


def _last(connection: Connection, cluster: str, job_name: str) -> int:
    """Return the last generation of former jobs of a name."""
    named = {"cluster": cluster, "name": job_name}
    return connection.execute(_LAST_GENERATION, named).scalar_one() or 0


def _claim(
    now: float, action: NewAction, gateway: str, lease: float, begins: bool
) -> dict[str, Any]:
    """Return the columns of an action that a gateway has claimed."""
    return {
        "result": ActionResult.IN_PROGRESS.value,
        "output": "",
        "deadline": now + action.timeout,
        "claimed_by": gateway,
        "claimed_until": now + lease,
        "began_at": now if begins else None,
    }


def _ended(now: float, output: str, result: ActionResult = ActionResult.SUCCESS) -> dict[str, Any]:
    """Return the columns of an action that was done with its acceptance."""
    return {
        "result": result.value,
        "output": stored_output(output),
        "deadline": now,
        "began_at": now,
        "finished_at": now,
    }


def _insert(
    connection: Connection,
    job: JobEntry,
    action: NewAction,
    now: float,
    columns: dict[str, Any],
    begins: bool = False,
) -> StoredAction:
    values: dict[str, Any] = {
        "id": action.id,
        "job_number": job.number,
        "action": action.action.value,
        "caller": action.caller,
        "wanted": action.wanted,
        "jar_digest": action.jar_digest,
        "as_given": dict(action.as_given),
        "accepted_at": now,
        "cancels_first": action.cancels_first,
        **columns,
    }
    connection.execute(_INSERT_ACTION, values)
    entry = ActionEntry(**values)
    accepted = stored_action(entry, job, now)
    return replace(accepted, begun_on=stored_job(job, entry)) if begins else accepted
