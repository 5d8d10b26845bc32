"""What is said of an order that failed: what happened, what runs now, what to do."""

from __future__ import annotations

from flink_jobs_provider.control_planes.action_plane import ActionJob, Order, OrderRefused
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.hdinsight.action_runner import Outcome
from flink_jobs_provider.reconciling.record_updates import last_known


def refused(order: Order, row: ActionJob | None, refusal: OrderRefused) -> ActionFailed:
    """Say that an order was not taken."""
    now = "The job service lists no job of this name"
    if row:
        now = f"The job is {row.status_word or 'as it was'}, as before"
    return ActionFailed(
        f"{order.job_name}: {order.action} was refused: {refusal.happened}",
        now=now,
        remedy="Mend what it names, and run again",
    )


def not_taken_over(order: Order, row: ActionJob, differences: list[str]) -> ActionFailed:
    """Say that the system has kept what was there before, and calls that a success."""
    return ActionFailed(
        f"{order.job_name}: {order.action} is said to have succeeded, and the job service has not "
        f"taken over {', '.join(differences)}",
        now=f"Job {row.job_id} is {row.status_word}, with the former values",
        remedy="Undo the change of these inputs; or stop the job with desired_state, destroy it, "
        "and create it anew with restore_from",
    )


def failed(order: Order, outcome: Outcome, went_back: str, base: JobRecord | None) -> ActionFailed:
    """Say how an action failed, and what runs now.

    Args:
        order: What was asked for.
        outcome: How it ended.
        went_back: What runs since the former version was started again; empty where it was not.
        base: What is recorded of the job; None where nothing is.
    """
    happened = f"{order.job_name}: {order.action} failed: {outcome.failure}"
    row = outcome.row
    if row is None:
        return ActionFailed(happened, now="The job service does not list the job")
    if row.active:
        now = f"Job {row.job_id} is {row.status_word}"
        return ActionFailed(happened, now=now, remedy="Mend what failed, and run again")
    if went_back:
        return ActionFailed(happened, now=went_back, remedy="Mend it, and run again")
    state = row.last_savepoint or order.restore_from
    remedy = "Mend it, and run again"
    if order.action is Action.RE_LAUNCH:
        remedy += (
            '; or set restore_from to a savepoint, or upgrade_mode to "stateless" to start from '
            'nothing, or desired_state to "stopped" to leave it so'
        )
    return ActionFailed(
        happened, now=f"Nothing of it runs; {last_known(base, state)}", remedy=remedy
    )
