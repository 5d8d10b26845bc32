"""Carrying out one order: sent once, waited for until the job's own row shows how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flink_jobs_provider.control_planes.action_plane import (
    ActionJob,
    ActionPlane,
    Busy,
    Order,
    Unanswered,
)
from flink_jobs_provider.model.action import STARTS, Action
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.hdinsight.waiter import (
    ActionWaiter,
    described,
    succeeded,
)
from flink_jobs_provider.reconciling.settling import did_not_stay_up
from flink_jobs_provider.reconciling.waiting import Clock

#: The steps of `Timeouts` that each action takes.
_STEPS: dict[Action, tuple[str, ...]] = {
    Action.NEW: ("submit", "running"),
    Action.START: ("submit", "running"),
    Action.RE_LAUNCH: ("submit", "running"),
    Action.UPDATE: ("savepoint", "cancel", "submit", "running"),
    Action.LAST_STATE_UPDATE: ("cancel", "submit", "running"),
    Action.STATELESS_UPDATE: ("cancel", "submit", "running"),
    Action.STOP: ("savepoint", "cancel"),
    Action.SAVEPOINT: ("savepoint",),
    Action.LIST_SAVEPOINT: ("submit",),
    Action.CANCEL: ("cancel",),
    Action.DELETE: ("cancel",),
}
#: How long a system that takes no orders for now is left alone, where it does not say.
_BUSY = 5.0
#: How long a job whose NEW was accepted may be missing from the list, as a rule.
_LAGS = 15.0


@dataclass(frozen=True)
class Outcome:
    """How an order ended.

    Attributes:
        row: The job afterwards; none where it is no longer listed.
        failure: Why it failed; empty where it did not.
        said: What the system said of it besides its row; empty for nothing.
    """

    row: ActionJob | None
    failure: str = ""
    said: str = ""


class Orders:
    """Sends orders, and waits for their ends."""

    def __init__(self, plane: ActionPlane, clock: Clock, say: Callable[[str], None]) -> None:
        self._plane = plane
        self._clock = clock
        self._say = say
        self._waiter = ActionWaiter(plane, clock)

    async def until_idle(self, row: ActionJob, spec: JobSpec) -> None:
        """Wait for an action that somebody began, or for a status that is known."""
        action = row.action or Action.NEW
        if row.in_progress:
            self._say(f"{spec.job_name}: waiting for {action}, which is in progress on it")
        await self._waiter.until_idle(row, allowed(action, spec))

    async def let_lists_catch_up(self) -> None:
        """Wait as long as a list may lag behind what was accepted before."""
        await self._clock.sleep(_LAGS)

    async def until_shown(self, row: ActionJob, spec: JobSpec) -> bool:
        """Wait for a row that does not show yet what it is; return whether it was waited for."""
        if row.in_progress:
            await self.until_idle(row, spec)
            return True
        return row.version.jar is None and await self._waiter.until_other(row)

    async def carry_out(
        self, order: Order, before: Sequence[ActionJob], spec: JobSpec
    ) -> Outcome | None:
        """Send an order and wait for its end; none where it was not taken for now, so look again.

        Raises:
            ActionInProgress: Another action began meanwhile.
            OrderRefused: It was not taken.
            Unanswered: Nobody knows whether it was.
            DeadlineExceeded: It has not ended in time.
        """
        origin = f" from {order.restore_from}" if order.restore_from else ""
        self._say(f"{order.job_name}: {order.action}{origin}")
        timeout, arrived, failure, said = allowed(order.action, spec), True, "", ""
        sent = self._clock.now()
        try:
            said = await self._plane.perform(order, timeout)
        except Unanswered:
            arrived = False
        except Busy as busy:
            if busy.seconds is not None and busy.seconds > timeout:
                raise
            await self._clock.sleep(_BUSY if busy.seconds is None else busy.seconds)
            return None
        except ActionFailed as error:
            failure = error.happened
        ending = await self._waiter.until_done(
            order, before, sent, timeout, arrived, failed=bool(failure)
        )
        row = ending.row
        if not ending.shown and failure:
            return Outcome(row, failure)
        if row is not None and not succeeded(order, row):
            return Outcome(row, failure or row.output or described(row))
        if row is not None and order.action in STARTS:
            return await self._settled(order, row, spec)
        return Outcome(row, said=said)  # the row counts, whatever else was said

    async def stays_up(self, row: ActionJob, spec: JobSpec) -> str:
        """Watch a job for its settle time; return why it did not stay up, empty where it did."""
        return (await self._waiter.until_settled(row, spec.settle_seconds))[1]

    async def _settled(self, order: Order, row: ActionJob, spec: JobSpec) -> Outcome:
        """Watch what was started; one that does not stay up is cancelled, where it still runs."""
        settle = spec.settle_seconds
        found, why = await self._waiter.until_settled(row, settle)
        if not why:
            return Outcome(found)
        why = did_not_stay_up(settle, why)
        if found is None or not found.active or Action.CANCEL not in self._plane.actions:
            return Outcome(found, why)
        cancel = Order(Action.CANCEL, order.job_name, found.run_id)
        ended = await self.carry_out(cancel, await self._plane.jobs(), spec)
        return Outcome(ended.row if ended else found, why)


def allowed(action: Action, spec: JobSpec) -> float:
    """Return the seconds that an action may take."""
    return sum(spec.timeout(step) for step in _STEPS[action])
