"""One change of a job, turn by turn: observe, decide, order, record; and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.service_planes import (
    ActionJob,
    ActionPlane,
    Order,
    OrderRefused,
    Version,
)
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionInProgress, JobError, StateUnavailable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.hdinsight.action_runner import ActionRunner
from flink_jobs_provider.reconciling.hdinsight.decisions import (
    NextAction,
    RowMatch,
    could_be_ours,
    decide,
    is_without_stop,
    judge,
    kept,
    renewal,
)
from flink_jobs_provider.reconciling.hdinsight.failures import (
    failed,
    not_taken_over,
    refused,
    several_run,
)
from flink_jobs_provider.reconciling.job_errors import (
    RUNS_AGAIN,
    adopted_and_down,
    neither_started,
    refuse_stranger,
)
from flink_jobs_provider.reconciling.ownership import (
    asks_for_its_savepoint,
    copies_of,
    goes_on_as_recorded,
    mark_of,
    own_row,
    run_of,
    stranger,
)
from flink_jobs_provider.reconciling.record_updates import (
    add_aside,
    blank,
    done,
    ended,
    knows,
    last_known,
    savepoint_output,
    started,
    stopped,
    with_row,
    with_savepoint_of,
)
from flink_jobs_provider.reconciling.service_loop import reporting_end, secure_in_storage

_OWN_STATE = (Action.UPDATE, Action.START, Action.RE_LAUNCH)


@dataclass
class ActionChange:
    """One call of `bring_about`."""

    _plane: ActionPlane
    _runner: ActionRunner
    _say: Say
    _recorded: JobRecord | None
    _wanted: JobSpec
    _jar: Jar
    _base: JobRecord | None  # what is recorded, with what was found and done on the way
    _listed_twice: bool
    _asked: Version | None = None
    _started: bool = False
    _deleted: bool = False

    async def turn(self) -> JobRecord | None:
        """Observe, and do what is next; return the record when nothing is left to do."""
        try:
            return await self._turn()
        except JobError as error:
            error.complete(now=self.standing)
            raise

    @property
    def standing(self) -> str:
        """How the job stands, for an error that does not report it; empty where it is untouched."""
        if not self._deleted or self._base is None:
            return ""
        state = last_known(self._base, self._base.last_savepoint)
        return f"Its row was deleted, to be created anew, and none is known to run; {state}"

    async def _turn(self) -> JobRecord | None:
        rows = await self._plane.jobs()
        row = self._own(rows)
        if other := stranger(rows, row, self._wanted):
            row = await self._adoptable(other)
            if row is None:
                return None
        if row is not None and await self._waited_for(row):
            return None
        if row is not None and self._base is not None:
            self._base = with_savepoint_of(self._base, row, SavepointReason.FOUND)
        verdict = RowMatch(wanted=False, named=None)
        if self._wanted.desired_state is DesiredState.RUNNING:
            asked, truthful = await self._version(), self._plane.capabilities.shows_what_runs
            verdict = judge(row, self._base, self._wanted, asked, shows_what_runs=truthful)
        step = decide(row, self._base, self._wanted, verdict, self._plane.capabilities)
        if step and step.action is Action.DELETE and row and not row.never_came_up:
            self._check_durable(row, verdict)
        if step is None and row is not None and not self._started:
            asked_for = asks_for_its_savepoint(self._recorded, self._wanted)
            step = NextAction(Action.SAVEPOINT) if asked_for else None
        if row is None and self._lists_again(step):
            self._listed_twice = True  # that of a run that died may not be listed yet
            await self._runner.let_lists_catch_up()
            return None
        if step is None:
            return await self._settled(row)
        try:
            return await self._perform(step, verdict, rows, row)
        except ActionInProgress:
            if row is None:  # such as a killed run's NEW that was still on its way
                await self._runner.let_lists_catch_up()
            return None  # somebody was faster: wait for it, and judge again

    def _lists_again(self, step: NextAction | None) -> bool:
        """Whether a job that is not listed may only not be listed yet."""
        runs = self._recorded is not None and self._recorded.status.active
        acts = step.action is Action.NEW if step else runs  # else it is taken for ended
        return acts and not self._listed_twice

    async def _waited_for(self, row: ActionJob) -> bool:
        """Wait for what a row is yet to show; return whether there was anything."""
        if row.in_progress or (row.status is None and not row.never_came_up):
            await self._runner.until_idle(row, self._wanted)
            return True
        ran = self._recorded is not None and self._recorded.status.active
        if self._listed_twice or not (ran and is_without_stop(row, self._recorded)):
            return False
        self._listed_twice = True  # a stop by a run that died may show its savepoint later
        await self._runner.let_lists_catch_up()
        return True

    def _own(self, rows: Sequence[ActionJob]) -> ActionJob | None:
        """Return the job's own row.

        Raises:
            PermanentError: It is not alone.
        """
        row = own_row(rows, self._base, self._wanted)
        if row is not None and (copies := copies_of(row, rows)):
            raise several_run(self._wanted, [row, *copies])
        return row

    async def _adoptable(self, other: ActionJob) -> ActionJob | None:
        """Return a row of this name that nobody has marked, if it is just what is wanted.

        One that shows next to nothing may be ours, begun by a run that died: it is waited for.

        Raises:
            OwnedElsewhere: It is not ours.
        """
        if other.version.mark == "" and await self._runner.until_shown(other, self._wanted):
            return None
        stays = self._wanted.desired_state is DesiredState.STOPPED
        if other.version.mark or other.version.jar is None or stays:
            raise refuse_stranger(other, self._wanted)
        if kept(await self._version(), other.version, None):
            raise refuse_stranger(other, self._wanted)
        if not could_be_ours(other, self._base, self._wanted):
            raise refuse_stranger(other, self._wanted)
        return other

    async def _version(self) -> Version:
        if self._asked is None:
            self._asked = await self._plane.version(self._wanted, self._jar, "")
        return self._asked

    def _check_durable(self, row: ActionJob, verdict: RowMatch) -> None:
        """Raise where a row that is to be deleted is all that knows the job's state."""
        if verdict.named is None and self._wanted.upgrade_mode is UpgradeMode.STATELESS:
            return
        renewal(row, self._recorded, self._wanted, verdict)

    # Nothing is left to do

    async def _settled(self, row: ActionJob | None) -> JobRecord:
        if row is None or self._wanted.desired_state is DesiredState.STOPPED:
            return self._ended(row)
        base = self._base
        if base and self._started:
            return with_row(base, row)
        same_run = self._recorded is not None and self._recorded.job_id == row.job_id
        if base and goes_on_as_recorded(row, self._recorded, same_run=same_run):
            update = {"spec": self._wanted, "duplicates": []}
            return with_row(base, row).model_copy(update=update)
        return await self._adopted(row)

    def _ended(self, row: ActionJob | None) -> JobRecord:
        saved = row is not None and row.status is JobStatus.STOPPED
        saved = saved and row is not None and not is_without_stop(row, self._recorded)
        return reporting_end(ended(self._base, self._wanted, row, saved=saved), self._say)

    async def _adopted(self, row: ActionJob) -> JobRecord:
        """Take over the wanted version, which a run that died has started.

        Raises:
            ActionFailed: It does not stay up.
        """
        self._say(f"{self._wanted.job_name}: it was started before, adopted")
        if why := await self._runner.stays_up(row, self._wanted):
            raise adopted_and_down(self._wanted.job_name, self._wanted.settle_seconds, why)
        action = row.action
        if action not in (Action.NEW, Action.STATELESS_UPDATE, Action.LAST_STATE_UPDATE):
            action = Action.UPDATE if self._recorded else Action.NEW
            if self._recorded and self._recorded.spec.desired_state is DesiredState.STOPPED:
                action = Action.START
        origin: str | None = None
        if newly_restores(self._recorded, self._wanted):
            origin = self._wanted.restore_from
        elif action is Action.UPDATE and row.action is Action.UPDATE and self._recorded:
            origin = row.last_savepoint if self._is_of_last_update(row) else None
        elif action in _OWN_STATE or (action is Action.NEW and self._recorded):
            known = self._base.last_savepoint if self._base else None
            origin = row.last_savepoint or known
        return started(self._base, self._wanted, row, action, row.started_from or origin)

    def _is_of_last_update(self, row: ActionJob) -> bool:
        """Whether a row's savepoint is that of its last UPDATE, by a run that died."""
        recorded, path = self._recorded, row.last_savepoint
        if recorded is None or not knows(recorded, path):
            return True
        return row.job_id == recorded.job_id and same_path(recorded.restored_from, path)

    # Something is to be done

    async def _perform(
        self, step: NextAction, verdict: RowMatch, rows: Sequence[ActionJob], row: ActionJob | None
    ) -> JobRecord | None:
        order = await self._order(step, verdict, row)
        if step.action is Action.UPDATE and row is not None:
            await self._secure_way_back(row)
        try:
            outcome = await self._runner.execute(order, rows, self._wanted)
        except OrderRefused as refusal:
            now = own_row(await self._plane.jobs(), self._base, self._wanted)
            if now is not None and now != row:
                return None  # somebody was faster, such as a killed run: judge again
            instead = self._instead(step, verdict, row)
            if instead is None or now is None:
                raise refused(order, now, refusal, self._base) from None
            return await self._perform(instead, verdict, rows, row)
        if outcome is None:
            return None
        if outcome.failure:
            if step.action is Action.START and not order.version and not verdict.wanted:
                return None  # the previous version does not come up; the wanted one may
            went_back = await self._go_back(order, row, outcome.row)
            raise failed(order, outcome, went_back, self._base)
        if outcome.row is None or step.action is Action.DELETE:
            self._deleted = self._deleted or step.action is Action.DELETE
            return None
        record = self._recorded_of(step, verdict, order, row, outcome.row)
        if record and row and step.action is Action.UPDATE and order.restore_from:
            record = self._base = await self._with_given_up(record, row, outcome.row)
        return record

    async def _secure_way_back(self, row: ActionJob) -> None:
        """Make sure that the version that runs could be started again, before it is stopped.

        Raises:
            PermanentError: Its jar is certainly gone; it goes on.
        """
        shown, plane = row.version.jar, self._plane
        if not row.active or shown is None or not row.version.is_complete:
            return
        now = f"Job {row.job_id or row.run_id} goes on as it was"
        await secure_in_storage(
            self._recorded, lambda previous: plane.provide_former(previous, shown), now, self._say
        )

    async def _go_back(self, failed: Order, before: ActionJob | None, row: ActionJob | None) -> str:
        """Start the previous version from the savepoint that the failed update took.

        It returns what runs now, in a sentence; empty where there is nothing to go back to.
        """
        if row is None or row.active:
            return ""
        taken = row.last_savepoint
        if before is None or not before.active or failed.action is not Action.UPDATE:
            return ""
        if not taken or taken == before.last_savepoint or not before.version.is_complete:
            return ""
        action = Action.START if row.status is JobStatus.STOPPED else Action.RE_LAUNCH
        if action not in self._plane.capabilities.actions:
            return ""
        order = Order(action, self._wanted.job_name, row.run_id, before.version, taken)
        try:
            outcome = await self._runner.execute(order, await self._plane.jobs(), self._wanted)
        except JobError as error:
            return neither_started(error.happened, last_known(self._base, taken))
        if outcome is None or outcome.row is None or outcome.failure:
            why = outcome.failure if outcome else "no order is taken now"
            return neither_started(why, last_known(self._base, taken))
        return f"{RUNS_AGAIN} as job {outcome.row.job_id}, from {taken}"

    async def _with_given_up(
        self, record: JobRecord, before: ActionJob, after: ActionJob
    ) -> JobRecord:
        """List the savepoint of the state that was left for a named one: no row shows its path."""
        if not self._plane.capabilities.lists_savepoints or not before.job_id:
            return record
        order = Order(Action.LIST_SAVEPOINT, self._wanted.job_name, after.run_id)
        try:
            outcome = await self._runner.execute(order, await self._plane.jobs(), self._wanted)
        except JobError as error:
            self._say(f"{self._wanted.job_name}: its savepoints could not be listed: {error}")
            return record
        listed = outcome.row.output.split() if outcome and outcome.row else []
        path = next((each for each in listed if f"/{before.job_id}/" in each), None)
        if path is None or knows(record, path):
            return record
        return add_aside(record, path, SavepointReason.UPDATE)

    async def _order(self, step: NextAction, verdict: RowMatch, row: ActionJob | None) -> Order:
        version = None
        if step.carries:
            mark = mark_of(self._wanted, verdict.named, run_of(row) if row else "")
            version = replace(await self._version(), mark=str(mark))
        run_id = row.run_id if row else ""
        return Order(step.action, self._wanted.job_name, run_id, version, step.restore_from)

    def _instead(
        self, step: NextAction, verdict: RowMatch, row: ActionJob | None
    ) -> NextAction | None:
        """Return another way to start a changed version, where START does not take it along.

        That is to delete the row and start again from the savepoint; or, where only the row knows
        that, to start the previous version, which is updated then.
        """
        if step.action is not Action.START or not step.carries or row is None:
            return None
        try:
            return renewal(row, self._recorded, self._wanted, verdict)
        except StateUnavailable:
            return replace(step, carries=False)

    def _recorded_of(
        self,
        step: NextAction,
        verdict: RowMatch,
        order: Order,
        before: ActionJob | None,
        row: ActionJob,
    ) -> JobRecord | None:
        """Record what was done; return the record where that was all."""
        wanted = self._wanted
        base = self._base or blank(wanted, row)
        if step.action is Action.STOP:
            return stopped(base, wanted, row)
        if step.action is Action.SAVEPOINT:
            base = with_savepoint_of(base, row, SavepointReason.SAVEPOINT)
            output = row.output or savepoint_output(row.last_savepoint)
            return with_row(done(base, wanted, Action.SAVEPOINT, output), row)
        if order.version is None and not verdict.wanted:
            self._base = with_row(base, row)
            return None  # the previous version runs: judged again, it is updated
        if order.version is not None:
            differences = kept(order.version, row.version, self._recorded)
            if not differences and row.version.mark not in ("", order.version.mark):
                differences.append("flink_configuration.flink-jobs.spec")
            if differences:
                raise not_taken_over(order, row, differences)
        origin = step.origin
        if step.action is Action.UPDATE:
            base = with_savepoint_of(base, row, SavepointReason.UPDATE)
            took = row.last_savepoint and (
                before is None or row.last_savepoint != before.last_savepoint
            )
            origin = origin or (row.last_savepoint if took else None)
        origin = row.started_from or origin
        self._base = started(base, wanted, row, step.called or step.action, origin)
        self._started = True
        return self._base
