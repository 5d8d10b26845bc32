"""The plan of a job in words that people read: one action, its reasons, and its state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from flink_jobs_provider.model.action import STARTS, Action, JobStatus
from flink_jobs_provider.model.identity import restore_digest
from flink_jobs_provider.model.inputs import Cost
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.adoption import is_program_unknown, refusal_without_way_back
from flink_jobs_provider.planning.diff import Change, changes
from flink_jobs_provider.planning.drift import drift, end_of_copies
from flink_jobs_provider.planning.gate_words import gate_text
from flink_jobs_provider.planning.known_state import known_state, last_state
from flink_jobs_provider.planning.move import is_move, refusal_to_move
from flink_jobs_provider.planning.rehearsed_copy import obstacle_to_rehearsal, refusal_to_rehearse
from flink_jobs_provider.planning.rescaling import (
    is_to_be_rescaled_back,
    rescales_while_it_runs,
)
from flink_jobs_provider.planning.surplus_savepoints import surplus_text

#: What a change of a running job is called, by its upgrade mode.
UPGRADES: Mapping[UpgradeMode, Action] = {
    UpgradeMode.SAVEPOINT: Action.UPDATE,
    UpgradeMode.LAST_STATE: Action.LAST_STATE_UPDATE,
    UpgradeMode.STATELESS: Action.STATELESS_UPDATE,
    UpgradeMode.BLUE_GREEN: Action.UPDATE,
}
_HOW = {
    UpgradeMode.SAVEPOINT: "stop with savepoint and restart",
    UpgradeMode.LAST_STATE: "cancel and restart from the latest retained checkpoint",
    UpgradeMode.STATELESS: "cancel and start afresh",
    UpgradeMode.BLUE_GREEN: "start alongside it from a savepoint, and stop it when the new version "
    "is up: OUTPUT IS WRITTEN BY BOTH UNTIL THEN",
}
_NO_STATE = "BUT NO SAVEPOINT OR RETAINED CHECKPOINT OF IT IS KNOWN: this is refused"
_RESCALE = "rescale while it runs, from a checkpoint"


@dataclass(frozen=True)
class Plan:
    """One action on one job.

    Attributes:
        action: What will be done; none where only the record changes, or nothing does.
        how: The action in words.
        reasons: Why, the weightiest first.
        replaces: The inputs whose change makes it another job.
        discards_state: Whether state is dropped on purpose.
        state: How the state of the running version suits the new one; empty where not compared.
        adopts: The running job that is taken over as it is; empty where none is.
        gate: The health gate that a version must pass after its start; empty for none.
        rehearses: Whether a copy of the version is started and watched before.
        unrehearsed: Why none is, though `rehearsal` is declared; empty where that is not so.
        disposes: The old savepoints that are disposed of afterwards; empty for none.
        refusal: Why it will be refused; empty where it will not.
    """

    job_name: str
    action: Action | None
    how: str = ""
    reasons: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()
    replaces: tuple[str, ...] = ()
    discards_state: bool = False
    state: str = ""
    adopts: str = ""
    gate: str = ""
    rehearses: bool = False
    unrehearsed: str = ""
    disposes: str = ""
    refusal: str = field(default="", repr=False)

    @property
    def rescales(self) -> bool:
        """Whether the job is rescaled while it runs."""
        return self.how.startswith(_RESCALE)

    @property
    def needed(self) -> bool:
        """Whether there is anything to do or to record."""
        return self.action is not None or bool(self.changed or self.how)

    def line(self) -> str:
        """Return the plan in one line, as previews print it."""
        return f"{self.job_name}: {self.summary}"

    @property
    def summary(self) -> str:
        """The plan in one line, without the job's name."""
        nothing = "no restart" if self.how else "no action, recorded only"
        if self.adopts:
            nothing = f"ADOPT job {self.adopts}"
        action = self.action.value if self.action else nothing
        state = ", STATE IS DISCARDED" if self.discards_state else ""
        how = f", {self.how}" if self.how else ""
        why = f": {', '.join(self.reasons)}" if self.reasons else ""
        fits = f"; {self.state}" if self.state else ""
        gate = f"; {self.gate}" if self.gate else ""
        before = "REHEARSE, then " if self.rehearses else ""
        unrehearsed = f"; not rehearsed, since {self.unrehearsed}" if self.unrehearsed else ""
        disposes = f"; {self.disposes}" if self.disposes else ""
        return f"{before}{action}{how}{state}{why}{fits}{unrehearsed}{gate}{disposes}"


