"""What is refused on a job service, so that no state is dropped and no job of others is touched."""

from __future__ import annotations

from flink_jobs_provider.control_planes.action_plane import ActionJob
from flink_jobs_provider.model.errors import DeadlineExceeded, OwnedElsewhere, StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint, age, same_path
from flink_jobs_provider.model.spec import JobSpec


def refuse_stranger(row: ActionJob, wanted: JobSpec) -> OwnedElsewhere:
    """Say that the name is taken."""
    what = "runs" if row.active else "is there already,"
    whose = (
        f"for another owner than {wanted.owner}"
        if row.version.mark
        else "that was not started by this stack, or has been changed since"
    )
    return OwnedElsewhere(
        f"{wanted.job_name}: a job of this name {what} {whose}: {row}",
        now="It was not touched",
        remedy="Choose another job_name; or stop that job, delete it, and set restore_from to its "
        "savepoint"
        + (f" ({row.last_savepoint})" if row.last_savepoint else "")
        + "; or set owner, if the stack was renamed",
    )


def broken_state(
    wanted: JobSpec,
    recorded: JobRecord,
    point: RestorePoint,
    older: RestorePoint | None,
    now: float,
) -> StateUnavailable:
    """Return the refusal of a start whose state is gone or torn: an older one is a step back.

    Args:
        wanted: The job as it should be.
        recorded: What the state says.
        point: The newest state that is known.
        older: The next older one that can be restored; None for none.
        now: Seconds since the epoch.
    """
    happened = (
        f"{wanted.job_name}: the newest state of it that is known, {point} "
        f"({age(point.taken_at, now)}), {point.broken}"
    )
    if older is None:
        return StateUnavailable(
            f"{happened}; no older one is known",
            now="Nothing was started",
            remedy="Put it back; or set restore_from to a savepoint, or upgrade_mode to "
            '"stateless" to start from nothing',
        )
    remedy = "Put it back; or set restore_from to the older one, to go back to it"
    if same_path(older.path, recorded.spec.restore_from):
        remedy += (
            ', after a run without restore_from and with desired_state "stopped", since it counts '
            "once"
        )
    return StateUnavailable(
        f"{happened}; the next older one is {older} ({age(older.taken_at, now)})",
        now="Nothing was started",
        remedy=remedy,
    )


def finished_meanwhile(wanted: JobSpec, job: object) -> StateUnavailable:
    """Return the refusal of a new run that no plan has shown: the job was recorded as running."""
    return StateUnavailable(
        f"{wanted.job_name}: job {job} has come to its own end since it was recorded, and the plan "
        "did not say where a new run would start",
        now="Nothing was started",
        remedy="Refresh (preview --refresh, up --refresh): the plan says it then; or set "
        'restore_from to a savepoint, or upgrade_mode to "stateless" to start from nothing',
    )


def still_to_come(job_id: str, wanted: JobSpec) -> DeadlineExceeded:
    """Return the refusal of what would run beside a job that may yet start, or leave it unowned."""
    return DeadlineExceeded(
        f"{wanted.job_name}: job {job_id}, which an earlier run submitted, has not shown up in "
        f"{wanted.timeout('submit'):g} s (timeouts.submit)",
        now="It may still start: nothing else was started, and it was not taken out of the stack",
        remedy="Run again when main has ended, or raise timeouts.submit to wait for it. If the "
        "cluster hides its threads (GET /jobmanager/thread-dump), and the JobManager's log says "
        "that main has failed, take the resource out of the stack's state (pulumi state delete)",
    )


def main_outlasts(wanted: JobSpec) -> DeadlineExceeded:
    """Return the refusal of what would run beside a job that a killed run may have submitted."""
    return DeadlineExceeded(
        f"{wanted.job_name}: an earlier run of it was cut short, and main of a submission, which "
        f"may be its, has not ended in {wanted.timeout('submit'):g} s (timeouts.submit)",
        now="A job may still start: nothing else was started, and it was not taken out of the "
        "stack",
        remedy="Run again when main has ended, or raise timeouts.submit to wait for it. If that "
        "main is known to be another job's, refresh (up --refresh); or, for a job that is not in "
        "the stack yet, remove its jar from the cluster",
    )


def no_state(
    recorded: JobRecord | None,
    wanted: JobSpec,
    state: str,
    why: str = "no savepoint or retained checkpoint of it is known",
) -> StateUnavailable:
    """Say that nothing is known that a job could go on from.

    Args:
        recorded: What the state says.
        wanted: The job as it should be.
        state: What it is.
        why: Why it cannot go on.
    """
    job = f"job {recorded.job_id}" if recorded and recorded.job_id else "the job"
    return StateUnavailable(
        f"{wanted.job_name}: {job} {state}, and {why}",
        now="Nothing was started, so that its state is not silently dropped",
        remedy='Set restore_from to a savepoint, or upgrade_mode to "stateless" to start from '
        'nothing, or desired_state to "stopped" to leave it so',
    )
