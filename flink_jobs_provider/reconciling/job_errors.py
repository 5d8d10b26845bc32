"""The errors of any reconciler: what it refuses so that no state is dropped, and what has failed.

They also keep jobs of others untouched, and report what runs after a rollback.
"""

from __future__ import annotations

from flink_jobs_provider.control_planes.service_planes import ActionJob, OrderRefused
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import (
    ActionFailed,
    DeadlineExceeded,
    GateFailed,
    JobVanished,
    OwnedElsewhere,
    PermanentError,
    StartedMeanwhile,
    StateUnavailable,
)
from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import RestorePoint, age, iso_time, same_path
from flink_jobs_provider.model.spec import JobSpec

#: What a job can start from, or do, whose state is not known; of what no gateway raises.
OR_OTHER_STARTS = f"; or s{Remedy.RESTORE_OR_EMPTY_OR_STOPPED.value[1:]}"


class RestoreUnclear(StateUnavailable):
    """Whether a job has started from `restore_from` before is unknown."""


def refuse_stranger(row: ActionJob, wanted: JobSpec) -> OwnedElsewhere:
    """Return the refusal of a job whose name is taken."""
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

    `older` is the next older state that can be restored; `now` is in seconds since the epoch.
    """
    happened = (
        f"{wanted.job_name}: the newest state of it that is known, {point} "
        f"({age(point.taken_at, now)}), {point.broken}"
    )
    if older is None:
        return StateUnavailable(
            f"{happened}; no older one is known",
            now="Nothing was started",
            remedy=Remedy.PUT_BACK_OR_RESTORE,
        )
    used_up = same_path(older.path, recorded.spec.restore_from)
    return StateUnavailable(
        f"{happened}; the next older one is {older} ({age(older.taken_at, now)})",
        now="Nothing was started",
        remedy=Remedy.PUT_BACK_OR_RESTORE_OLDER_AGAIN
        if used_up
        else Remedy.PUT_BACK_OR_RESTORE_OLDER,
    )


def unclear(wanted: JobSpec, job: object, state: str) -> RestoreUnclear:
    """Return the refusal of a start that could set a job back to an earlier savepoint.

    `state` is what the job does, or has left.
    """
    return RestoreUnclear(
        f"{wanted.job_name}: job {job} of this stack {state}, and whether it has started from "
        f"{{field}} ({wanted.restore_from}) before is not recorded",
        now="Nothing was changed",
        remedy=Remedy.TAKE_RESTORE_OUT,
        field="restore_from",
    )


def finished_meanwhile(wanted: JobSpec, job: object) -> StateUnavailable:
    """Return the refusal of a new run that no plan has shown: the job was recorded as running."""
    return StateUnavailable(
        f"{wanted.job_name}: job {job} has come to its own end since it was recorded, and the plan "
        "did not show where a new run would start",
        now="Nothing was started",
        remedy=Remedy.REFRESH_OR_RESTORE,
    )


def still_to_come(job_id: str, wanted: JobSpec) -> DeadlineExceeded:
    """Return the refusal of what would run alongside a job that may yet start, or orphan it."""
    return DeadlineExceeded(
        f"{wanted.job_name}: job {job_id}, which an earlier run submitted, has not shown up in "
        f"{wanted.timeout('submit'):g} s",
        now="It may still start: nothing else was started, and it was not deleted",
        remedy=Remedy.WAIT_FOR_MAIN,
        field="timeouts.submit",
    )


def main_outlasts(wanted: JobSpec) -> DeadlineExceeded:
    """Return the refusal of what would run alongside a job that a killed run may have submitted."""
    return DeadlineExceeded(
        f"{wanted.job_name}: an earlier run of it was cut short, and main of a submission, which "
        f"may be its, has not ended in {wanted.timeout('submit'):g} s",
        now="A job may still start: nothing else was started, and it was not deleted",
        remedy=Remedy.WAIT_FOR_MAIN_OF_ANOTHER,
        field="timeouts.submit",
    )


def no_state(
    recorded: JobRecord | None, wanted: JobSpec, state: str, why: str = ""
) -> StateUnavailable:
    """Return the refusal of a start from nothing, where no state of the job is known.

    `why` is why the job cannot go on; empty where no state of it is known.
    """
    job = f"job {recorded.job_id}" if recorded and recorded.job_id else "the job"
    return StateUnavailable(
        f"{wanted.job_name}: {job} {state}"
        + (f", and {why}" if why else ", and no savepoint or retained checkpoint of it is known"),
        now="Nothing was started, so that its state is not silently dropped",
        remedy=Remedy.RESTORE_OR_EMPTY_OR_STOPPED,
    )


def left_behind(wanted: JobSpec, version: int, restore: str | None) -> str:
    """Return the line on what an earlier job of the same name and owner has left in storage.

    It was deleted, or its run was killed before it could record it, and its cluster has forgotten
    it: the two look alike.
    """
    start = f"starts from {restore}" if restore else "starts without state"
    return (
        f"{wanted.job_name}: an earlier job of this name and owner, version {version}, has left "
        f"savepoints or checkpoints; this one {start}, unless another one is named"
    )


def no_retained_checkpoint(job_name: str, job_id: str) -> StateUnavailable:
    """Return the refusal of an update of last-state whose checkpoints end with the job."""
    return StateUnavailable(
        f"{job_name}: an upgrade from its last state needs a completed checkpoint that is retained "
        "when the job is cancelled",
        now=f"Job {job_id} goes on as it was",
        remedy=Remedy.RETAIN_CHECKPOINTS.of(option=RETENTION, value=RETAINED),
    )


def too_old(wanted: JobSpec, job: ObservedJob, taken: int, now: float) -> StateUnavailable | None:
    """Return the refusal of an update of last-state from too old a checkpoint, or None.

    It was taken at `taken`, in milliseconds since the epoch; `now` is in seconds.
    """
    limit = wanted.max_checkpoint_age
    if limit is None or now - taken / 1000 <= seconds(limit):
        return None
    return StateUnavailable(
        f"{wanted.job_name}: its newest retained state is {age(iso_time(taken), now)}, and "
        f"max_checkpoint_age is {limit}: what came after it would be done again",
        now=f"Job {job.job_id} goes on as it was",
        remedy="See why its checkpoints do not complete; or set a higher max_checkpoint_age, or "
        "upgrade_mode to savepoint",
    )


def deleted_without_savepoint(job_name: str, status_word: str, last: str | None) -> str:
    """Return the line on a deletion of a job that does not run; `last` is its last savepoint."""
    known = f"the last one that is known is {last}" if last else "none of it is known"
    return (
        f"{job_name}: it does not run ({status_word}), so that it is deleted without a savepoint "
        f"of its own; {known}"
    )


def timeouts_of(*steps: str) -> str:
    """Name the inputs that limit what these steps take."""
    return " or ".join(f"timeouts.{step}" for step in steps)


def did_not_stay_up(settle: float, why: str) -> str:
    """Return what happened to a version that did not stay up for its settle time, in seconds."""
    return f"it did not stay up for {settle:.0f} s: {why}"


def adopted_and_down(job_name: str, settle: float, why: str) -> ActionFailed:
    """Return the error for a version that an earlier run started, and that did not stay up."""
    return ActionFailed(
        f"{job_name}: it did not stay up for {settle:.0f} s: {why}",
        now="An earlier run started it; this one has begun nothing",
        remedy="Fix the job, and run again",
    )


def order_refused(job_name: str, what: object, refusal: OrderRefused, now: str) -> ActionFailed:
    """Return the error for an action or a step that a job service refused."""
    return ActionFailed(
        f"{job_name}: {what} was refused: {refusal.happened}",
        now=now,
        remedy="Fix what it names, and run again",
    )


#: The line on a version that came up, and that somebody else has stopped or cancelled since.
ENDED_BY_OTHERS = "it came up, and somebody else has stopped or cancelled it since"
#: The beginning of the sentence that reports a successful rollback.
RUNS_AGAIN = "The previous version runs again"
#: The same for a job that was adopted: what ran before is known by its job graph alone.
DECLARED_RUNS = "The version that was declared when the job was adopted runs"


def no_way_back(previous: JobSpec, why: str, now: str, put_back: str) -> PermanentError:
    """Return the refusal of an update whose previous version could not be started again."""
    return PermanentError(
        f"{previous.job_name}: the previous version could not be started again if the new one "
        f"fails: {why}",
        now=now,
        remedy=Remedy.STOP_FIRST.of(put_back=put_back),
    )


def no_jar_of_version(version: JobSpec, why: str, now: str) -> PermanentError:
    """Return the refusal to go back to a version whose jar is nowhere."""
    digest = (version.jar_digest or "")[:12]
    return PermanentError(
        f"{version.job_name}: the jar of that version (SHA-256 {digest}…) {why}",
        now=now,
        remedy=f"Put that jar back at {version.jar}, or give a copy of it with --jar",
    )


def runs_on_both(
    wanted: JobSpec, old: ObservedJob, old_address: str, new: ObservedJob, new_address: str
) -> PermanentError:
    """Return the refusal of a move of a job that runs on either cluster."""
    return PermanentError(
        f"{wanted.job_name}: it runs on both clusters, as job {old.job_id} on {old_address} and as "
        f"job {new.job_id} on {new_address}",
        now="Neither was touched",
        remedy="End the one that is not to go on (flink-jobs jobs stop keeps its state), and run "
        "again",
    )


def started_meanwhile(wanted: JobSpec, other: ObservedJob, ours: str) -> StartedMeanwhile:
    """Return the error of a run that meets another one's version; `ours` is what became of its."""
    return StartedMeanwhile(
        f"{wanted.job_name}: another run started version {other.generation} meanwhile",
        now=f"Job {other.job_id} runs, {ours}",
        remedy="See that only one run works on this stack, and run again",
    )


