"""Jobs on a system that takes whole actions, and keeps its jobs by name."""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.service_planes import (
    ActionJob,
    ActionPlane,
    Order,
    OrderRefused,
    Version,
)
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, ActionInProgress, JobVanished
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.hdinsight.action_runner import ActionOutcome, ActionRunner
from flink_jobs_provider.reconciling.hdinsight.change import ActionChange
from flink_jobs_provider.reconciling.hdinsight.decisions import (
    is_without_stop,
    kept,
    newest_savepoint,
)
from flink_jobs_provider.reconciling.hdinsight.failures import SEE_STORAGE
from flink_jobs_provider.reconciling.job_errors import deleted_without_savepoint, order_refused
from flink_jobs_provider.reconciling.ownership import copies_of, mark_of, own_row, read_mark
from flink_jobs_provider.reconciling.record_updates import seen
from flink_jobs_provider.reconciling.service_loop import ServiceReconciler, Turn
from flink_jobs_provider.reconciling.waiter import Clock
from flink_jobs_provider.wire.hdinsight import last_state_prefix

#: Reads of one refresh share a list that is at most this old, in seconds.
_SHARED_AGE = 15.0


class ActionReconciler(ServiceReconciler[ActionPlane]):
    """Applies changes to the jobs of one cluster; each turn orders one action."""

    most_turns = 10  # an action in progress, DELETE, NEW, UPDATE, and some that are not accepted
    unit = "action"

    def __init__(
        self, plane: ActionPlane, say: Say = lambda _line: None, clock: Clock | None = None
    ) -> None:
        super().__init__(plane, say)
        self._runner = ActionRunner(plane, clock or Clock(), say)

    def _change(self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar) -> ActionChange:
        at_once, runner = self._plane.capabilities.lists_at_once, self._runner
        return ActionChange(
            self._plane, runner, self._say, recorded, wanted, jar, recorded, at_once
        )

    def _removal(self, recorded: JobRecord) -> Turn[Removed]:
        return _Removal(self._plane, self._runner, self._say, recorded).turn

    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now; nothing is touched."""
        rows = await self._plane.jobs(max_age=_SHARED_AGE)
        row = own_row(rows, recorded, recorded.spec)
        copies = copies_of(row, rows) if row else []
        other = row is not None and _is_other(row, recorded.spec)
        return seen(recorded, row, other_version=other, copies=copies)


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


_GIVES_UP = f"{SEE_STORAGE}. Run again: it is deleted then"


@dataclass
class _Removal:
    """One call of `delete`.

    Where a gateway reports what state is left of a job that its cluster had lost, that is passed
    on: nothing else knows it when the row is gone.
    """

    _plane: ActionPlane
    _runner: ActionRunner
    _say: Say
    _recorded: JobRecord
    _path: str | None = None
    _cancelled: bool = False
    _reported: bool = False
    _seen: bool = False
    _stopped: bool = False
    _waited: bool = False

    async def turn(self) -> Removed | None:
        """Do the next thing towards the deletion of the row; return what is left when it is gone.

        Raises:
            ActionFailed: It was refused, or has failed.
        """
        rows, spec = await self._plane.jobs(), self._recorded.spec
        with_savepoint = spec.on_delete is OnDelete.SAVEPOINT
        row = own_row(rows, self._recorded, spec)
        if row is None and not (self._seen or self._plane.capabilities.lists_at_once):
            self._seen = True
            await self._runner.let_lists_catch_up()  # one list is no proof that it is gone
            return None
        if row is None:
            return Removed(self._path, self._reported)
        self._seen = True
        known = row.status is not None or row.never_came_up or self._cancelled
        if row.in_progress or not known:
            await self._runner.until_idle(row, spec)
            return None
        if with_savepoint and row.status is JobStatus.STOPPED:
            its_own = self._stopped or not is_without_stop(row, self._recorded)
            if not (its_own or self._waited or self._plane.capabilities.lists_at_once):
                self._waited = True
                await self._runner.let_lists_catch_up()  # that of the stop may show later
                return None
            self._path = (row.last_savepoint if its_own else None) or self._path
        action = Action.DELETE
        if row.active:
            action = Action.STOP if with_savepoint else Action.CANCEL
        ended_by_itself = row.status in (JobStatus.FAILED, JobStatus.LOST)
        if action is Action.DELETE and self._path is None and (with_savepoint or ended_by_itself):
            self._report_no_savepoint(row)
        order = Order(action, spec.job_name, row.run_id)
        try:
            outcome = await self._runner.execute(order, rows, spec)
        except (ActionInProgress, JobVanished):
            return None  # somebody was faster: wait for it, and observe again
        except OrderRefused as refusal:
            if own_row(await self._plane.jobs(), self._recorded, spec) != row:
                return None  # it has gone meanwhile, or is another than it was
            now = f"The job is {row.status_word}; it was not deleted"
            raise order_refused(spec.job_name, action, refusal, now) from None
        if outcome is not None:
            self._check(action, outcome)
            self._stopped = self._stopped or action is Action.STOP
        return None

    def _report_no_savepoint(self, row: ActionJob) -> None:
        """Report that none can be taken, and the last one; a gateway reports that by itself."""
        if self._reported or self._plane.capabilities.shows_whole_results:
            return
        self._reported = True
        last = newest_savepoint(row, self._recorded)
        spec = self._recorded.spec
        self._say(deleted_without_savepoint(spec.job_name, row.status_word, last))

    def _check(self, action: Action, outcome: ActionOutcome) -> None:
        """Raise where an action failed; pass on what the system reported of it."""
        if outcome.said.startswith(last_state_prefix(self._recorded.spec.job_name)):
            self._say(outcome.said)
            self._reported = True
        self._cancelled = self._cancelled or action is Action.CANCEL
        if outcome.failure:
            status = (outcome.row and outcome.row.status_word) or "no longer listed"
            raise ActionFailed(
                f"{self._recorded.spec.job_name}: {action} failed: {outcome.failure}",
                now=f"The job is {status}; it was not deleted",
                remedy=_GIVES_UP if outcome.unsaved else "Fix what failed, and run again",
            )
