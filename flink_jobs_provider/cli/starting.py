"""Starting a job without a record of it: from a savepoint that the command names, or its file."""

from __future__ import annotations

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink import Reconciler
from flink_jobs_provider.reconciling.restore_history import RestoreUnclear


async def start_from(
    reconciler: Reconciler, spec: JobSpec, jar: Jar, given: str | None
) -> JobRecord:
    """Start a job; a savepoint that the command names counts each time, one of the file once.

    Args:
        reconciler: Of the cluster.
        spec: The job, with the savepoint to start from, if any.
        jar: Its jar.
        given: The savepoint that the command names.

    Raises:
        JobError: What happened, what runs now, and what to do.
    """
    before = None
    if given:
        unnamed = spec.model_copy(update={"restore_from": None})
        before = JobRecord(spec=unnamed, status=JobStatus.LOST)
    try:
        return await reconciler.bring_about(before, spec, jar)
    except RestoreUnclear as error:
        raise StateUnavailable(
            error.happened,
            now=error.now,
            remedy="To go on from the state it has, take restore_from out of the file; to go back "
            f"to that one, give it with --from {spec.restore_from}",
        ) from None