def neither_started(why: str, state: str) -> str:
    """Return how a job is whose new version failed, and whose previous one did not start again."""
    return (
        f"The previous version did not start again either: {why.rstrip('.')}. Nothing of it is "
        f"known to run; {state}"
    )


def vanished(happened: str, job_id: str) -> JobVanished:
    """Return the error of a job that its cluster lost meanwhile."""
    return JobVanished(
        happened,
        now=f"Job {job_id} is no longer listed: its JobManager may have restarted; nothing else "
        "was started",
        remedy="Run again: it goes on from the job's newest savepoint or retained checkpoint",
    )


def gate_kept(record: JobRecord, what: str = "") -> GateFailed:
    """Return the error for a version that did not pass its health gate, and is left running.

    `what` names it, where that is not a new version.
    """
    name, failed = record.spec.job_name, record.gate_failed
    check, reason = (failed.check, failed.reason) if failed else ("", "")
    what = what or f"version {record.generation}"
    happened = f"{name}: {what} did not pass its health gate: {reason}"
    error = GateFailed(
        happened,
        now=f"Job {record.job_id} was left running and is recorded, since health.on_failure is "
        "keep",
        remedy=Remedy.CHANGE_OR_WATCH_AGAIN,
    )
    error.check = check
    error.partial = record.model_copy(
        update={"action_result": ActionResult.FAILED, "job_output": error.happened}
    )
    return error
