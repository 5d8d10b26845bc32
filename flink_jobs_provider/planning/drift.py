"""How a job on its cluster differs from what is recorded as wanted."""

from __future__ import annotations

from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.identity import generation_of
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import DesiredState, JobSpec
from flink_jobs_provider.planning.rescaling import is_to_be_rescaled_back


def begun_alongside(recorded: JobRecord) -> list[str]:
    """Return the jobIds of newer versions that were started alongside the recorded one."""
    if recorded.spec.target.is_job_service:
        return []  # its ids count no versions
    return [id_ for id_ in recorded.duplicates if generation_of(id_) > recorded.generation]


def end_of_copies(recorded: JobRecord) -> tuple[Action | None, str]:
    """Return what is done about copies of a job that run at once."""
    if recorded.spec.target.is_job_service:
        return None, "refused while more than one of them runs"
    if green := begun_alongside(recorded):
        return Action.CANCEL, f"cancel job {' and '.join(green)}; the job goes on as it is"
    return Action.STOP, "stop the older of the copies that run, with savepoint"


def drift(recorded: JobRecord, wanted: JobSpec | None = None) -> tuple[str, ...]:
    """Return how the cluster differs from what was recorded as wanted.

    What others may change, as it is `wanted` now, is no drift.
    """
    reasons = []
    if recorded.spec.desired_state is DesiredState.RUNNING and not recorded.status.active:
        failed = recorded.status is JobStatus.FAILED and recorded.job_output
        cause = f" ({recorded.job_output.rstrip('.')})" if failed else ""
        reasons.append(f"the job is {recorded.status} on its cluster{cause}")
    if recorded.unconfirmed:
        reasons.append(f"job {recorded.unconfirmed} was submitted and may yet start")
    if greens := begun_alongside(recorded):
        which = " and ".join(greens)
        reasons.append(f"a switch-over was cut short: job {which} runs alongside it")
    elif recorded.duplicates:
        reasons.append(f"{len(recorded.duplicates) + 1} copies run at once")
    if recorded.other_version and recorded.status.active:
        reasons.append("another version than the recorded one runs")
    if recorded.gate_failed and recorded.status.active:
        reasons.append(f"its health gate was not passed: {recorded.gate_failed.reason}")
    if is_to_be_rescaled_back(recorded, wanted or recorded.spec) and recorded.status.active:
        reasons.append(f"it was rescaled over REST: {recorded.rescaled}")
    return tuple(reasons)
