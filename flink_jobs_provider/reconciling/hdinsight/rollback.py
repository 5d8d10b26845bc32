"""Going back to the former version, where an update failed and the system left nothing running."""

from __future__ import annotations

from collections.abc import Callable

from flink_jobs_provider.control_planes.action_plane import (
    ActionJob,
    ActionPlane,
    Order,
    Version,
)
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.rollback import secure_in_storage
from flink_jobs_provider.reconciling.hdinsight.action_runner import Orders
from flink_jobs_provider.reconciling.record_updates import last_known


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
    orders: Orders,
    plane: ActionPlane,
    wanted: JobSpec,
    failed: Order,
    before: ActionJob | None,
    row: ActionJob | None,
    base: JobRecord | None,
) -> str:
    """Start the former version from the savepoint that the failed update took.

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
    if action not in plane.actions:
        return ""
    order = Order(action, wanted.job_name, row.run_id, before.version, taken)
    try:
        outcome = await orders.carry_out(order, await plane.jobs(), wanted)
    except JobError as error:
        return _neither(error.happened, last_known(base, taken))
    if outcome is None or outcome.row is None or outcome.failure:
        why = outcome.failure if outcome else "no order is taken now"
        return _neither(why, last_known(base, taken))
    return f"The former version runs again as job {outcome.row.job_id}, from {taken}"


def _neither(why: str, state: str) -> str:
    return (
        f"The former version did not start again either: {why.rstrip('.')}. Nothing of it is "
        f"known to run; {state}"
    )


def _complete(version: Version) -> bool:
    """Whether all that a version is made of is shown."""
    return None not in (version.jar, version.entry_class, version.parallelism)
