"""Whether a job that came to its own end stays so: on a job service, from its row alone."""

from __future__ import annotations

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import asks_for_new_run
from flink_jobs_provider.reconciling.ownership import is_recorded
from flink_jobs_provider.reconciling.refusals import finished_meanwhile
from flink_jobs_provider.reconciling.runs import ran_since


def has_finished(job: ActionJob, recorded: JobRecord | None) -> bool:
    """Whether a job came to its own end; one that was recorded as stopped did not."""
    if job.status is not JobStatus.FINISHED:
        return False
    if recorded is None or recorded.status is not JobStatus.STOPPED:
        return True
    return not is_recorded(job, recorded) or ran_since(job, recorded)


def stays_finished(
    job: ActionJob, recorded: JobRecord | None, wanted: JobSpec, same: bool, named: str | None
) -> bool:
    """Whether nothing asks for a new run of a job that came to its own end.

    Args:
        job: The job's row, which says that it finished.
        recorded: What the state says.
        wanted: The job as it should be.
        same: Whether the row shows the version that is wanted.
        named: The savepoint that is newly named to start from.

    Raises:
        StateUnavailable: A new run is asked for, and the plan was made for a job that runs.
    """
    if recorded is None or not is_recorded(job, recorded):
        return same and named is None
    if not asks_for_new_run(recorded, wanted):
        return True
    if same and named is None and (recorded.status.active or ran_since(job, recorded)):
        return True  # a run that died has started it, and it has finished since
    stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
    if recorded.status.active and named is None and not stateless:
        raise finished_meanwhile(wanted, job.job_id or job.run_id)
    return False


def is_over(recorded: JobRecord | None, wanted: JobSpec) -> bool:
    """Whether a job that no service lists any more had finished, and no new run is asked for."""
    if recorded is None or recorded.status is not JobStatus.FINISHED:
        return False
    return not asks_for_new_run(recorded, wanted)


def last_known(recorded: JobRecord | None) -> str | None:
    """Return where a new run of a finished job starts, as its plan says; None for nothing."""
    return (recorded.last_savepoint or recorded.restored_from) if recorded else None
