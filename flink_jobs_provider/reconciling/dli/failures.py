"""The errors of steps that failed: what happened, what runs now, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from flink_jobs_provider.control_planes.service_planes import OrderRefused, StepJob
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import (
    ActionFailed,
    Missing,
    PermanentError,
    StateUnavailable,
)
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.dli.step_watch import described
from flink_jobs_provider.reconciling.job_errors import OR_OTHER_STARTS, RUNS_AGAIN, order_refused
from flink_jobs_provider.reconciling.record_updates import last_known


def named(job: StepJob) -> str:
    """Name a job for people: by Flink's id, where that is known."""
    return f"Job {job.job_id}" if job.job_id else f"Job {job.run_id}"


def how_it_is(job: StepJob | None) -> str:
    """Return how a job is that did not come up, in the service's words."""
    return (job.output or described(job)) if job else "the job service no longer lists it"


def refused(wanted: JobSpec, what: str, job: StepJob | None, refusal: OrderRefused) -> ActionFailed:
    """Return the error for a step that was refused."""
    now = "It was not created"
    if job:
        now = f"{named(job)} is {job.status or job.status_word}, as before"
    return order_refused(wanted.job_name, what, refusal, now)


def gone(wanted: JobSpec, what: str, missing: Missing) -> ActionFailed:
    """Return the error for a step on a job that somebody has deleted meanwhile."""
    return ActionFailed(
        f"{wanted.job_name}: {what} was refused: {missing.reason}",
        now="The job service no longer has the job, and nothing else was started",
        remedy="Run again: it goes on from the job's last savepoint, if there is one",
    )


def not_taken_over(wanted: JobSpec, job: StepJob, names: list[str]) -> ActionFailed:
    """Return the error for a change that reports success and has changed nothing."""
    return ActionFailed(
        f"{wanted.job_name}: the change was reported as successful, and the job service has not "
        f"taken over {', '.join(names)}",
        now=f"{named(job)} is {job.status}, with the former values",
        remedy="Undo the change of these inputs; or destroy the job with on_delete "
        '"savepoint", and create it again with restore_from',
    )


def no_default(wanted: JobSpec, names: list[str]) -> PermanentError:
    """Return the error for a setting that has no default to go back to."""
    return PermanentError(
        f"{wanted.job_name}: {', '.join(names)} cannot be taken away: the service has no default "
        "to go back to",
        now="Nothing was changed",
        remedy="Set the value that is wanted instead",
    )


def not_offered(wanted: JobSpec, names: list[str], job: StepJob | None) -> PermanentError:
    """Return the error for settings that need Data Lake Insight itself, on a gateway."""
    return PermanentError(
        f"{wanted.job_name}: a gateway cannot honour {', '.join(names)}: its jobs run in the "
        "processes of a session cluster",
        now=f"{named(job)} is {job.status or job.status_word}, as before" if job else "",
        remedy="Leave these inputs out; what the job needs is built into its jar",
    )


def no_other_queue(wanted: JobSpec, job: StepJob) -> PermanentError:
    """Return the error for a move to another queue of a gateway, which is another cluster."""
    return PermanentError(
        f"{wanted.job_name}: a gateway cannot move a job to another queue: that is another cluster",
        now=f"{named(job)} goes on as it was",
        remedy='Undo that change; or destroy the job with on_delete "savepoint", and create it '
        "again in the other queue with restore_from",
    )


def stop_failed(
    wanted: JobSpec, before: StepJob, after: StepJob | None, *, savepoint: bool
) -> ActionFailed:
    """Return the error for a stop that failed, with the job's state."""
    what = "stop with savepoint" if savepoint else "stop"
    if after is None:
        return ActionFailed(
            f"{wanted.job_name}: the {what} failed: the job service no longer lists the job",
            now="Nothing else was started",
            remedy="Run again: it goes on from the job's last savepoint, if there is one",
        )
    happened = f"{wanted.job_name}: the {what} failed: {after.output or described(after)}"
    if after.active:
        now = f"{named(before)} is {after.status}; no other version was started"
        return ActionFailed(happened, now=now, remedy="Fix what failed, and run again")
    return ActionFailed(
        happened,
        now=f"{named(before)} is now {after.status}; nothing was started without state",
        remedy="Run again: it starts from its newest savepoint or retained checkpoint, if the "
        "service has one",
    )