def plan(
    recorded: JobRecord | None,
    wanted: JobSpec,
    now: float | None = None,
    *,
    is_fresh: bool = False,
) -> Plan:
    """Return the plan that brings a job from what is recorded or observed to what is wanted.

    The age of what is restored is that at `now`, in seconds since the epoch; the present if not
    given. Where `is_fresh`, the record's `restore_point` was just searched for, as a start does:
    None then means that there is none.
    """
    now = time.time() if now is None else now
    decided = _decided(recorded, wanted, now, is_fresh=is_fresh) if recorded else _creation(wanted)
    if recorded and recorded.rehearsals and not decided.action and not decided.how:
        which = ", ".join(recorded.rehearsals)
        return replace(decided, how=f"end the rehearsal that an earlier run left, job {which}")
    moves = recorded is not None and is_move(recorded, wanted)
    if decided.action in STARTS and not _is_undone(recorded, wanted, decided):
        decided = replace(decided, gate=gate_text(recorded, wanted))
    if recorded and decided.action and not decided.refusal and not moves:
        disposes = surplus_text(recorded, wanted, decided.action, now)
        decided = replace(decided, disposes=disposes)
    return _with_rehearsal(decided, recorded, wanted)


def _is_undone(recorded: JobRecord | None, wanted: JobSpec, decided: Plan) -> bool:
    """Whether a rescale of somebody else is undone: the job had passed with that parallelism."""
    declared = recorded is not None and rescales_while_it_runs(recorded, wanted)
    return decided.rescales and not declared


def _with_rehearsal(decided: Plan, recorded: JobRecord | None, wanted: JobSpec) -> Plan:
    """Return a plan with whether its start is rehearsed, where `rehearsal` is declared."""
    if wanted.rehearsal is None or decided.action is None or decided.refusal:
        return decided
    runs = recorded and recorded.status.active and not recorded.unconfirmed
    why_not = obstacle_to_rehearsal(
        decided.action if runs or decided.action is not Action.UPDATE else Action.START,
        wanted.upgrade_mode,
        rescales=decided.rescales,
        moves=recorded is not None and is_move(recorded, wanted),
        names_start=recorded is not None and to_restore(recorded, wanted) is not None,
    )
    if why_not is not None:
        return replace(decided, unrehearsed=why_not)
    refused = refusal_to_rehearse(wanted)
    return replace(decided, rehearses=refused is None, refusal=str(refused or ""))


def _decided(recorded: JobRecord, wanted: JobSpec, now: float, *, is_fresh: bool) -> Plan:
    """Return the same without what follows a start."""
    changed = tuple(changes(recorded.spec, wanted))
    cost = max((change.cost for change in changed), default=Cost.RECORDED)
    texts = tuple(change.text for change in changed)
    planned = partial(Plan, wanted.job_name, changed=changed)
    if cost is Cost.REFUSED:
        return _refused(wanted, changed)
    if cost is Cost.REPLACE:
        return _replacement(recorded, wanted, changed)
    if wanted.desired_state is DesiredState.STOPPED:
        return _towards_stopped(recorded, wanted, changed)
    drifted = drift(recorded, wanted)
    if recorded.status is JobStatus.FINISHED and not asks_for_new_run(recorded, wanted):
        return planned(None, reasons=(*texts, "the job has finished"))
    if recorded.unconfirmed or not recorded.status.active:
        return _start(recorded, wanted, changed, (*drifted, *texts), now, is_fresh=is_fresh)
    other, back = recorded.other_version, is_to_be_rescaled_back(recorded, wanted)
    restarts = cost is Cost.RESTART or other
    in_place = rescales_while_it_runs(recorded, wanted) or (
        back and recorded.rescales_in_place and not restarts
    )
    if (restarts or back) and not in_place:
        return _restart(recorded, wanted, changed, (*drifted, *texts))
    if recorded.is_coming_up:
        return planned(Action.NEW, f"go on with job {recorded.job_id}", (*drifted, *texts))
    if recorded.duplicates:
        action, how = end_of_copies(recorded)
        how += f", and {_RESCALE}" if in_place else ""
        return planned(action, how, (*drifted, *texts))
    if in_place:
        also = asks_for_savepoint(recorded, wanted)
        how = _RESCALE + (", and take a savepoint" if also else "")
        return planned(Action.UPDATE, how, (*drifted, *texts))
    if cost is Cost.SAVEPOINT:
        return planned(Action.SAVEPOINT, "take a savepoint, the job goes on", (*drifted, *texts))
    if recorded.gate_failed and wanted.health:
        return planned(None, "watched through its health gate again", (*drifted, *texts))
    how = _changed_while_it_runs(wanted) if cost is Cost.IN_PLACE else ""
    return planned(None, how, texts)


