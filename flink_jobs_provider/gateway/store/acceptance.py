"""Accepting actions: one at a time for each job, and one live job for each name.

Each method locks the job's row before anything else, so that no two wait for each other. The
indexes of the tables hold the same rules, whatever a gateway does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.refusals import stored_output
from flink_jobs_provider.gateway.store.database import Database, RecordsConflict
from flink_jobs_provider.gateway.store.disposals import check_is_there
from flink_jobs_provider.gateway.store.queries import (
    action_row,
    stored_action,
    stored_job,
    time_of,
)
from flink_jobs_provider.gateway.store.stored_values import (
    Claim,
    Ended,
    NewAction,
    NewJob,
    NextStart,
    StoredAction,
)
from flink_jobs_provider.gateway.store.tables import (
    ACTIONS,
    JOBS,
    ActionEntry,
    JobEntry,
)
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.errors import Signal

# Made once: what a statement costs is its making, more than its execution.
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

    def put_new(self, new: NewJob, action: NewAction, how: Claim | Ended) -> StoredAction:
        """Record a new job, with its first action: claimed, or ended already.

        Raises:
            RowChanged: A job has that name meanwhile, or the one that gives way has changed.
            UnfinishedAction: An action is in progress on the one that gives way.
            SavepointDisposed: It is to start from a savepoint that goes, or is gone.
        """
        with self._changing() as (connection, now):
            if new.replaces is not None:
                before = _locked(connection, *new.replaces)
                connection.execute(
                    _UPDATE_JOB,
                    {"job": before.number, "deleted_at": now, "revision": before.revision + 1},
                )
            named = (action.wanted, new.state.record["spec"])
            check_is_there(connection, map(_restore_from, named))
            job = _insert_job(connection, new, action, now)
            return _insert(connection, job, action, now, how)

    def accept(
        self,
        number: int,
        revision: int,
        action: NewAction,
        claim: Claim,
        status: str | None = None,
    ) -> StoredAction:
        """Accept an action on a job that is on record.

        Args:
            number: The job.
            revision: That of the row that was decided on.
            action: The action.
            claim: Who executes it.
            status: The status of the job's row from now on; None to leave it as it is.

        Raises:
            RowChanged: The row is no longer of that revision.
            UnfinishedAction: An action is in progress.
            SavepointDisposed: It is to start from a savepoint that goes, or is gone.
        """
        with self._changing() as (connection, now):
            before = _locked(connection, number, revision)
            check_is_there(connection, [_restore_from(action.wanted)])
            more = {} if status is None else {"status": status}
            job = _update_job(connection, before, action, **more)
            return _insert(connection, job, action, now, claim)

    def change(
        self,
        number: int,
        revision: int,
        action: NewAction,
        output: str,
        next_start: NextStart,
    ) -> None:
        """Record what counts from a job's next start on, with an action that has ended.

        The action's `as_given` is shown from now on.

        Raises:
            RowChanged: The row is no longer of that revision.
            UnfinishedAction: An action is in progress.
            SavepointDisposed: It is to start from a savepoint that goes, or is gone.
        """
        with self._changing() as (connection, now):
            before = _locked(connection, number, revision)
            check_is_there(connection, [next_start.restore])
            job = _update_job(
                connection,
                before,
                action,
                as_given=dict(action.as_given),
                next_inputs=dict(next_start.inputs) or None,
                next_restore=next_start.restore,
                changed_at=now,
            )
            _insert(connection, job, action, now, Ended(output))

    @contextmanager
    def _changing(self) -> Iterator[tuple[Connection, float]]:
        """Open a transaction, with the time by the database's clock."""
        try:
            with self._database.writing() as connection:
                yield connection, time_of(connection)
        except RecordsConflict:
            raise RowChanged from None


def _insert_job(connection: Connection, new: NewJob, action: NewAction, now: float) -> JobEntry:
    named = {"cluster": new.cluster, "name": new.job_name}
    generation = connection.execute(_LAST_GENERATION, named).scalar_one() or 0
    values = {
        **replace(new.state, record={**new.state.record, "generation": generation}).columns,
        "cluster": new.cluster,
        "job_name": new.job_name,
        "run_id": new.run_id,
        "identity": new.identity,
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
    found = connection.execute(_LOCK_JOB, {"job": number}).mappings().one_or_none()
    if found is None:
        raise RowChanged
    job = JobEntry(**found)
    first = connection.execute(_IN_PROGRESS, {"job": number}).mappings().one_or_none()
    if first is not None:
        raise UnfinishedAction(action_row(ActionEntry(**first), job))
    if job.revision != revision:
        raise RowChanged
    return job


def _restore_from(spec: Mapping[str, Any] | None) -> str | None:
    """Return the savepoint that a stored spec names to start from."""
    return spec.get("restore_from") if spec else None


def _columns(how: Claim | Ended, action: NewAction, now: float) -> dict[str, Any]:
    """Return the columns of an action that a gateway has claimed, or that has ended."""
    if isinstance(how, Ended):
        return {
            "result": how.result.value,
            "output": stored_output(how.output),
            "deadline": now,
            "began_at": now,
            "finished_at": now,
        }
    return {
        "result": ActionResult.IN_PROGRESS.value,
        "output": "",
        "deadline": now + action.timeout,
        "claimed_by": how.gateway,
        "claimed_until": now + how.lease,
        "began_at": now if how.begins else None,
    }


def _insert(
    connection: Connection, job: JobEntry, action: NewAction, now: float, how: Claim | Ended
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
        **_columns(how, action, now),
    }
    connection.execute(_INSERT_ACTION, values)
    entry = ActionEntry(**values)
    accepted = stored_action(entry, job, now)
    begins = isinstance(how, Claim) and how.begins
    return replace(accepted, begun_on=stored_job(job, entry)) if begins else accepted
