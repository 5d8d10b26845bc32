"""When an action on a job has ended, and whether the job stays up: judged by its row.

Done means: the row names our action, with a result, and a status that fits. The row may be
missing just after NEW, lack its status for a while, show the action before ours, or an unknown
status: all that is waited on, and never taken for done, or for gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flink_jobs_provider.control_planes.service_planes import ActionJob, Order
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.reconciling.conditions import (
    Failed,
    Judgement,
    Met,
    NotYet,
    Observation,
    Shown,
    waited,
)
from flink_jobs_provider.reconciling.service_loop import ARRIVES, SETTLES

RowHistory: TypeAlias = Sequence[Observation[ActionJob | None]]

#: The actions that take a savepoint of what runs.
_SAVES = (Action.STOP, Action.SAVEPOINT, Action.UPDATE)
#: Those that leave a failed stop of before as it is.
_LEAVES_STATUS = (Action.SAVEPOINT, Action.LIST_SAVEPOINT)


@dataclass(frozen=True)
class ActionEnded:
    """An action that was ordered has ended, as far as the job's row shows it.

    Attributes:
        before: The row as it was before; None where it was not listed.
        arrived: Whether the order is known to have arrived.
        failed: Whether the system reported, apart from the row, that it failed: a row that shows
            nothing of it is not waited for long.
        in_parts: Whether a success may show before what it brought about, which is waited for: the
            savepoint that it took, and Flink's id of what it started.
    """

    order: Order
    before: ActionJob | None
    timeout: float
    arrived: bool
    failed: bool = False
    in_parts: bool = False

    def judge(self, history: RowHistory) -> Judgement:
        """Judge by the last row, and by whether any row so far has shown the action."""
        row, seconds, shown = history[-1].seen, waited(history), self.shown(history)
        settled = self.arrived and seconds >= SETTLES
        if row is None and self.order.action is Action.DELETE:
            return Met()
        shown_for = history[-1].at - history[-1].since
        steady = shown_for >= SETTLES
        lags = self.before is not None and self.before.stop_failed and not steady
        ended = row is not None and _ended(self.order.action, row, settled=settled, lags=lags)
        waits = ended and shown and self.in_parts and not steady
        if row and waits and (missing := self._missing(row)):
            return NotYet(f"{described(row)}, without {missing}")
        vanished = row is None and self.before is not None and shown_for >= ARRIVES
        if vanished:
            return Failed("the job service no longer lists the job", self)
        # The same failure once more may look as the one before; a success never does.
        if ended and (shown or (settled and row and not succeeded(self.order, row))):
            return Met()
        if self.failed and settled and not shown:
            return Met()
        if row and steady and self.is_overtaken(row):
            return Failed(f"{row.action} was begun on it since, by somebody else", self)
        if not self.arrived and not shown and seconds >= min(ARRIVES, self.timeout):
            return Failed("the list of jobs does not show that it arrived", self)
        return NotYet(described(row))

    def lacks_savepoint(self, row: ActionJob) -> bool:
        """Return whether an action that has succeeded shows no savepoint that it took.

        That of an UPDATE from a named savepoint counts for nothing; a job that came to its own end
        has none to take.
        """
        if self.order.action not in _SAVES or self.order.restore_from or row.started_from:
            return False
        if not succeeded(self.order, row) or row.status is JobStatus.FINISHED:
            return False
        old = self.before.last_savepoint if self.before else ""
        return not row.last_savepoint or same_path(row.last_savepoint, old)

    def _missing(self, row: ActionJob) -> str:
        """Return what an action that has succeeded does not show yet; empty for nothing."""
        if self.lacks_savepoint(row):
            return "the savepoint that it took"
        starts = self.order.action in STARTS and succeeded(self.order, row)
        old = self.before.job_id if self.before else None
        return "Flink's id of what it started" if starts and row.job_id in (None, old) else ""

    def is_overtaken(self, row: ActionJob) -> bool:
        """Return whether a row shows an action that was begun after ours: so that has ended."""
        if not self.arrived or row.action in (None, self.order.action):
            return False
        return self.before is None or _facts(row) != _facts(self.before)

    def shown(self, history: RowHistory) -> bool:
        """Return whether a row has shown that it was our action."""
        if history[-1].seen is None and self.order.action is Action.DELETE:
            return True
        return any(_shows(self.order, each.seen, self.before) for each in history)


@dataclass(frozen=True)
class StaysUp:
    """A job that came up, as the row `up` showed it, has run for its settle time, in seconds.

    It also holds where the job came to its own end, or somebody has begun another action on it.
    """

    up: ActionJob
    settle: float

    def judge(self, history: RowHistory) -> Judgement:
        """Judge by the last row; one without a known status is given some more time."""
        row, seconds = history[-1].seen, waited(history)
        if row is None:
            return Failed(described(None), self)
        if row.in_progress or row.action is not self.up.action:
            return Met()
        if self.up.job_id and row.job_id and row.job_id != self.up.job_id:
            return Failed(f"the job service started it again, as job {row.job_id}", self)
        if row.status is JobStatus.FINISHED:
            return Met()
        if row.status not in (None, JobStatus.RUNNING):
            return Failed(described(row), self)
        if seconds >= self.settle and row.status is not None:
            return Met()
        if seconds >= self.settle + SETTLES:
            return Failed(described(row), self)
        left = self.settle - seconds
        return NotYet(described(row), left if left > 0 else None)


def described(row: ActionJob | None) -> str:
    """Return what a row shows."""
    if row is None:
        return "it is not listed"
    words = [row.action or "no action", row.result or "no result"]
    return f"it shows {', '.join(words)}, and {row.status_word or 'no'} as its status"


#: The list no longer shows a row as it was, which is observed as None.
DIFFERS = Shown[ActionJob | None](lambda row: described(row) if row else "")


def succeeded(order: Order, row: ActionJob) -> bool:
    """Whether an action that has ended did what it should."""
    if row.result is not ActionResult.SUCCESS:
        return False
    if row.stop_failed and order.action not in _LEAVES_STATUS:
        return False
    if order.action in STARTS:
        return row.status in (JobStatus.RUNNING, JobStatus.FINISHED)
    return order.action is not Action.STOP or not row.active


def _shows(order: Order, row: ActionJob | None, old: ActionJob | None) -> bool:
    """Whether a row shows that our action has arrived: it is another than before.

    Its status is left out: that changes by itself.
    """
    if row is None or row.action is not order.action:
        return False
    return old is None or row.in_progress or _facts(row) != _facts(old)


def _facts(row: ActionJob) -> tuple[object, ...]:
    return (row.action, row.result, row.output, row.job_id, row.last_savepoint, row.version)


def _ended(action: Action, row: ActionJob, *, settled: bool, lags: bool) -> bool:
    """Whether a row shows that an action has ended, by result and status together.

    `lags` is whether the status of a failed stop may still be that of before.
    """
    if row.action is not action or row.result not in (ActionResult.SUCCESS, ActionResult.FAILED):
        return False
    if row.result is ActionResult.FAILED:
        return True
    if row.stop_failed and action not in _LEAVES_STATUS:
        return not lags
    if action in STARTS:
        # Not up yet, or still shown as it was before.
        coming = (None, JobStatus.STARTING, JobStatus.RESTARTING, JobStatus.STOPPED)
        return row.status not in coming
    if action is Action.STOP:
        return row.status is not None and not row.active
    if action is Action.CANCEL:  # the word that follows is documented nowhere
        return not row.active and (row.status is not None or settled)
    return action is not Action.DELETE
