"""What a job's state is, and its next step: from how it is shown, what is recorded, what is wanted.

No I/O. Nothing starts without state unless the spec says so in words, or there never was any; and
no older state is taken for the newest where a job has run on since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flink_jobs_provider.control_planes.service_planes import Capabilities, StepJob
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import is_other_version
from flink_jobs_provider.planning.plan import to_restore as newly_named
from flink_jobs_provider.reconciling.job_errors import no_state, unclear
from flink_jobs_provider.reconciling.ownership import (
    Mark,
    distinguishes_runs,
    has_finished,
    is_of_recorded_run,
    is_over,
    is_recorded,
    last_known,
    mark_of,
    ran_since,
    read_mark,
    recorded_run,
    run_of,
    stays_finished,
)
from flink_jobs_provider.reconciling.record_updates import knows
from flink_jobs_provider.wire.dli import DESCRIBING, WHILE_RUNNING

#: Why savepoints are taken that end a run.
_STOPS = (SavepointReason.STOP, SavepointReason.UPDATE)


def is_draft(job: StepJob, recorded: JobRecord | None, *, shows_starts: bool) -> bool:
    """Whether a job was created and has never come up.

    `shows_starts` is whether a job that shows no time of its last start surely never came up.
    """
    if recorded is not None and recorded.job_id is not None and is_recorded(job, recorded):
        return False
    return (job.unborn and job.job_id is None) or (shows_starts and job.started == 0)


def was_imported(job: StepJob, wanted: JobSpec) -> bool:
    """Whether a job's savepoint is one that was named to start from, and none of its own."""
    restore = read_mark(job.version.mark).restore
    return bool(restore) and restore == mark_of(wanted, job.last_savepoint).restore


def status_of(job: StepJob, recorded: JobRecord | None) -> JobStatus | None:
    """Return what a job does: one that ended with a savepoint was stopped."""
    if job.status is not JobStatus.CANCELED:
        return job.status
    if recorded and recorded.status is JobStatus.STOPPED and is_recorded(job, recorded):
        return JobStatus.CANCELED if ran_since(job, recorded) else JobStatus.STOPPED
    new = job.last_savepoint and (recorded is None or not knows(recorded, job.last_savepoint))
    return JobStatus.STOPPED if new and not ran_since(job, recorded) else JobStatus.CANCELED


def newest_savepoint(job: StepJob, recorded: JobRecord | None, wanted: JobSpec) -> str | None:
    """Return a savepoint that was surely taken of the last run of a job, or None."""
    shown, finished = job.last_savepoint, job.status is JobStatus.FINISHED
    if recorded is None or not is_recorded(job, recorded):
        its_own = not was_imported(job, wanted) and not (recorded and knows(recorded, shown))
        return (shown or None) if its_own and not finished else None
    if ran_since(job, recorded):
        return None
    if shown and not knows(recorded, shown) and not finished:
        return shown
    if not recorded_run(recorded):  # nothing distinguishes its runs, but that it was stopped
        ended = recorded.status is JobStatus.STOPPED and same_path(shown, recorded.last_savepoint)
        return shown if ended and not same_path(shown, recorded.restored_from) else None
    of_last_run = (each for each in recorded.savepoints if is_of_recorded_run(each, recorded))
    # What a job that came to its own end had done by then is not done again.
    return next((each.path for each in of_last_run if not finished or each.reason in _STOPS), None)


def check_restore(job: StepJob, wanted: JobSpec) -> None:
    """Raise where a job that no record names might be set back to where it started long ago.

    Raises:
        RestoreUnclear: It has run, and whether it has started from the named savepoint is unknown.
    """
    named = wanted.restore_from
    if named is None or not run_of(job):
        return
    mark, right = read_mark(job.version.mark), mark_of(wanted, named)
    pending = mark.restore == right.restore and bool(mark.key)
    if not pending and not honoured(job, None, mark, right, named):
        raise unclear(wanted, job.job_id or job.run_id, "is there already")


def honoured(job: StepJob, recorded: JobRecord | None, mark: Mark, right: Mark, named: str) -> bool:
    """Whether an earlier run, whose record was lost, has started a job from a named savepoint.

    Its mark alone does not say that: it is written before the job is run.
    """
    if mark.key and mark.restore != right.restore:
        return False
    if not mark.key and not same_path(job.last_savepoint, named):
        return False
    known = recorded is not None and recorded.job_id and is_recorded(job, recorded)
    if recorded is not None and known and distinguishes_runs(job, recorded):
        # One that is asked for again is honoured again: nothing was started since.
        ran = ran_since(job, recorded)
        return ran and (not mark.key or mark.was_written_before(run_of(job)))
    if job.active:
        return True
    return mark.was_written_before(run_of(job)) if mark.key else bool(run_of(job))


