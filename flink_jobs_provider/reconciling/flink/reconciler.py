"""Bringing one job to what is wanted: observe, decide, check, perform, wait, or roll back.

Where it stands is read from the cluster each time, never remembered: a run that died anywhere is
taken up by the next one. The newest active submission is the present version; if it is the wanted
one, the work was done before.
"""

from __future__ import annotations

from dataclasses import replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.identity import generation_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.on_delete import OnDelete
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.savepoint import RestorePoint, SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import asks_for_new_run, asks_for_savepoint
from flink_jobs_provider.planning.rescaling import (
    is_to_be_rescaled_back,
    rescales_while_it_runs,
)
from flink_jobs_provider.reconciling import IsCancelled, Say, never
from flink_jobs_provider.reconciling.flink.earlier_runs import Coming, EarlierRuns
from flink_jobs_provider.reconciling.flink.ending import Ender, Stopper
from flink_jobs_provider.reconciling.flink.failed_version import FailedVersions
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.move_marks import (
    check_no_move_left,
    check_not_moving,
)
from flink_jobs_provider.reconciling.flink.observer import (
    Carried,
    Change,
    Observer,
    Reader,
    Seen,
    rehearsals_of,
    submissions_of,
)
from flink_jobs_provider.reconciling.flink.origins import Origins
from flink_jobs_provider.reconciling.flink.preflight import Preflight, Slots
from flink_jobs_provider.reconciling.flink.program_check import ProgramCheck
from flink_jobs_provider.reconciling.flink.rehearsing import Rehearser
from flink_jobs_provider.reconciling.flink.rescale import rescaling
from flink_jobs_provider.reconciling.flink.rescaler import Rescaler
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller
from flink_jobs_provider.reconciling.flink.state_check import StateCheck
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories
from flink_jobs_provider.reconciling.flink.submissions import Starter, submission
from flink_jobs_provider.reconciling.flink.switch_over import Greens, SwitchOver, outlived
from flink_jobs_provider.reconciling.flink.takeover import Takeover
from flink_jobs_provider.reconciling.flink.upgrade import Adopter, Upgrader
from flink_jobs_provider.reconciling.flink.way_back import FindJar, WayBack, find_here
from flink_jobs_provider.reconciling.job_errors import (
    finished_meanwhile,
    left_behind,
    still_to_come,
)
from flink_jobs_provider.reconciling.record_updates import done, keep, savepoint_output
from flink_jobs_provider.reconciling.waiter import Clock


