"""What an adopted job can go back to, and what differs: its own program is not known."""

from __future__ import annotations

from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.parallelism import ParallelismManager
from flink_jobs_provider.model.record import Adopted, JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.spec import JobSpec


def is_program_unknown(recorded: JobRecord) -> bool:
    """Whether a job runs that was adopted, and that the declared program is not known to fit."""
    return recorded.adopted not in (None, Adopted.SAME_VERSION, Adopted.SAME_GRAPH)


def refusal_without_way_back(recorded: JobRecord, wanted: JobSpec) -> PermanentError | None:
    """Return the refusal to replace an adopted job whose program is not known, or None."""
    if not is_program_unknown(recorded) or wanted.allow_no_way_back:
        return None
    why = (
        "the program declared when it was adopted builds another job graph"
        if recorded.adopted is Adopted.OTHER_GRAPH
        else "its program was not compared with the declared one when it was adopted"
    )
    return PermanentError(
        f"{wanted.job_name}: job {recorded.job_id}, which was adopted, could not be started again "
        f"if the new version fails: {why}",
        now=f"Job {recorded.job_id} goes on as it was",
        remedy=Remedy.ACCEPT_NO_WAY_BACK,
    )


def runs_otherwise(wanted: JobSpec, running: int | None) -> str:
    """Return the clause on a declared parallelism that an adopted job does not run with, or ""."""
    ours = wanted.parallelism_managed_by is not ParallelismManager.OTHER
    if running is None or running == wanted.parallelism or not ours:
        return ""
    return (
        f"; it runs with parallelism {running}, and parallelism {wanted.parallelism} takes effect "
        "with its first restart"
    )
