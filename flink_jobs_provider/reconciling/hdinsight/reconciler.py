"""Bringing one job to what is wanted on a system that takes whole actions, and ending it for good.

Where it stands is read from the system each time: the job's row is found, an action in progress
on it is waited for, the next action is decided, ordered once, and waited for until the row shows
that it was ours and how it ended. Then all is judged anew, until nothing is left to do. So a run
that died anywhere is taken up by the next one.
"""

from __future__ import annotations

from collections.abc import Callable

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.action_plane import (
    ActionJob,
    ActionPlane,
    Order,
    OrderRefused,
    Version,
)
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, ActionInProgress
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec, OnDelete
from flink_jobs_provider.reconciling.hdinsight.action_runner import ActionOutcome, ActionRunner
from flink_jobs_provider.reconciling.hdinsight.change import ActionChange
from flink_jobs_provider.reconciling.hdinsight.transitions import kept
from flink_jobs_provider.reconciling.ownership import own_row
from flink_jobs_provider.reconciling.record_updates import seen
from flink_jobs_provider.reconciling.service_loop import changed, until_removed
from flink_jobs_provider.reconciling.version_marker import mark_of, read_mark
from flink_jobs_provider.reconciling.waiter import Clock
from flink_jobs_provider.wire.hdinsight import last_state_prefix

#: Reads of one refresh share a list that is at most this old, in seconds.
_SHARED_AGE = 15.0
#: The most turns of a change: an action in progress, DELETE, NEW, UPDATE, and some not taken.
_MOST_TURNS = 10


class ActionReconciler:
    """Carries out changes to the jobs of one cluster.

    Args:
        plane: The cluster.
        say: Called with a line for each step, while it happens.
        clock: Time and sleep.
    """

    def __init__(
        self,
        plane: ActionPlane,
        say: Callable[[str], None] = lambda _line: None,
        clock: Clock | None = None,
    ) -> None:
        self._plane = plane
        self._say = say
        self._runner = ActionRunner(plane, clock or Clock(), say)

    async def bring_about(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec.

        Raises:
            JobError: What happened, what runs now, and what to do.
        """

        def begin(spec: JobSpec) -> ActionChange:
            return ActionChange(self._plane, self._runner, self._say, recorded, spec, jar)

        return await changed(self._plane, recorded, wanted, begin, _MOST_TURNS, "action", self._say)

    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now; nothing is touched."""
        rows = await self._plane.jobs(max_age=_SHARED_AGE)
        row = own_row(rows, recorded, recorded.spec)
        return seen(recorded, row, row is not None and _is_other(row, recorded.spec))

    async def refresh_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same: what a start begins from shows at the start."""
        return await self.refresh(recorded)

    async def delete(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one."""
        return await Removal(self._plane, self._runner, self._say, recorded).carry_out()


def _is_other(row: ActionJob, spec: JobSpec) -> bool:
    """Whether a row is of another version than a spec, by its mark and what it shows."""
    mark = read_mark(row.version.mark)
    if mark.key and mark.spec != mark_of(spec).spec:
        return True
    asked = Version(
        entry_class=spec.entry_class,
        args=tuple(spec.args),
        parallelism=spec.parallelism,
        configuration=spec.flink_configuration,
    )
    return bool(kept(asked, row.version, None))


class Removal:
    """One call of `delete`.

    Where a gateway reports what state is left of a job that its cluster had lost, that is passed
    on: nothing else knows it when the row is gone.
    """

    def __init__(
        self,
        plane: ActionPlane,
        runner: ActionRunner,
        say: Callable[[str], None],
        recorded: JobRecord,
    ) -> None:
        self._plane = plane
        self._runner = runner
        self._say = say
        self._recorded = recorded
        self._spec = recorded.spec
        self._with_savepoint = recorded.spec.on_delete is OnDelete.SAVEPOINT
        self._path: str | None = None
        self._cancelled = False
        self._told = False

    async def carry_out(self) -> Removed:
        """End a job, and delete its row and its jars. May be called again.

        Raises:
            JobError: It is not gone.
        """
        return await until_removed(self._plane, self._spec, self._turn)

    async def _turn(self) -> Removed | None:
        rows = await self._plane.jobs()
        row = own_row(rows, self._recorded, self._spec)
        if row is None:
            return Removed(self._path, self._told)
        known = row.status is not None or row.never_came_up or self._cancelled
        if row.in_progress or not known:
            await self._runner.until_idle(row, self._spec)
            return None
        if row.status is JobStatus.STOPPED and self._with_savepoint:
            self._path = row.last_savepoint or self._path
        action = Action.DELETE
        if row.active:
            action = Action.STOP if self._with_savepoint else Action.CANCEL
        order = Order(action, self._spec.job_name, row.run_id)
        try:
            outcome = await self._runner.carry_out(order, rows, self._spec)
        except ActionInProgress:
            return None  # somebody was faster: wait for it, and look anew
        except OrderRefused as refusal:
            if own_row(await self._plane.jobs(), self._recorded, self._spec) is None:
                return None  # it has gone meanwhile
            raise self._refused(action, row, refusal) from None
        if outcome is not None:
            self._check(action, outcome)
        return None

    def _check(self, action: Action, outcome: ActionOutcome) -> None:
        """Raise where an action failed; pass on what the system reported of it."""
        if outcome.said.startswith(last_state_prefix(self._spec.job_name)):
            self._say(outcome.said)
            self._told = True
        self._cancelled = self._cancelled or action is Action.CANCEL
        if outcome.failure:
            status = (outcome.row and outcome.row.status_word) or "no longer listed"
            raise ActionFailed(
                f"{self._spec.job_name}: {action} failed: {outcome.failure}",
                now=f"The job is {status}; it was not deleted",
                remedy="Fix what failed, and run again",
            )

    def _refused(self, action: Action, row: ActionJob, refusal: OrderRefused) -> ActionFailed:
        return ActionFailed(
            f"{self._spec.job_name}: {action} was refused: {refusal.happened}",
            now=f"The job is {row.status_word}; it was not deleted",
            remedy="Fix what it names, and run again",
        )
