"""CANCEL (or STOP with a savepoint) and DELETE: ending a job for good."""

from __future__ import annotations

from collections.abc import Callable

from flink_jobs_provider.control_planes.action_plane import ActionPlane, Order, OrderRefused
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, ActionInProgress, PermanentError
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import OnDelete
from flink_jobs_provider.reconciling.hdinsight.action_runner import Orders
from flink_jobs_provider.reconciling.ownership import own_row

#: Waiting for what is in progress, STOP or CANCEL, DELETE, each perhaps not taken at once.
_MOST_TURNS = 8


async def remove(
    plane: ActionPlane, orders: Orders, recorded: JobRecord, say: Callable[[str], None]
) -> Removed:
    """End a job, and delete its row and its jars. May be called again.

    Where a gateway says what state is left of a job that its cluster had lost, that is passed on:
    nobody else knows it when the row is gone.

    Raises:
        JobError: It is not gone.
    """
    spec = recorded.spec
    with_savepoint = spec.on_delete is OnDelete.SAVEPOINT
    path, cancelled, told = None, False, False
    for _ in range(_MOST_TURNS):
        rows = await plane.jobs()
        row = own_row(rows, recorded, spec)
        if row is None:
            await plane.forget_jars(spec, frozenset())
            return Removed(path, told)
        known = row.status is not None or row.never_came_up or cancelled
        if row.in_progress or not known:
            await orders.until_idle(row, spec)
            continue
        if row.status is JobStatus.STOPPED and with_savepoint:
            path = row.last_savepoint or path
        action = Action.DELETE
        if row.active:
            action = Action.STOP if with_savepoint else Action.CANCEL
        order = Order(action, spec.job_name, row.run_id)
        try:
            outcome = await orders.carry_out(order, rows, spec)
        except ActionInProgress:
            continue  # somebody was faster: wait for it, and look anew
        except OrderRefused as refusal:
            if own_row(await plane.jobs(), recorded, spec) is None:
                continue  # it has gone meanwhile
            raise ActionFailed(
                f"{spec.job_name}: {action} was refused: {refusal.happened}",
                now=f"The job is {row.status_word}; it was not deleted",
                remedy="Mend what it names, and run again",
            ) from None
        if outcome and outcome.said.startswith(f"{spec.job_name}: deleted"):
            say(outcome.said)
            told = True
        cancelled = cancelled or (outcome is not None and action is Action.CANCEL)
        if outcome and outcome.failure:
            status = (outcome.row and outcome.row.status_word) or "no longer listed"
            raise ActionFailed(
                f"{spec.job_name}: {action} failed: {outcome.failure}",
                now=f"The job is {status}; it was not deleted",
                remedy="Mend what failed, and run again",
            )
    raise PermanentError(
        f"{spec.job_name}: it comes back each time it is deleted, or takes no orders",
        remedy="Is somebody else changing it? Run again to go on",
    )
