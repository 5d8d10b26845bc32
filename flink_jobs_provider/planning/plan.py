"""The plan of a job: one action and its reasons, in words that people read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.change import Cost
from flink_jobs_provider.model.identity import restore_digest
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.carried_state import newest_state, start_of_new_run
from flink_jobs_provider.planning.diff import Change, changes

#: What a change of a running job is called, by its upgrade mode.
UPGRADES: Mapping[UpgradeMode, Action] = {
    UpgradeMode.SAVEPOINT: Action.UPDATE,
    UpgradeMode.LAST_STATE: Action.LAST_STATE_UPDATE,
    UpgradeMode.STATELESS: Action.STATELESS_UPDATE,
}
_HOW = {
    UpgradeMode.SAVEPOINT: "stop with savepoint and restart",
    UpgradeMode.LAST_STATE: "cancel and restart from the latest retained checkpoint",
    UpgradeMode.STATELESS: "cancel and start afresh",
}
_NO_STATE = "BUT NO SAVEPOINT OR RETAINED CHECKPOINT OF IT IS KNOWN: this is refused"
_RESCALE = "rescale while it runs, from a checkpoint"


@dataclass(frozen=True)
class Plan:
    """One action on one job.

    Attributes:
        job_name: The job.
        action: What will be done; none where only the record changes, or nothing does.
        how: The action in words.
        reasons: Why, the weightiest first.
        changed: The inputs that differ.
        replaces: The inputs whose change makes it another job.
        discards_state: Whether state is dropped on purpose.
        refusal: Why it will be refused; empty where it will not.
    """

    job_name: str
    action: Action | None
    how: str = ""
    reasons: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()
    replaces: tuple[str, ...] = ()
    discards_state: bool = False
    refusal: str = field(default="", repr=False)

    @property
    def needed(self) -> bool:
        """Whether there is anything to do or to record."""
        return self.action is not None or bool(self.changed)

    def line(self) -> str:
        """Return the plan in one line, as previews print it."""
        nothing = "no restart" if self.how else "no action, recorded only"
        action = self.action.value if self.action else nothing
        state = ", STATE IS DISCARDED" if self.discards_state else ""
        how = f", {self.how}" if self.how else ""
        why = f": {', '.join(self.reasons)}" if self.reasons else ""
        return f"{self.job_name}: {action}{how}{state}{why}"


def plan(
    recorded: JobRecord | None,
    wanted: JobSpec,
    now: float | None = None,
    *,
    is_fresh: bool = False,
) -> Plan:
    """Return the plan that brings a job from what is recorded or observed to what is wanted.

    Args:
        recorded: What is recorded; None for nothing.
        wanted: The job as it should be.
        now: Seconds since the epoch, for the age of what is restored; the present if not given.
        is_fresh: Whether the record's `restore_point` was just searched for, as a start does: None
            then means that there is none.
    """
    now = time.time() if now is None else now
    if recorded is None:
        return _creation(wanted)
    changed = tuple(changes(recorded.spec, wanted))
    cost = max((change.cost for change in changed), default=Cost.RECORDED)
    texts = tuple(change.text for change in changed)
    if cost is Cost.REFUSED:
        return _refused(wanted, changed)
    if cost is Cost.REPLACE:
        return _replacement(recorded, wanted, changed)
    if wanted.desired_state is DesiredState.STOPPED:
        return _towards_stopped(recorded, wanted, changed)
    drifted = drift(recorded)
    if recorded.status is JobStatus.FINISHED and not asks_for_new_run(recorded, wanted):
        return Plan(
            wanted.job_name, None, reasons=(*texts, "the job has finished"), changed=changed
        )
    if recorded.unconfirmed or not recorded.status.active:
        return _start(recorded, wanted, changed, (*drifted, *texts), now, is_fresh)
    rescaled = bool(recorded.rescaled)
    in_place = rescaled and recorded.rescales_in_place
    if cost is Cost.RESTART or recorded.other_version or (rescaled and not in_place):
        return _restart(recorded, wanted, changed, (*drifted, *texts))
    if recorded.duplicates:
        how = "stop the older of the copies that run, with savepoint"
        how += f", and {_RESCALE}" if in_place else ""
        return Plan(wanted.job_name, Action.STOP, how, (*drifted, *texts), changed)
    if in_place:
        how = _RESCALE + (", and take a savepoint" if cost is Cost.SAVEPOINT else "")
        return Plan(wanted.job_name, Action.UPDATE, how, (*drifted, *texts), changed)
    if cost is Cost.SAVEPOINT:
        how = "take a savepoint, the job goes on"
        return Plan(wanted.job_name, Action.SAVEPOINT, how, texts, changed)
    how = ""
    if cost is Cost.IN_PLACE:
        how = "changed while it runs"
        at_once = wanted.target.changes_running_jobs
        how += "" if at_once else ", and on a gateway counting from the next start"
    return Plan(wanted.job_name, None, how, texts, changed)


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
    if wanted.desired_state is DesiredState.STOPPED:
        return Plan(wanted.job_name, None, reasons=("desired_state is stopped",))
    start = f"start from {wanted.restore_from}" if wanted.restore_from else "first start, no state"
    return Plan(wanted.job_name, Action.NEW, start)


def _replacement(recorded: JobRecord, wanted: JobSpec, changed: tuple[Change, ...]) -> Plan:
    """Return the plan of another job in this one's place, to which no state is carried over.

    A restore point that was named before is not the present state, so it permits nothing.
    """
    replaces = tuple(change.name for change in changed if change.cost is Cost.REPLACE)
    reasons = tuple(change.text for change in changed)
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
    how = f"replace by a job that starts from {wanted.restore_from or 'nothing'}"
    return Plan(wanted.job_name, Action.NEW, how, reasons, changed, replaces, dropped, refusal)


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
    return Plan(wanted.job_name, action, how, reasons, changed, discards_state=stateless)


def _start(
    recorded: JobRecord,
    wanted: JobSpec,
    changed: tuple[Change, ...],
    reasons: tuple[str, ...],
    now: float,
    is_fresh: bool,
) -> Plan:
    existed = recorded.job_id is not None
    if recorded.unconfirmed:
        action = Action.UPDATE if existed else Action.NEW
        how = f"go on with job {recorded.unconfirmed}"
    elif to_restore(recorded, wanted):
        action = Action.START if existed else Action.NEW
        how = f"start from {wanted.restore_from}"
    elif not existed:
        action, how = Action.NEW, _creation(wanted).how
    elif wanted.upgrade_mode is UpgradeMode.STATELESS:
        return Plan(
            wanted.job_name,
            Action.STATELESS_UPDATE,
            "start afresh",
            reasons,
            changed,
            discards_state=True,
        )
    elif recorded.status is JobStatus.FINISHED:
        action, how = Action.START, start_of_new_run(recorded, now)
    elif is_fresh and recorded.restore_point is None:
        action, how = Action.START, _NO_STATE
    else:
        action, how = Action.START, f"start from {newest_state(recorded, wanted, now)}"
    return Plan(wanted.job_name, action, how, reasons, changed)


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


def drift(recorded: JobRecord) -> tuple[str, ...]:
    """Return how the cluster differs from what was recorded as wanted."""
    reasons = []
    if recorded.spec.desired_state is DesiredState.RUNNING and not recorded.status.active:
        failed = recorded.status is JobStatus.FAILED and recorded.job_output
        cause = f" ({recorded.job_output.rstrip('.')})" if failed else ""
        reasons.append(f"the job is {recorded.status} on its cluster{cause}")
    if recorded.unconfirmed:
        reasons.append(f"job {recorded.unconfirmed} was submitted and may yet start")
    if recorded.duplicates:
        reasons.append(f"{len(recorded.duplicates) + 1} copies run at once")
    if recorded.other_version and recorded.status.active:
        reasons.append("another version than the recorded one runs")
    if recorded.rescaled and recorded.status.active:
        reasons.append(f"it was rescaled over REST: {recorded.rescaled}")
    return tuple(reasons)