class Move(StrEnum):
    """What is asked of the system."""

    CREATE = "create"
    CHANGE = "change"
    STOP = "stop"
    START = "start"


@dataclass(frozen=True)
class NextStep:
    """The next step.

    Attributes:
        write: What is changed while the job runs; empty where the whole configuration is written.
        savepoint: Whether a stop takes a savepoint.
        resume: Whether a start is one from a savepoint, or from the newest state there is.
        imported: The savepoint that is made the job's own before it starts; None for its own.
        origin: What the job starts from, as far as that is known before.
        called: What a start is called in the record.
    """

    move: Move
    write: Mapping[str, Any] = field(default_factory=dict)
    savepoint: bool = False
    resume: bool = False
    imported: str | None = None
    origin: str | None = None
    called: Action = Action.START


@dataclass(frozen=True)
class JobMatch:
    """What a job is, measured by what is wanted.

    Attributes:
        wanted: Whether its configuration is that of the version that is wanted.
        named: The savepoint that is newly named to start from, and not yet honoured.
        write: What its configuration has otherwise than it is wanted.
    """

    wanted: bool
    named: str | None
    write: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_place(self) -> dict[str, Any]:
        """What of that can be changed while the job runs."""
        return {name: value for name, value in self.write.items() if name in WHILE_RUNNING}


def to_restore(recorded: JobRecord | None, wanted: JobSpec) -> str | None:
    """Return the savepoint that is newly named to start from, or that no start has honoured."""
    never_ran = recorded is not None and recorded.job_id is None
    return wanted.restore_from if never_ran else newly_named(recorded, wanted)


def judge(
    job: StepJob | None,
    recorded: JobRecord | None,
    wanted: JobSpec,
    write: Mapping[str, Any],
    *,
    written: bool = False,
) -> JobMatch:
    """Compare a job with the wanted version: by its mark, or else by record and configuration.

    The job has Flink's id of what was run last. `write` is what its configuration has otherwise
    than it is wanted; `written` whether this run has written it, for a service that keeps no mark.
    """
    named = to_restore(recorded, wanted)
    if job is None:
        return JobMatch(wanted=False, named=named)
    mark, right = read_mark(job.version.mark), mark_of(wanted, named)
    # What this run has written itself is no evidence of an earlier one.
    if named and not written and honoured(job, recorded, mark, right, named):
        named = None
    same_jar = recorded is not None and recorded.spec.jar_digest == wanted.jar_digest
    if mark.key:
        same = same_jar = mark.spec == right.spec
    elif written:
        same = same_jar = True
    else:
        known = recorded if is_recorded(job, recorded) else None
        same = known is None or not is_other_version(known, wanted)
    passing = WHILE_RUNNING | DESCRIBING | ({"entrypoint"} if same_jar else set())
    return JobMatch(same and not set(write) - passing, named, write)


def decide(
    job: StepJob | None,
    recorded: JobRecord | None,
    wanted: JobSpec,
    verdict: JobMatch,
    capabilities: Capabilities,
) -> NextStep | None:
    """Return the next step; None where the job is as it should be.

    Nothing is in progress on the job, and its status is known.

    Raises:
        StateUnavailable: Going on would drop state.
    """
    if wanted.desired_state is DesiredState.STOPPED:
        return NextStep(Move.STOP, savepoint=True) if job and job.active else None
    if job is None:
        if is_over(recorded, wanted):
            return None
        _start_anew(recorded, wanted, verdict)  # refuses now what would be refused later
        return NextStep(Move.CREATE)
    if job.active:
        if verdict.named or not verdict.wanted:
            return NextStep(Move.STOP, savepoint=wanted.upgrade_mode is UpgradeMode.SAVEPOINT)
        return NextStep(Move.CHANGE, write=verdict.in_place) if verdict.in_place else None
    if has_finished(job, recorded) and stays_finished(
        job, recorded, wanted, same=verdict.wanted, named=verdict.named
    ):
        return None
    start = _start(job, recorded, wanted, verdict, capabilities)  # refuses before anything changes
    marked, right = read_mark(job.version.mark), mark_of(wanted, verdict.named)
    unmarked = marked.key and right.restore and marked.restore != right.restore
    return NextStep(Move.CHANGE) if not verdict.wanted or verdict.write or unmarked else start