def _changed_while_it_runs(wanted: JobSpec) -> str:
    at_once = wanted.target.changes_running_jobs
    return "changed while it runs" + (
        "" if at_once else ", and on a gateway counting from the next start"
    )


def _refused(wanted: JobSpec, changed: tuple[Change, ...]) -> Plan:
    """Return the plan of a change that the job's service has no call for."""
    texts = tuple(change.text for change in changed if change.cost is Cost.REFUSED)
    names = " and ".join(change.name for change in changed if change.cost is Cost.REFUSED)
    refusal = (
        f"{wanted.job_name}: {names} cannot be changed: the service takes it when the job is "
        "created, and never again. The job is untouched. Undo that change; or destroy the job "
        'with on_delete "savepoint", and create it again with restore_from.'
    )
    return Plan(wanted.job_name, None, "", texts, changed, refusal=refusal)


def _creation(wanted: JobSpec) -> Plan:
    if wanted.adopt:
        return Plan(wanted.job_name, None, "it goes on as it is", adopts=wanted.adopt)
    if wanted.desired_state is DesiredState.STOPPED:
        return Plan(wanted.job_name, None, reasons=("desired_state is stopped",))
    start = f"start from {wanted.restore_from}" if wanted.restore_from else "first start, no state"
    return Plan(wanted.job_name, Action.NEW, start)


def _replacement(recorded: JobRecord, wanted: JobSpec, changed: tuple[Change, ...]) -> Plan:
    """Return the plan of another job in this one's place, to which no state is carried over.

    A restore point that was named before is not the present state, so it permits nothing. With
    `move` it is the same job on another cluster.
    """
    reasons = tuple(change.text for change in changed)
    if is_move(recorded, wanted):
        how = f"stop with savepoint on {recorded.spec.target.address}, and start from it on the new"
        refusal = refusal_to_move(recorded, wanted, reasons)
        return Plan(wanted.job_name, Action.UPDATE, how, reasons, changed, refusal=refusal)
    replaces = tuple(change.name for change in changed if change.cost is Cost.REPLACE)
    dropped = not newly_restores(recorded, wanted) and (
        recorded.status is not JobStatus.STOPPED or recorded.last_savepoint is not None
    )
    refusal = ""
    if dropped and wanted.upgrade_mode is not UpgradeMode.STATELESS:
        at = (
            f" (its last savepoint is {recorded.last_savepoint})" if recorded.last_savepoint else ""
        )
        refusal = (
            f"{wanted.job_name}: a change of {' and '.join(replaces)} starts another job, without "
            f"the state of this one{at}. The job is untouched. Set restore_from to a savepoint of "
            'it, or upgrade_mode to "stateless" to drop its state.'
        )
    if recorded.spec.on_delete is OnDelete.RELEASE and recorded.status.active:
        refusal = (
            f"{wanted.job_name}: a change of {' and '.join(replaces)} starts another job, and "
            f'on_delete "release" would leave job {recorded.job_id} running alongside it. The job '
            'is untouched. Set on_delete to "savepoint" or "cancel" in a run before.'
        )
    how = f"replace by a job that starts from {wanted.restore_from or 'nothing'}"
    return Plan(
        wanted.job_name, Action.NEW, how, reasons, changed, replaces, dropped, refusal=refusal
    )


def _towards_stopped(recorded: JobRecord, wanted: JobSpec, changed: tuple[Change, ...]) -> Plan:
    texts = tuple(change.text for change in changed)
    if recorded.status.active:
        return Plan(wanted.job_name, Action.STOP, "stop with savepoint", texts, changed)
    return Plan(wanted.job_name, None, reasons=texts, changed=changed)


def _restart(
    recorded: JobRecord, wanted: JobSpec, changed: tuple[Change, ...], reasons: tuple[str, ...]
) -> Plan:
    mode = wanted.upgrade_mode
    stateless = mode is UpgradeMode.STATELESS
    action, how = UPGRADES[mode], _HOW[mode]
    if to_restore(recorded, wanted):
        start = f"start from {wanted.restore_from}"
        action = Action.STATELESS_UPDATE if stateless else Action.UPDATE
        how = f"cancel and {start}" if stateless else f"stop with savepoint, and re{start} instead"
    if recorded.adopted:
        reasons = (*reasons, "it is the first restart since the job was adopted")
    refusal = str(refusal_without_way_back(recorded, wanted) or "")
    return Plan(
        wanted.job_name, action, how, reasons, changed, discards_state=stateless, refusal=refusal
    )


