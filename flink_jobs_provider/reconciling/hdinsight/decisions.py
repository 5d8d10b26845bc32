"""Deciding the next action on a job: from its row, what is recorded, and what is wanted. No I/O.

Nothing starts without state unless the spec says so in words, or there never was any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.service_planes import ActionCapabilities, ActionJob, Version
from flink_jobs_provider.model.action import Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import UPGRADES, is_other_version, to_restore
from flink_jobs_provider.reconciling.job_errors import no_state, unclear
from flink_jobs_provider.reconciling.ownership import (
    Mark,
    has_finished,
    is_over,
    is_recorded,
    mark_of,
    ran_since,
    read_mark,
    run_of,
    stays_finished,
)
from flink_jobs_provider.reconciling.record_updates import knows


@dataclass(frozen=True)
class NextAction:
    """The next action.

    Attributes:
        action: What is asked of the system.
        carries: Whether it carries the whole version.
        restore_from: The savepoint it names; None where it names none.
        origin: What the job starts from by it, as far as that is known before.
        called: What it is called in the record.
    """

    action: Action
    carries: bool = False
    restore_from: str | None = None
    origin: str | None = None
    called: Action | None = None


@dataclass(frozen=True)
class RowMatch:
    """What a row is, measured by what is wanted.

    Attributes:
        wanted: Whether it is the version that is wanted.
        named: The savepoint that is newly named to start from, and not yet honoured.
        unclear: Whether it may be honoured all the same: neither the record nor the row shows it.
    """

    wanted: bool
    named: str | None
    unclear: bool = False


def judge(
    row: ActionJob | None,
    recorded: JobRecord | None,
    wanted: JobSpec,
    asked: Version,
    *,
    shows_what_runs: bool = False,
) -> RowMatch:
    """Compare a row with the wanted version: by its mark, or else by record and properties.

    `shows_what_runs` is whether a row shows what runs, also after an update that failed.
    """
    named = to_restore(recorded, wanted)
    if row is None:
        return RowMatch(wanted=False, named=named)
    mark, right = read_mark(row.version.mark), mark_of(wanted, named)
    if named and _honoured(row, recorded, mark, right, named):
        named = None
    if mark.key:
        same = mark.spec == right.spec
    else:
        known = recorded if is_recorded(row, recorded) else None
        same = known is None or not is_other_version(known, wanted)
    failed = row.action in UPGRADES.values() and row.result is ActionResult.FAILED
    same = same and (shows_what_runs or not failed)  # else it may show what was asked for
    if recorded and recorded.spec.jar_digest == wanted.jar_digest:
        asked = replace(asked, jar=None)  # the same content may have moved
    unknown = named is not None and recorded is None and not _never_honoured(row, mark, right)
    return RowMatch(same and not kept(asked, row.version, recorded), named, unknown)


def _honoured(
    row: ActionJob, recorded: JobRecord | None, mark: Mark, right: Mark, named: str
) -> bool:
    """Whether an earlier run, whose record was lost, has started a job from a named savepoint."""
    known = row.job_id if recorded is not None and is_recorded(row, recorded) else None
    if recorded is not None and known is not None and known == recorded.job_id:
        return False  # one that is asked for again is honoured again: nothing was started since
    if not mark.key:
        return same_path(row.restored_from, named)
    return mark.restore == right.restore and (
        row.job_id is None or mark.was_written_before(run_of(row))
    )


def _never_honoured(row: ActionJob, mark: Mark, right: Mark) -> bool:
    """Whether a job that no record names has surely not started from a named savepoint yet.

    A mark tells of the last change alone, and so does a row: they tell it of a job that was only
    created, or whose last change names that savepoint, and has not been applied.
    """
    if row.never_came_up or (mark.restore and mark.restore == right.restore):
        return True
    origin = mark.restore or row.restored_from or row.started_from
    return row.action is Action.NEW and not origin


def kept(asked: Version, shown: Version, recorded: JobRecord | None) -> list[str]:
    """Return what the system has otherwise than it was asked for, as inputs are called.

    An option that was taken away is among them, if it is still there.
    """
    found = asked.differences(shown)
    former = recorded.spec.flink_configuration if recorded else {}
    configuration = asked.configuration or {}
    found += [
        f"flink_configuration.{key}"
        for key, value in sorted((shown.configuration or {}).items())
        if key not in configuration and former.get(key) == value
    ]
    return found


def decide(
    row: ActionJob | None,
    recorded: JobRecord | None,
    wanted: JobSpec,
    verdict: RowMatch,
    capabilities: ActionCapabilities,
) -> NextAction | None:
    """Return the next action; None where the job is as it should be.

    No action is in progress on the row, and its status is known.

    Raises:
        StateUnavailable: Going on would drop state, or might set the job back.
    """
    if wanted.desired_state is DesiredState.STOPPED:
        return NextAction(Action.STOP) if row and row.active else None
    if row is None:
        return None if is_over(recorded, wanted) else _new(recorded, wanted, verdict)
    if verdict.unclear:
        _refuse_unclear(row, recorded, wanted, capabilities)
    if row.active:
        return _update(wanted, verdict)
    if row.never_came_up:
        _new(recorded, wanted, verdict)  # refuses now what it would refuse when the row is gone
        return NextAction(Action.DELETE)
    if has_finished(row, recorded) and stays_finished(
        row, recorded, wanted, same=verdict.wanted, named=verdict.named
    ):
        return None
    return _start(row, recorded, wanted, verdict, capabilities)


def could_be_ours(row: ActionJob, recorded: JobRecord | None, wanted: JobSpec) -> bool:
    """Whether a run that died may have created a job that bears no mark in place of a recorded one.

    It would have started from the recorded state: a job that did not is another one.
    """
    if recorded is None or recorded.job_id is None:
        return True
    try:
        step = _new(recorded, wanted, RowMatch(wanted=False, named=to_restore(recorded, wanted)))
    except StateUnavailable:
        return False
    if step.restore_from is None:
        return not row.restored_from
    return same_path(row.restored_from, step.restore_from)


def _refuse_unclear(
    row: ActionJob, recorded: JobRecord | None, wanted: JobSpec, capabilities: ActionCapabilities
) -> None:
    job = row.job_id or row.run_id
    if row.active:
        raise unclear(wanted, job, "runs already")
    saved = newest_savepoint(row, recorded)
    if saved or capabilities.starts_ended:
        left = f"has left savepoint {saved}" if saved else f"is {row.status_word or 'there'}"
        raise unclear(wanted, job, left)


def _starting(action: Action, called: Action, origin: str | None = None) -> NextAction:
    """Return an action that carries the whole version, and names what it starts from."""
    return NextAction(action, carries=True, restore_from=origin, origin=origin, called=called)


def _update(wanted: JobSpec, verdict: RowMatch) -> NextAction | None:
    if verdict.named:
        return _starting(Action.UPDATE, Action.UPDATE, verdict.named)
    if verdict.wanted:
        return None
    action = UPGRADES[wanted.upgrade_mode]
    return _starting(action, action)


def _new(recorded: JobRecord | None, wanted: JobSpec, verdict: RowMatch) -> NextAction:
    """NEW: a job that never was, or whose row has gone (LOST)."""
    if recorded is None or recorded.job_id is None:
        origin = wanted.restore_from
        return _starting(Action.NEW, Action.NEW, origin)
    if verdict.named:
        return _starting(Action.NEW, Action.START, verdict.named)
    if wanted.upgrade_mode is UpgradeMode.STATELESS:
        return _starting(Action.NEW, Action.STATELESS_UPDATE)
    origin = recorded.last_savepoint or recorded.restored_from
    if origin is None and recorded.status is JobStatus.FINISHED:
        return _starting(Action.NEW, Action.START)  # as its plan has shown
    if origin is None:
        raise no_state(recorded, wanted, "is no longer known to its cluster (LOST)")
    return _starting(Action.NEW, Action.START, origin)


def _start(
    row: ActionJob,
    recorded: JobRecord | None,
    wanted: JobSpec,
    verdict: RowMatch,
    capabilities: ActionCapabilities,
) -> NextAction:
    """START or RE_LAUNCH of a job that does not run; or DELETE, where only NEW can start it."""
    carries = not verdict.wanted or verdict.named is not None  # the mark names it
    afresh = wanted.upgrade_mode is UpgradeMode.STATELESS and not verdict.named
    if afresh and capabilities.starts_ended:
        return _starting(Action.STATELESS_UPDATE, Action.STATELESS_UPDATE)
    if afresh:
        return NextAction(Action.DELETE)
    broken = row.status not in (JobStatus.STOPPED, JobStatus.FINISHED)
    relaunches = broken and Action.RE_LAUNCH in capabilities.actions
    if relaunches and capabilities.starts_ended and not verdict.named:
        return NextAction(Action.RE_LAUNCH, carries, called=Action.RE_LAUNCH)
    origin = verdict.named or newest_savepoint(row, recorded)
    if origin is None and capabilities.starts_ended and _runs_anew(row, recorded):
        return _starting(Action.STATELESS_UPDATE, Action.START)
    if origin is None and not _runs_anew(row, recorded):
        raise no_state(recorded, wanted, f"is {row.status_word or 'not running'}")
    if row.status is JobStatus.STOPPED and not verdict.named and is_without_stop(row, recorded):
        return NextAction(Action.START, carries, called=Action.START)  # from what it knows itself
    if row.status is JobStatus.STOPPED and origin:
        last = same_path(origin, row.last_savepoint)
        return NextAction(Action.START, carries, None if last else origin, origin, Action.START)
    if relaunches:
        return NextAction(Action.RE_LAUNCH, carries, origin, origin, Action.RE_LAUNCH)
    return renewal(row, recorded, wanted, verdict)


def renewal(
    row: ActionJob, recorded: JobRecord | None, wanted: JobSpec, verdict: RowMatch
) -> NextAction:
    """Delete a row, for NEW to start the job: only where its state is known without the row.

    Raises:
        StateUnavailable: It is not.
    """
    origin = verdict.named or newest_savepoint(row, recorded)
    if origin is None and _runs_anew(row, recorded):
        return NextAction(Action.DELETE)
    if not verdict.named and is_without_stop(row, recorded):
        raise StateUnavailable(
            f"{wanted.job_name}: the job is {row.status_word}, and no savepoint of that stop is "
            "known",
            now="Nothing was changed",
            remedy="See in the job's storage whether there is one, and set restore_from to it",
        )
    durable = verdict.named or (recorded and recorded.last_savepoint)
    if not origin or not same_path(origin, durable or None):
        raise StateUnavailable(
            f"{wanted.job_name}: the job is {row.status_word}, and can be started again from "
            f"{origin or 'nothing'} alone, which is not recorded yet",
            now="Nothing was changed",
            remedy="Run a refresh, which records it, and then run again",
        )
    return NextAction(Action.DELETE)


def _runs_anew(row: ActionJob, recorded: JobRecord | None) -> bool:
    """Whether a job came to its own end, and was recorded so: its plan shows where it starts."""
    if recorded is None or recorded.status is not JobStatus.FINISHED:
        return False
    return has_finished(row, recorded)


def is_without_stop(row: ActionJob, recorded: JobRecord | None) -> bool:
    """Whether a stopped job surely shows no savepoint of its stop: the one it has is older."""
    if row.status is not JobStatus.STOPPED or recorded is None or not is_recorded(row, recorded):
        return False
    path = row.last_savepoint
    if ran_since(row, recorded) or (path and not knows(recorded, path)):
        return False
    last = path or recorded.last_savepoint
    reasons = {each.reason for each in recorded.savepoints if same_path(each.path, last)}
    if recorded.status is JobStatus.STOPPED:
        return reasons == {SavepointReason.SAVEPOINT}  # it went on after that one
    if not path or same_path(path, recorded.restored_from):
        return True
    return not reasons & {SavepointReason.STOP, SavepointReason.FOUND}


def newest_savepoint(row: ActionJob, recorded: JobRecord | None) -> str | None:
    """Return the savepoint of the state that a job had last.

    The row's own counts where the record does not know it yet. One that is recorded may be of a
    state that was left behind since: then the record shows which one counts.
    """
    if recorded is None or not is_recorded(row, recorded):
        return row.last_savepoint or row.restored_from or None
    if row.last_savepoint and not knows(recorded, row.last_savepoint):
        return row.last_savepoint
    return recorded.last_savepoint or recorded.restored_from
