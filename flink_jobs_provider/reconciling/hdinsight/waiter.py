"""Waiting until an action has really ended: the job's own row says so, and shows that it is ours.

Done means: the row names our action, with a result, and a status that fits. The row may be
missing just after NEW, lack its status for a while, show the action before ours, or a word that
nobody knows: all that is waited on, and never taken for done, or for gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flink_jobs_provider.control_planes.action_plane import (
    ActionJob,
    ActionPlane,
    Order,
    Unanswered,
)
from flink_jobs_provider.model.action import STARTS, Action, ActionResult, JobStatus
from flink_jobs_provider.model.errors import (
    ActionInProgress,
    DeadlineExceeded,
    PermanentError,
)
from flink_jobs_provider.reconciling.waiting import (
    LONGEST_PAUSE,
    Clock,
    Pauses,
    once_reachable,
)

#: How long a row that looks as before our action is taken for one that is not up to date.
_SETTLES = 30.0
#: How long an order whose answer was lost is given to show in the list.
_ARRIVES = 60.0


@dataclass(frozen=True)
class Ending:
    """How a job is when an action on it has ended.

    Attributes:
        row: Its row; none where it is no longer listed.
        shown: Whether the row shows that it was our action.
    """

    row: ActionJob | None
    shown: bool


class ActionWaiter:
    """Polls the list of jobs until an action has ended."""

    def __init__(self, plane: ActionPlane, clock: Clock) -> None:
        self._plane = plane
        self._clock = clock

    async def until_done(
        self,
        order: Order,
        before: Sequence[ActionJob],
        sent: float,
        timeout: float,
        arrived: bool,
        failed: bool = False,
    ) -> Ending:
        """Return how the row is when the action that was ordered has ended.

        Args:
            order: What was ordered.
            before: The list as it was before.
            sent: When it was sent, by the clock.
            timeout: Seconds that it may take.
            arrived: Whether the order is known to have arrived.
            failed: Whether the system has said beside the row that it failed: a row that shows
                nothing of it is not waited for long.

        Raises:
            Unanswered: It does not show, so it may never have arrived.
            DeadlineExceeded: It has not ended yet.
        """
        began = self._clock.now()
        old = next((job for job in before if job.run_id == order.run_id), None)
        known = {job.run_id for job in before}
        pauses, seen = Pauses.of_service(self._clock), False
        while True:
            waited = self._clock.now() - began
            row = _row(await self._look(sent + timeout), order, known)
            seen = seen or _shows(order, row, old)
            settled = arrived and waited >= _SETTLES
            if row is None and order.action is Action.DELETE:
                return Ending(None, True)
            ended = row is not None and _ended(order.action, row, settled)
            # The same failure once more may look as the one before; a success never does.
            if ended and (seen or (settled and row and not succeeded(order, row))):
                return Ending(row, seen)
            if failed and settled and not seen:
                return Ending(row, False)
            if not arrived and not seen and waited >= min(_ARRIVES, timeout):
                raise Unanswered(
                    f"{order.job_name}: the answer to {order.action} was lost, and the list of "
                    "jobs does not show that it arrived",
                    now="Nobody knows whether it is still to be carried out",
                    remedy="Run again a little later: it goes on from what it finds then",
                )
            if self._clock.now() - sent >= timeout:
                raise DeadlineExceeded(
                    f"{order.job_name}: {order.action} has not ended in {timeout:.0f} s: "
                    f"{described(row)}",
                    now="It may go on, on the cluster; nothing else was begun",
                    remedy="Run again to wait for it, or raise timeouts",
                )
            await pauses.take()

    async def until_idle(self, row: ActionJob, timeout: float) -> None:
        """Return when no action is in progress on a job, and its status is a known one.

        Raises:
            ActionInProgress: One still is.
            DeadlineExceeded: Its status is still a word that nobody knows.
        """
        began, pauses = self._clock.now(), Pauses.of_service(self._clock)
        while True:
            rows = await self._look(began + timeout)
            found = next((job for job in rows if job.run_id == row.run_id), None)
            if found is None or (not found.in_progress and found.status is not None):
                return
            if self._clock.now() - began >= timeout:
                if found.in_progress:
                    raise ActionInProgress(
                        f"{row.job_name}: {found.action or 'another action'} on it has not ended "
                        f"in {timeout:.0f} s",
                        now="It goes on, on the cluster; nothing else was begun",
                        remedy="Run again when it has ended",
                    )
                raise DeadlineExceeded(
                    f"{row.job_name}: nobody knows what it does: {described(found)}",
                    now="Nothing was changed",
                    remedy="Run again later; or look after it by hand",
                )
            await pauses.take()

    async def until_other(self, row: ActionJob) -> bool:
        """Wait a while for a row to show something else; return whether it has."""
        began, pauses = self._clock.now(), Pauses.of_service(self._clock)
        while self._clock.now() - began < _SETTLES:
            if row not in await self._look(began + _SETTLES):
                return True
            await pauses.take()
        return False

    async def until_settled(self, row: ActionJob, settle: float) -> tuple[ActionJob | None, str]:
        """Watch a job that came up for its settle time.

        Returns:
            Its row as it is then, and why it did not stay up; an empty text where it did, came to
            its own end, or somebody has begun another action on it.
        """
        began, pauses, found = self._clock.now(), Pauses.of_service(self._clock), row
        while True:
            waited = self._clock.now() - began
            if waited >= settle and (found.status is not None or waited >= settle + _SETTLES):
                return found, "" if succeeded_now(found) else described(found)
            await pauses.take(settle - waited if waited < settle else _SETTLES)
            rows = await self._look(began + settle + _SETTLES)
            now = next((job for job in rows if job.run_id == row.run_id), None)
            if now is None:
                return None, described(None)
            found = now
            if found.in_progress or found.action is not row.action:
                return found, ""
            if found.job_id != row.job_id:
                return found, f"the job service started it again, as job {found.job_id}"
            if found.status is JobStatus.FINISHED:
                return found, ""
            if found.status not in (None, JobStatus.RUNNING):
                return found, described(found)

    async def _look(self, deadline: float) -> Sequence[ActionJob]:
        """Read the list; a service that does not answer for a while is waited for."""
        return await once_reachable(self._plane.jobs, deadline, self._clock, LONGEST_PAUSE)


def described(row: ActionJob | None) -> str:
    """Say what a row shows."""
    if row is None:
        return "it is not listed"
    words = [row.action or "no action", row.result or "no result"]
    return f"it shows {', '.join(words)}, and {row.status_word or 'no'} as its status"


def succeeded(order: Order, row: ActionJob) -> bool:
    """Whether an action that has ended did what it should."""
    if row.result is not ActionResult.SUCCESS or row.stop_failed:
        return False
    if order.action in STARTS:
        return succeeded_now(row)
    return order.action is not Action.STOP or not row.active


def succeeded_now(row: ActionJob) -> bool:
    """Whether a row shows a version that is up, or came to its own end."""
    return row.status in (JobStatus.RUNNING, JobStatus.FINISHED)


def _row(rows: Sequence[ActionJob], order: Order, known: set[str]) -> ActionJob | None:
    if order.run_id:
        return next((row for row in rows if row.run_id == order.run_id), None)
    fresh = [row for row in rows if row.job_name == order.job_name and row.run_id not in known]
    if len(fresh) > 1:
        raise PermanentError(
            f"{order.job_name}: {len(fresh)} jobs of this name came up at once: "
            f"{'; '.join(map(str, fresh))}",
            now="All of them were left as they are",
            remedy="Is somebody else creating it? Delete all but one, and run again",
        )
    return fresh[0] if fresh else None


def _shows(order: Order, row: ActionJob | None, old: ActionJob | None) -> bool:
    """Whether a row shows that our action has arrived: it is another than before.

    Its status is left out: that changes by itself.
    """
    if row is None or row.action is not order.action:
        return False
    return old is None or row.in_progress or _facts(row) != _facts(old)


def _facts(row: ActionJob) -> tuple[object, ...]:
    return (row.action, row.result, row.output, row.job_id, row.last_savepoint, row.version)


def _ended(action: Action, row: ActionJob, settled: bool) -> bool:
    """Whether a row says that an action has ended, by result and status together."""
    if row.action is not action or row.result not in (ActionResult.SUCCESS, ActionResult.FAILED):
        return False
    if row.result is ActionResult.FAILED or row.stop_failed:
        return True
    if action in STARTS:
        # Not up yet, or still shown as it was before.
        coming = (None, JobStatus.STARTING, JobStatus.RESTARTING, JobStatus.STOPPED)
        return row.status not in coming
    if action is Action.STOP:
        return row.status is not None and not row.active
    if action is Action.CANCEL:  # the word that follows is documented nowhere
        return not row.active and (row.status is not None or settled)
    return action is not Action.DELETE
