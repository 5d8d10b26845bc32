"""What an adopted job can go back to: its own program is not known, the declared one may be."""

from __future__ import annotations

from flink_jobs_provider.model.errors import PermanentError
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