def _start(
    recorded: JobRecord,
    wanted: JobSpec,
    changed: tuple[Change, ...],
    reasons: tuple[str, ...],
    now: float,
    *,
    is_fresh: bool,
) -> Plan:
    existed = recorded.job_id is not None
    action, discards = Action.START if existed else Action.NEW, False
    if recorded.unconfirmed:
        action = Action.UPDATE if existed else Action.NEW
        how = f"go on with job {recorded.unconfirmed}"
    elif to_restore(recorded, wanted):
        how = f"start from {wanted.restore_from}"
    elif not existed:
        how = _creation(wanted).how
    elif wanted.upgrade_mode is UpgradeMode.STATELESS:
        action, how, discards = Action.STATELESS_UPDATE, "start afresh", True
    elif recorded.status is JobStatus.FINISHED:
        how = _start_of_new_run(recorded, now)
    elif is_fresh and recorded.restore_point is None and recorded.never_came_up:
        how = f"first start, if job {recorded.job_id} is seen to have left no state"
    elif is_fresh and recorded.restore_point is None:
        how = _NO_STATE
    else:
        how = f"start from {_newest_state(recorded, wanted, now)}"
        if recorded.status is JobStatus.STOPPED and recorded.spec.drain:
            how += ", stopped with drain: timers and windows have fired before their time"
    return Plan(wanted.job_name, action, how, reasons, changed, discards_state=discards)


def asks_for_new_run(recorded: JobRecord, wanted: JobSpec) -> bool:
    """Whether a finished job is to run once more: nothing else starts it."""
    if to_restore(recorded, wanted):
        return True
    found = changes(recorded.spec, wanted)
    costs = [change.cost for change in found if change.name != "restore_from"]
    return max(costs, default=Cost.RECORDED) >= Cost.RESTART


def is_other_version(recorded: JobRecord, wanted: JobSpec) -> bool:
    """Whether a job that runs as it is recorded must be restarted, `restore_from` left aside."""
    found = changes(recorded.spec, wanted)
    costs = {change.cost for change in found if change.name != "restore_from"}
    return recorded.other_version or Cost.RESTART in costs


def previous_version(recorded: JobRecord | None) -> JobSpec | None:
    """Return the version that an update which fails goes back to, or None."""
    if recorded is None or recorded.job_id is None or recorded.spec.jar_digest is None:
        return None
    if recorded.spec.desired_state is not DesiredState.RUNNING or recorded.never_came_up:
        return None
    if is_program_unknown(recorded):
        return None
    if recorded.status is JobStatus.FINISHED:
        return None  # it was at its end, and is not run again for the failure of another
    return recorded.spec


def asks_for_savepoint(recorded: JobRecord, wanted: JobSpec) -> bool:
    """Whether `savepoint_trigger` is newly set."""
    return wanted.savepoint_trigger not in (None, recorded.spec.savepoint_trigger)


def newly_restores(recorded: JobRecord | None, wanted: JobSpec) -> bool:
    """Whether a restore point is newly named, which wins over what the job itself has."""
    if wanted.restore_from is None:
        return False
    return recorded is None or not same_path(recorded.spec.restore_from, wanted.restore_from)


def to_restore(recorded: JobRecord | None, wanted: JobSpec) -> str | None:
    """Return the restore point that is newly named, and that no killed run has started from."""
    path = wanted.restore_from
    if path is None or not newly_restores(recorded, wanted):
        return None
    return None if recorded and recorded.honoured == restore_digest(path) else path


def _newest_state(recorded: JobRecord, wanted: JobSpec, now: float) -> str:
    """Return the state that a job which does not run goes on from, as far as it is known."""
    stopped, target = recorded.status is JobStatus.STOPPED, wanted.target
    if not target.dates_savepoints and not stopped:
        return "its newest state, if that is known to be newer than its last start"
    if target.finds_newest_state and not stopped:
        return "its newest savepoint or checkpoint"
    return known_state(recorded, now) or "its newest savepoint or checkpoint"


def _start_of_new_run(recorded: JobRecord, now: float) -> str:
    """Return what a new run of a finished job starts from."""
    where = last_state(recorded, now)
    if where is None:
        return "start from nothing, since no state is known of the run that finished"
    return f"start from {where}, so that what the finished run did after it is done again"
