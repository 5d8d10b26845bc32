"""The errors of actions that failed: what happened, what runs now, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.service_planes import ActionJob, Order, OrderRefused
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed, PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.hdinsight.action_runner import ActionOutcome
from flink_jobs_provider.reconciling.job_errors import OR_OTHER_STARTS, order_refused
from flink_jobs_provider.reconciling.record_updates import last_known

#: What to do about a stop, or a savepoint, of which the service shows no savepoint.
SEE_STORAGE = (
    "See in the job's storage whether there is a newer one: its path is what restore_from takes"
)


def refused(
    order: Order, row: ActionJob | None, refusal: OrderRefused, base: JobRecord | None
) -> ActionFailed:
    """Return the error for an order that was refused; the job's row is as it is now."""
    if row:
        now = f"The job is {row.status_word or 'as it was'}, as before"
    else:
        state = last_known(base, base.last_savepoint) if base else ""
        now = "The job service lists no job of this name" + (f"; {state}" if state else "")
    return order_refused(order.job_name, order.action, refusal, now)


def several_run(wanted: JobSpec, rows: Sequence[ActionJob]) -> PermanentError:
    """Return the refusal of any change while a job runs more than once."""
    return PermanentError(
        f"{wanted.job_name}: {len(rows)} jobs of this name and stack run at once: "
        f"{'; '.join(map(str, rows))}",
        now="None of them was touched: which one's state counts is unknown",
        remedy="Stop those that are not to go on, with a savepoint, delete them, and run again",
    )


def not_taken_over(order: Order, row: ActionJob, differences: list[str]) -> ActionFailed:
    """Return the error for an update that reports success and has changed nothing."""
    return ActionFailed(
        f"{order.job_name}: {order.action} was reported as successful, and the job service has not "
        f"taken over {', '.join(differences)}",
        now=f"Job {row.job_id} is {row.status_word}, with the former values",
        remedy="Undo the change of these inputs; or stop the job with desired_state, destroy it, "
        "and create it again with restore_from",
    )


def failed(
    order: Order, outcome: ActionOutcome, went_back: str, base: JobRecord | None
) -> ActionFailed:
    """Return the error for an action that failed, with what runs now.

    `went_back` is what runs since the previous version was started again; empty where it was not.
    """
    happened = f"{order.job_name}: {order.action} failed: {outcome.failure}"
    row = outcome.row
    if row is None:
        return ActionFailed(happened, now="The job service does not list the job")
    if outcome.unsaved:
        now = f"Job {row.job_id} is {row.status_word}; {last_known(base, row.last_savepoint)}"
        return ActionFailed(happened, now=now, remedy=SEE_STORAGE)
    if row.active:
        now = f"Job {row.job_id} is {row.status_word}"
        return ActionFailed(happened, now=now, remedy="Fix what failed, and run again")
    if went_back:
        return ActionFailed(happened, now=went_back, remedy="Fix it, and run again")
    state = row.last_savepoint or order.restore_from
    remedy = "Fix it, and run again"
    if order.action is Action.RE_LAUNCH:
        remedy += OR_OTHER_STARTS
    return ActionFailed(
        happened, now=f"Nothing of it runs; {last_known(base, state)}", remedy=remedy
    )
