"""Actions that failed: what is said of them, and the way back to the previous version."""

from __future__ import annotations

from collections.abc import Callable

from flink_jobs_provider.control_planes.action_plane import (
    ActionJob,
    ActionPlane,
    Order,
    OrderRefused,
    Version,
)
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.hdinsight.action_runner import ActionOutcome, ActionRunner
from flink_jobs_provider.reconciling.previous_version import secure_in_storage
from flink_jobs_provider.reconciling.record_updates import last_known
from flink_jobs_provider.reconciling.refusals import OR_OTHER_STARTS, RUNS_AGAIN, neither_started


def refused(order: Order, row: ActionJob | None, refusal: OrderRefused) -> ActionFailed:
    """Return the error for an order that was refused."""
    now = "The job service lists no job of this name"
    if row:
        now = f"The job is {row.status_word or 'as it was'}, as before"
    return ActionFailed(
        f"{order.job_name}: {order.action} was refused: {refusal.happened}",
        now=now,
        remedy="Fix what it names, and run again",
    )


def not_taken_over(order: Order, row: ActionJob, differences: list[str]) -> ActionFailed:
    """Return the error for an update that reports success and has changed nothing."""
    return ActionFailed(
        f"{order.job_name}: {order.action} is said to have succeeded, and the job service has not "
        f"taken over {', '.join(differences)}",
        now=f"Job {row.job_id} is {row.status_word}, with the former values",
        remedy="Undo the change of these inputs; or stop the job with desired_state, destroy it, "
        "and create it anew with restore_from",
    )


def failed(
    order: Order, outcome: ActionOutcome, went_back: str, base: JobRecord | None
) -> ActionFailed:
    """Return the error for an action that failed, with what runs now.

    Args:
        order: What was asked for.
        outcome: How it ended.
        went_back: What runs since the previous version was started again; empty where it was not.
        base: What is recorded of the job; None where nothing is.
    """
    happened = f"{order.job_name}: {order.action} failed: {outcome.failure}"
    row = outcome.row
    if row is None:
        return ActionFailed(happened, now="The job service does not list the job")
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


async def secure_way_back(
    plane: ActionPlane,
    recorded: JobRecord | None,
    row: ActionJob,
    say: Callable[[str], None],
) -> None:
    """Make sure that `go_back` could start the version that runs, before it is stopped.

    Raises:
        PermanentError: Its jar is certainly gone; it goes on.
    """
    shown = row.version.jar
    if not row.active or shown is None or not _complete(row.version):
        return
    now = f"Job {row.job_id or row.run_id} goes on as it was"
    await secure_in_storage(
        recorded, lambda previous: plane.provide_former(previous, shown), now, say
    )


async def go_back(
    runner: ActionRunner,
    plane: ActionPlane,
    wanted: JobSpec,
    failed: Order,
    before: ActionJob | None,
    row: ActionJob | None,
    base: JobRecord | None,
) -> str:
    """Start the previous version from the savepoint that the failed update took.

    Returns:
        What runs now, in a sentence; empty where there is nothing to go back to.
    """
    if row is None or row.active:
        return ""
    taken = row.last_savepoint
    if before is None or not before.active or failed.action is not Action.UPDATE:
        return ""
    if not taken or taken == before.last_savepoint or not _complete(before.version):
        return ""
    action = Action.START if row.status is JobStatus.STOPPED else Action.RE_LAUNCH
    if action not in plane.capabilities.actions:
        return ""
    order = Order(action, wanted.job_name, row.run_id, before.version, taken)
    try:
        outcome = await runner.carry_out(order, await plane.jobs(), wanted)
    except JobError as error:
        return neither_started(error.happened, last_known(base, taken))
    if outcome is None or outcome.row is None or outcome.failure:
        why = outcome.failure if outcome else "no order is taken now"
        return neither_started(why, last_known(base, taken))
    return f"{RUNS_AGAIN} as job {outcome.row.job_id}, from {taken}"


def _complete(version: Version) -> bool:
    """Whether all that a version is made of is shown."""
    return None not in (version.jar, version.entry_class, version.parallelism)