def savepoint_failed(wanted: JobSpec, job: StepJob, why: str) -> ActionFailed:
    """Return the error for a savepoint that failed while the job went on."""
    return ActionFailed(
        f"{wanted.job_name}: the savepoint failed: {why}",
        now=f"{named(job)} is {job.status}; no other version was started",
        remedy="Fix what failed, and run again",
    )


def savepoint_not_seen(wanted: JobSpec, job: StepJob, directory: str | None) -> ActionFailed:
    """Return the error for a requested savepoint that nothing shows."""
    where = directory or "its storage"
    return ActionFailed(
        f"{wanted.job_name}: the savepoint failed: neither the job nor {where} shows it",
        now=f"{named(job)} is {job.status}; no other version was started",
        remedy="See that the job may write there, and that this machine can list it "
        '(pip install "flink-jobs-provider[obs]", and its credentials); or take '
        "savepoint_directory away",
    )


def no_savepoints(wanted: JobSpec, job: StepJob) -> ActionFailed:
    """Return the error of a service that takes no savepoints of running jobs."""
    return ActionFailed(
        f"{wanted.job_name}: this service has no call to take a savepoint of a running job",
        now=f"{named(job)} goes on as it was",
        remedy="Take savepoint_trigger back; a stop (desired_state) leaves a savepoint",
    )


def no_import(wanted: JobSpec, path: str) -> StateUnavailable:
    """Return the error of a service that starts no job from a named savepoint."""
    return StateUnavailable(
        f"{wanted.job_name}: this service has no call to start a job from {path}",
        now="Nothing was started, so that its state is not silently dropped",
        remedy="Import it by hand, in the service's console, and run again without restore_from; "
        'or set upgrade_mode to "stateless" to start from nothing',
    )


def no_checkpoints(wanted: JobSpec, job: StepJob) -> StateUnavailable:
    """Return the refusal of an update of last-state, by a service that starts from none."""
    return StateUnavailable(
        f"{wanted.job_name}: an upgrade from its last state needs a completed checkpoint that is "
        "retained when the job is cancelled, and this service starts from none",
        now=f"{named(job)} goes on as it was",
        remedy='Use upgrade_mode "savepoint"',
    )


def start_failed(
    wanted: JobSpec,
    after: StepJob | None,
    states: Sequence[str],
    went_back: str,
    *,
    first: bool,
    names: bool,
    base: JobRecord | None,
) -> ActionFailed:
    """Return the error for a version that did not come up, with what runs now.

    `states` are savepoints of its state, as far as they are known; `went_back` is what runs since
    the previous version was started again, empty where it was not; `names` is whether a version
    that ran, if only for a moment, needs the savepoint to be named.
    """
    happened = f"{wanted.job_name}: the new version did not start: {how_it_is(after)}"
    # What has come up once, and then failed, may have had a state of its own.
    ran = after is not None and after.status is JobStatus.FAILED and not after.unborn
    remedy = "Fix the new version, and run again" if went_back else "Fix it, and run again"
    if ran and names and states and not went_back.startswith(RUNS_AGAIN):
        remedy += f" with restore_from set to {states[0]}"
    if went_back:
        return ActionFailed(happened, now=went_back, remedy=remedy)
    if (ran or not first) and not states:
        remedy += OR_OTHER_STARTS
    return ActionFailed(
        happened, now=f"Nothing of it runs; {last_known(base, *states)}", remedy=remedy
    )
