"""One order: sent once, and waited for until the job's own row shows how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flink_jobs_provider.control_planes.service_planes import (
    ActionJob,
    ActionPlane,
    Busy,
    Order,
    Unanswered,
)
from flink_jobs_provider.model.action import STARTS, Action
from flink_jobs_provider.model.errors import (
    ActionFailed,
    ActionInProgress,
    DeadlineExceeded,
    EngineGone,
    JobError,
    JobVanished,
    PermanentError,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import Observation
from flink_jobs_provider.reconciling.hdinsight.action_watch import (
    DIFFERS,
    ActionEnded,
    StaysUp,
    described,
    succeeded,
)
from flink_jobs_provider.reconciling.job_errors import (
    ENDED_BY_OTHERS,
    did_not_stay_up,
    timeouts_of,
)
from flink_jobs_provider.reconciling.service_loop import AWAY_PAUSE, SETTLES, BusyRest, until_idle
from flink_jobs_provider.reconciling.waiter import Clock, Waiter, service_backoff

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
#: How long a job whose NEW was accepted may be missing from the list, as a rule.
_LAGS = 15.0


@dataclass(frozen=True)
class ActionOutcome:
    """How an order ended.

    Attributes:
        row: The job afterwards; None where it is no longer listed.
        failure: Why it failed; empty where it did not.
        unsaved: Whether it succeeded, but for the savepoint that it should have taken.
        said: What the system reported of it besides its row; empty for nothing.
    """

    row: ActionJob | None
    failure: str = ""
    said: str = ""
    unsaved: bool = False


class ActionRunner:
    """Sends orders, and waits for their ends."""

    def __init__(self, plane: ActionPlane, clock: Clock, say: Say) -> None:
        self._plane = plane
        self._clock = clock
        self._say = say
        self._waiter = Waiter(clock, say)
        self._rest = BusyRest()

    async def until_idle(self, row: ActionJob, spec: JobSpec) -> None:
        """Wait for an action that somebody began, or for a status that is known."""
        action = row.action or Action.NEW
        if row.in_progress:
            self._say(f"{spec.job_name}: waiting for {action}, which is in progress on it")
        await until_idle(
            self._waiter,
            lambda deadline: self._row(row.run_id, deadline),
            allowed(action, spec),
            spec.job_name,
            going_on=lambda found: f"{found.action or 'another action'} on it",
            described=described,
        )

    async def let_lists_catch_up(self) -> None:
        """Wait as long as a list may lag behind what was accepted before."""
        await self._clock.sleep(_LAGS)

    async def until_shown(self, row: ActionJob, spec: JobSpec) -> bool:
        """Wait for a row that does not show yet what it is; return whether it was waited for."""
        if row.in_progress:
            await self.until_idle(row, spec)
            return True
        return row.version.jar is None and await self._until_other(row)

    async def execute(
        self, order: Order, before: Sequence[ActionJob], spec: JobSpec
    ) -> ActionOutcome | None:
        """Send an order and wait for its end; None where it was not accepted for now.

        Raises:
            ActionInProgress: Another action began meanwhile.
            OrderRefused: It was not taken.
            Unanswered: It is unknown whether it was.
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
            await self._clock.sleep(self._rest.after(busy))
            return None
        except ActionFailed as error:
            failure = error.happened
        old = next((job for job in before if job.run_id == order.run_id), None)
        in_parts = not self._plane.capabilities.shows_whole_results
        ended = ActionEnded(order, old, timeout, arrived, bool(failure), in_parts)
        try:
            row, shown = await self._until_ended(ended, {job.run_id for job in before}, sent)
        except JobError as error:
            error.complete(now=_may_go_on(order, arrived=arrived))
            raise
        if failure and not shown:
            return ActionOutcome(row, failure)
        if row is not None and not succeeded(order, row):
            return ActionOutcome(row, failure or row.output or described(row))
        if row and in_parts and order.action not in STARTS and ended.lacks_savepoint(row):
            return ActionOutcome(row, _UNSAVED, unsaved=True)
        if row is not None and order.action in STARTS:
            return await self._settled(order, row, spec)
        return ActionOutcome(row, said=said)  # the row counts, whatever else was said

    async def stays_up(self, row: ActionJob, spec: JobSpec) -> str:
        """Watch a job for its settle time; return why it did not stay up, empty where it did."""
        return (await self._until_settled(row, spec))[1]

    async def _settled(self, order: Order, row: ActionJob, spec: JobSpec) -> ActionOutcome:
        """Watch what was started; one that does not stay up is cancelled, where it still runs."""
        found, why = await self._until_settled(row, spec)
        if not why:
            others = found is not None and found.action in (Action.STOP, Action.CANCEL)
            if found is not None and others and not found.active:
                self._say(f"{order.job_name}: {ENDED_BY_OTHERS}")
            return ActionOutcome(found)
        why = did_not_stay_up(spec.settle_seconds, why)
        if (
            found is None
            or not found.active
            or Action.CANCEL not in self._plane.capabilities.actions
        ):
            return ActionOutcome(found, why)
        cancel = Order(Action.CANCEL, order.job_name, found.run_id)
        try:
            ended = await self.execute(cancel, await self._plane.jobs(), spec)
        except EngineGone:
            raise
        except JobError as error:  # of the cancel, and not of what was started
            return ActionOutcome(found, f"{why}; it could not be cancelled: {error.reason}")
        if ended is None or (ended.row is not None and ended.row.active):
            why += "; it could not be cancelled"
        return ActionOutcome(ended.row if ended else found, why)

    # Waiting

    async def _until_ended(
        self, ended: ActionEnded, known: set[str], sent: float
    ) -> tuple[ActionJob | None, bool]:
        """Return the row when the action that was ordered has ended, and whether it shows that.

        `known` are the ids of the rows that were there before it was sent.

        Raises:
            Unanswered: It does not show, so it may never have arrived.
            ActionInProgress: Another action was begun since.
            JobVanished: The job is no longer listed.
            DeadlineExceeded: It has not ended yet.
        """
        order, timeout = ended.order, ended.timeout

        async def observe(deadline: float) -> ActionJob | None:
            return _own(await self._list(deadline), order, known)

        waited = await self._waiter.until(
            observe,
            ended,
            sent + timeout - self._clock.now(),
            backoff=service_backoff(),
            about=order.job_name,
        )
        if waited.failed and ended.arrived and waited.last is not None:
            raise ActionInProgress(
                f"{order.job_name}: {order.action} was accepted, and {waited.reason}",
                now=described(waited.last).capitalize(),
                remedy="Run again to go on from there",
            )
        if waited.failed and ended.arrived:
            raise JobVanished(
                f"{order.job_name}: {order.action} was accepted, and {waited.reason}",
                now="Nothing else was begun",
                remedy="Run again: it goes on from the job's last savepoint, if there is one",
            )
        if waited.failed:
            raise Unanswered(
                f"{order.job_name}: the answer to {order.action} was lost, and {waited.reason}",
                now="It is unknown whether it is still to be carried out",
                remedy="Run again a little later: it goes on from what it finds then",
            )
        if not waited.met:
            raise DeadlineExceeded(
                f"{order.job_name}: {order.action} has not ended in {timeout:.0f} s: "
                f"{waited.reason}",
                now="It may go on, on the cluster; nothing else was begun",
                remedy=f"Run again to wait for it, or raise {timeouts_of(*_STEPS[order.action])}",
            )
        return waited.last, ended.shown(waited.history)

    async def _until_settled(self, row: ActionJob, spec: JobSpec) -> tuple[ActionJob | None, str]:
        """Watch a job that came up for its settle time; return its row, and why it did not stay up.

        The reason is empty where it did, came to its own end, or somebody has begun another action
        on it.
        """
        now, settle = self._clock.now(), spec.settle_seconds
        try:
            waited = await self._waiter.until(
                lambda deadline: self._row(row.run_id, deadline),
                StaysUp(row, settle),
                settle + SETTLES,
                backoff=service_backoff(),
                first=[Observation[ActionJob | None](row, now, now)],
                about=spec.job_name,
            )
        except JobError as error:
            job = row.job_id or row.run_id
            error.complete(now=f"Job {job} came up; whether it has stayed up is unknown")
            raise
        return waited.last, waited.reason

    async def _until_other(self, row: ActionJob) -> bool:
        """Wait a while for a row to show something else; return whether it has."""

        async def observe(deadline: float) -> ActionJob | None:
            return row if row in await self._list(deadline) else None

        waited = await self._waiter.until(observe, DIFFERS, SETTLES, backoff=service_backoff())
        return waited.met

    async def _row(self, run_id: str, deadline: float) -> ActionJob | None:
        rows = await self._list(deadline)
        return next((job for job in rows if job.run_id == run_id), None)

    async def _list(self, deadline: float) -> Sequence[ActionJob]:
        """Read the list; a service that does not answer for a while is waited for."""
        return await self._waiter.reach(self._plane.jobs, deadline, AWAY_PAUSE)


def _own(rows: Sequence[ActionJob], order: Order, known: set[str]) -> ActionJob | None:
    """Return the row that an order is about; None where it is not listed.

    Raises:
        PermanentError: It was NEW, and several rows of its name came up since.
    """
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


_UNSAVED = "it was reported as successful, and the job service shows no savepoint of it"


def _may_go_on(order: Order, *, arrived: bool) -> str:
    """Return how a job is of which it was not seen how an order ended."""
    how = "was accepted, and may go on" if arrived else "was sent, and may be carried out"
    return f"{order.action} {how}, on the cluster; nothing else was begun"


def allowed(action: Action, spec: JobSpec) -> float:
    """Return the seconds that an action may take."""
    return sum(spec.timeout(step) for step in _STEPS[action])