class Reconciler:
    """Applies changes to the jobs of one cluster.

    Args:
        local_paths: Whether the cluster's local paths are this machine's.
        say: Called with a line for each step, while it happens.
        find_jar: Returns the jar of a previous version that is no longer on the cluster.
        is_cancelled: Whether the run was cancelled: then a first version is not waited for.
    """

    def __init__(
        self,
        plane: ControlPlane,
        *,
        local_paths: bool = False,
        say: Say = lambda _line: None,
        clock: Clock | None = None,
        find_jar: FindJar = find_here,
        is_cancelled: IsCancelled = never,
    ) -> None:
        self._plane = plane
        self._say = say
        clock = clock or Clock()
        watch = JobWatch(plane, clock, say)
        self._observer = Observer(plane)
        self._directories = StateDirectories(plane, local_paths)
        self._states = self.states = StateFinder(plane, clock, self._directories)
        self._preflight = Preflight(plane, self._states, Slots(plane, clock), say)
        self._origins = Origins(plane, self._states, clock, say)
        self._stopper = Stopper(plane, watch, self._states, self._preflight, say)
        gate = self.gate = GateWatch(plane, watch, say)
        starter = self.starter = Starter(plane, watch, gate, say, is_cancelled)
        self.way_back = WayBack(plane, find_jar)
        self.failed = FailedVersions(plane, starter, self._stopper, self._states, say)
        self._roller = Roller(plane, starter, self.way_back, self._states, self.failed, say)
        state_check = StateCheck(plane, self._directories)
        self._programs = ProgramCheck(
            plane, self._observer, self._preflight, self._roller, state_check, say
        )
        self._rehearser = Rehearser(
            plane, self._preflight, self._stopper, starter, gate, state_check, say
        )
        self._earlier = EarlierRuns(plane, watch, self._states, say)
        greens = Greens(plane, self._observer, self._earlier)
        self._switch_over = SwitchOver(
            plane, self._observer, greens, starter, self._stopper, gate, self._roller, say
        )
        self._upgrader = Upgrader(
            self._preflight,
            self._stopper,
            self._programs,
            self.way_back,
            gate,
            self._rehearser,
            self._roller,
            self._switch_over,
            say,
        )
        self._adopter = Adopter(
            plane, self._states, self._stopper, starter, gate, self._roller, say
        )
        self._ender = Ender(plane, self._stopper, self._states, say)
        self._rescaler = Rescaler(plane, watch, gate, self._states, self._roller, say)
        self.foresee_rehearsal = self._rehearser.foresee
        self.rehearse_alone = self._rehearser.rehearse_alone
        self.foresee_rescale = self._programs.foresee_rescale
        self.foresee_state = self._programs.foresee_state
        self.compare_state = self._programs.compare_state
        self.foresee_last_state = self._stopper.foresee_last_state
        self._takeover = Takeover(plane, self._states, say)
        self.foresee_adoption = self._takeover.foresee
        self.is_given_away = self._takeover.is_given_away
        self.savepoints = self._directories.savepoints
        self.take_savepoint = self._stopper.take_whole
        self.cancel_submission = self._stopper.cancel
        self._reader = Reader(plane, self._states, self._observer, watch)

    async def bring_about(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        carried: Carried | None = None,
    ) -> JobRecord:
        """Make a job as it is wanted, and return what is now so.

        May be called again after a crash at any point, with the same or another spec. A record that
        names no job, but a generation, is of a job to be created whose name had others before: what
        they left is not gone on from. A jar is opened, or the digest of one on the cluster. Of a
        job that is `carried` here from another cluster, a version that runs already is adopted.

        Raises:
            JobError: What happened, what runs now, and what to do.
        """
        try:
            return await self._brought_about(recorded, wanted, jar, carried)
        finally:
            self._preflight.slots.give_back(wanted.key.prefix)

    async def _brought_about(
        self, recorded: JobRecord | None, wanted: JobSpec, jar: Jar | str, carried: Carried | None
    ) -> JobRecord:
        wanted = wanted.carrying_on(recorded.spec) if recorded else wanted
        if recorded and recorded.unconfirmed:
            recorded = await self._earlier.await_recorded(recorded, wanted)
            seen = await self._observer.observe(recorded, wanted)
            sent_before = recorded.unconfirmed is not None
        else:
            if wanted.adopt and (recorded is None or recorded.job_id is None):
                adopted = await self._takeover.take_over(wanted, jar)
                if adopted is not None:
                    return adopted
            seen = await self._observer.observe(recorded, wanted)
            coming = await self._earlier.await_unrecorded(recorded, wanted, seen)
            if coming is not Coming.NEVER:
                seen = await self._observer.observe(recorded, wanted)
            sent_before = coming in (Coming.MAIN_RUNS, Coming.UNKNOWN)
        await self._rehearser.end_left_over(wanted, seen.rehearsals)
        if recorded and recorded.rehearsals:
            recorded = recorded.model_copy(update={"rehearsals": []})
        seen, greens = await self._switch_over.greens.of(recorded, wanted, seen)
        if greens:
            change = Change(recorded, wanted, jar, seen)
            switched = await self._switch_over.take_up(change, greens)
            if switched is not None:
                return switched
            seen = await self._observer.observe(recorded, wanted)
            if not any(job in seen.active for job in greens):
                recorded = outlived(recorded, *(job.generation for job in greens))
                seen = await self._observer.observe(recorded, wanted)
        if wanted.desired_state is DesiredState.STOPPED:
            return await self._ender.stop(recorded, wanted, seen)
        for older in seen.active[1:]:
            recorded = await self._ender.stop_duplicate(recorded, wanted, older)
        change = Change(recorded, wanted, jar, seen, carried)
        if seen.active:
            return await self._with_active(change, seen.active[0])
        return await self._from_ended(change, sent_before=sent_before)

    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now; nothing is touched."""
        return await self._reader.refresh(recorded)

    async def refresh_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return the same with what a start would begin from, for a plan to name."""
        return await self._reader.refresh_for_plan(recorded)

    async def find_start(self, recorded: JobRecord, wanted: JobSpec) -> RestorePoint | None:
        """Return what a start of a job that does not run would begin from, or None."""
        return await self._reader.find_start(recorded, wanted)

    async def find_jar(self, version: JobSpec) -> Jar | str:
        """Return the jar of a version that ran once; its digest where the cluster has it.

        Raises:
            PermanentError: It is nowhere any more.
        """
        return await self.way_back.find(version, "Nothing was changed")

    async def check_start(self, base: JobRecord, wanted: JobSpec, jar: Jar, now: str) -> None:
        """Check that a job which runs elsewhere could start here; `now` says how it is now."""
        seen = await self._observer.observe(base, wanted)
        change = Change(base, wanted, jar, seen)
        await self._programs.check(change, seen.next_generation(base), None, None, now)

    async def cancel(self, recorded: JobRecord) -> bool:
        """End a job without a savepoint; whether any of it ran. Its jars stay."""
        await self._await_unrecorded(recorded)
        return await self._ender.cancel(recorded)

    async def delete(self, recorded: JobRecord) -> Removed:
        """End a job for good, with a savepoint where `on_delete` asks for one; or release it."""
        if recorded.unconfirmed:
            recorded = await self._earlier.await_recorded(recorded, recorded.spec)
        else:
            await self._await_unrecorded(recorded)
        if recorded.unconfirmed:
            raise still_to_come(recorded.unconfirmed, recorded.spec)
        await self._switch_over.call_off(recorded)
        if recorded.spec.on_delete is OnDelete.RELEASE:
            ours = submissions_of(recorded, await self._plane.jobs())
            active = [job for job in ours if job.active]
            return Removed(released=await self._takeover.release(recorded, active))
        return await self._ender.delete(recorded)

    async def _await_unrecorded(self, recorded: JobRecord) -> None:
        """Wait for what a killed run may have submitted of a job that is to be ended."""
        snapshot = await self._plane.jobs()
        seen = Seen(tuple(submissions_of(recorded, snapshot)))
        await self._earlier.await_unrecorded(recorded, recorded.spec, seen)
        left = rehearsals_of(recorded, recorded.spec, snapshot)
        await self._rehearser.end_left_over(recorded.spec, left)

    # A version runs

    async def _with_active(self, change: Change, current: ObservedJob) -> JobRecord:
        recorded, wanted = change.recorded, change.wanted
        if recorded is None or recorded.job_id is None:
            await self._takeover.check_is_ours(wanted, current)
        version = await self._observer.version(current, change)
        if not version.wanted and change.carried is None:
            record = await self._rescaled(change, current)
            if record is None:
                return await self._upgrader.replace(change, current, version)
            return await self._with_savepoint(record, recorded or record, wanted, current)
        if (
            recorded is None
            or recorded.job_id != current.job_id
            or recorded.other_version
            or recorded.spec.desired_state is DesiredState.STOPPED  # a START, read back since
            or recorded.is_coming_up
        ):
            adopted = await self._adopter.adopt(change, current, version)
            return adopted or await self._brought_about(
                recorded, wanted, change.jar, change.carried
            )
        before = recorded
        if is_to_be_rescaled_back(recorded, wanted):
            now = await rescaling(self._plane, recorded, current)
            recorded = recorded.model_copy(update=now)
            if recorded.rescales_in_place:
                recorded = await self._rescaler.bring_back(recorded, wanted, current)
            elif recorded.rescaled:
                change = replace(change, recorded=recorded)
                return await self._upgrader.replace(change, current, version)
        record = recorded.model_copy(update={"rescaled": None})
        if record.gate_failed and wanted.health:
            judged = await self._adopter.judge_again(record, wanted, current)
            record = judged.model_copy(update={"spec": record.spec})
        return await self._with_savepoint(record, before, wanted, current)

    async def _rescaled(self, change: Change, current: ObservedJob) -> JobRecord | None:
        """Rescale a job while it runs, where parallelism alone differs; None where it restarts."""
        recorded, wanted = change.recorded, change.wanted
        if recorded is None or recorded.job_id != current.job_id or not current.healthy:
            return None
        if not rescales_while_it_runs(recorded, wanted):
            return None
        to = await self._programs.check_rescale(change, current)
        if to.obstacle:
            self._say(f"{wanted.job_name}: it is not rescaled while it runs: {to.obstacle}")
            return None
        return await self._rescaler.rescale(change, current, recorded, to)

    async def _with_savepoint(
        self, record: JobRecord, before: JobRecord, wanted: JobSpec, current: ObservedJob
    ) -> JobRecord:
        """Record a job that goes on, with a savepoint of it where one is newly asked for."""
        if asks_for_savepoint(before, wanted):
            return await self._savepoint(record, wanted, current)
        now = {"spec": wanted, "status": current.status, "duplicates": [], "gate_failed": None}
        return record.model_copy(update=now)

    async def _savepoint(
        self, recorded: JobRecord, wanted: JobSpec, current: ObservedJob
    ) -> JobRecord:
        occasion = wanted.savepoint_trigger or ""
        path = await self._stopper.take(wanted, current, Purpose.SAVEPOINT, occasion=occasion)
        record = keep(recorded, path, SavepointReason.SAVEPOINT)
        taken = done(record, wanted, Action.SAVEPOINT, savepoint_output(path))
        return taken.model_copy(update={"status": JobStatus.RUNNING})

    # No version runs

    async def _from_ended(self, change: Change, *, sent_before: bool) -> JobRecord:
        """Start a job that does not run: new, stopped, failed, cancelled, or lost.

        `sent_before` is whether an earlier run may have submitted this version.
        """
        recorded, wanted, seen = change.recorded, change.wanted, change.seen
        if recorded and recorded.job_id:
            over = await self._finished(recorded, change)
            if over is not None:
                return over
        origin = await self._origins.of(recorded, wanted, seen)
        restore, generation = origin.restore, seen.next_generation(recorded)
        left = self._directories.last_generation
        if generation == 1 and (former := await left(wanted, self._say)):
            generation += former
            self._say(left_behind(wanted, former, restore))
        starts = submission(wanted, change.jar, generation, restore)
        if recorded and recorded.job_id and change.carried is not Carried.BACK:
            await check_not_moving(self._plane, recorded, starts)
        await self._takeover.check_not_elsewhere(recorded, wanted, seen, restore)
        if recorded is None or recorded.job_id is None:
            await check_no_move_left(self._plane, wanted)
        self._rehearser.report_none(change)
        if recorded and (unconfirmed := recorded.unconfirmed):
            earlier = generation_of(unconfirmed)
            again = submission(wanted, change.jar, earlier, restore).job_id == unconfirmed
            if not again:
                raise still_to_come(unconfirmed, wanted)
            generation = earlier
        now = "Nothing of it runs"
        if restore and same_path(restore, wanted.restore_from):
            await self._preflight.restore_point(wanted, restore, now)
        await self._programs.check(change, generation, restore, None, now)
        if recorded and change.carried is Carried.OVER:  # another run may take it back meanwhile
            await check_not_moving(self._plane, recorded, starts)
        return await self._roller.launch(
            Launch(
                change, origin.base, generation, restore, origin.back, origin.action, sent_before
            )
        )

    async def _finished(self, recorded: JobRecord, change: Change) -> JobRecord | None:
        """Return the record of a job that came to its own end; None where a new run is asked for.

        Raises:
            StateUnavailable: One is, and the plan was made for a job that runs.
        """
        wanted, seen = change.wanted, change.seen
        newest = seen.ended[0] if seen.ended else None
        if newest is None or newest.generation < recorded.generation:
            over = recorded.status is JobStatus.FINISHED and not asks_for_new_run(recorded, wanted)
            return recorded.model_copy(update={"spec": wanted}) if over else None
        if recorded.status is JobStatus.STOPPED and newest.job_id == recorded.job_id:
            return None
        if not await self._states.came_to_its_end(newest):
            return None
        version = await self._observer.version(newest, change)
        if version.wanted and newest.job_id != recorded.job_id:
            return await self._adopter.adopt_finished(change, newest, version)
        if version.wanted:
            update = {"spec": wanted, "status": JobStatus.FINISHED, "running_parallelism": None}
            return recorded.model_copy(update={**update, "duplicates": []})
        stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
        if recorded.status.active and not version.restores and not stateless:
            raise finished_meanwhile(wanted, newest.job_id)
        return None