def _start(
    job: StepJob,
    recorded: JobRecord | None,
    wanted: JobSpec,
    verdict: JobMatch,
    capabilities: Capabilities,
) -> NextStep:
    """Start a job that does not run."""
    if verdict.named:
        called = Action.START if recorded and recorded.job_id else Action.NEW
        return NextStep(
            Move.START, resume=True, imported=verdict.named, origin=verdict.named, called=called
        )
    if is_draft(job, recorded, shows_starts=capabilities.shows_starts):
        if job.last_savepoint and not was_imported(job, wanted):
            called = Action.START if recorded and recorded.job_id else Action.NEW
            return NextStep(Move.START, resume=True, origin=job.last_savepoint, called=called)
        return _start_anew(recorded, wanted, verdict)
    if wanted.upgrade_mode is UpgradeMode.STATELESS:
        return NextStep(Move.START, called=Action.STATELESS_UPDATE)
    if capabilities.starts_from_newest_state and job.status is not JobStatus.FINISHED:
        stopped = status_of(job, recorded) is JobStatus.STOPPED
        called = Action.START if stopped else Action.RE_LAUNCH
        origin = newest_savepoint(job, recorded, wanted) if stopped else None
        return NextStep(Move.START, resume=True, origin=origin, called=called)
    origin = newest_savepoint(job, recorded, wanted)
    its_end = recorded and recorded.status is JobStatus.FINISHED and not ran_since(job, recorded)
    if origin is None and its_end:
        again = last_known(recorded)
        return NextStep(Move.START, resume=bool(again), imported=again, origin=again)
    if origin is None:
        raise _none_newer(job, recorded, wanted)
    own = same_path(origin, job.last_savepoint)
    return NextStep(Move.START, resume=True, imported=None if own else origin, origin=origin)


def _start_anew(recorded: JobRecord | None, wanted: JobSpec, verdict: JobMatch) -> NextStep:
    """Start a job that never was, or that the system no longer has (LOST)."""
    named = verdict.named
    if recorded is None or recorded.job_id is None:
        return NextStep(
            Move.START, resume=bool(named), imported=named, origin=named, called=Action.NEW
        )
    if not named and wanted.upgrade_mode is UpgradeMode.STATELESS:
        return NextStep(Move.START, called=Action.STATELESS_UPDATE)
    origin = named or recorded.last_savepoint or recorded.restored_from
    if origin is None and recorded.status is JobStatus.FINISHED:
        return NextStep(Move.START)  # as its plan has shown
    if origin is None:
        raise no_state(recorded, wanted, "is no longer known to its cluster (LOST)")
    return NextStep(Move.START, resume=True, imported=origin, origin=origin)


def could_be_ours(job: StepJob, recorded: JobRecord | None, wanted: JobSpec) -> bool:
    """Whether a run that died may have created a job that bears no mark in place of a recorded one.

    It would have started from the recorded state: a job that ran, and shows another, is not it.
    """
    if recorded is None or recorded.job_id is None:
        return True
    try:
        match = JobMatch(wanted=False, named=to_restore(recorded, wanted))
        step = _start_anew(recorded, wanted, match)
    except StateUnavailable:
        return False
    if not run_of(job):
        return True  # a draft is started from that state
    return same_path(job.last_savepoint, step.imported) if step.imported else True


def _none_newer(job: StepJob, recorded: JobRecord | None, wanted: JobSpec) -> StateUnavailable:
    """Return the refusal of a start where no savepoint is surely newer than the last one."""
    state = f"is {job.status}"
    older = job.last_savepoint
    if recorded and (not older or knows(recorded, older)):
        older = recorded.last_savepoint or older  # the service may have deleted its own
    if not older:
        return no_state(recorded, wanted, state)
    if job.status is JobStatus.FINISHED:
        why = f"it came to its own end, and what it did after {older} would be done again"
    elif ran_since(job, recorded):
        why = (
            "it was started again since it was recorded, and whether its savepoint "
            f"{older} is newer than that start is unknown"
        )
    else:
        why = f"of its savepoints none is newer than its last start; the last one is {older}"
    return no_state(recorded, wanted, state, why)
