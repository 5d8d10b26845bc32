"""How the wanted version replaces the running one, or is taken over where it runs already."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import (
    ActionFailed,
    GateFailed,
    JobError,
    PermanentError,
    RunCancelled,
)
from flink_jobs_provider.model.health_gate import EarlierNumbers, FailedGate
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    SavepointReason,
    same_path,
)
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.adoption import refusal_without_way_back
from flink_jobs_provider.planning.plan import UPGRADES, newly_restores, previous_version
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.ending import Stopper
from flink_jobs_provider.reconciling.flink.first_version import FirstVersion, is_first
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Change, Version
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.program_check import ProgramCheck
from flink_jobs_provider.reconciling.flink.rehearsing import Rehearser
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller
from flink_jobs_provider.reconciling.flink.submissions import Starter
from flink_jobs_provider.reconciling.flink.switch_over import SwitchOver
from flink_jobs_provider.reconciling.flink.way_back import WayBack
from flink_jobs_provider.reconciling.job_errors import gate_kept
from flink_jobs_provider.reconciling.record_updates import done, keep, knows, record_of


@dataclass(frozen=True)
class _Left:
    """What the version that was ended has left.

    Attributes:
        base: The record, with a savepoint that was taken.
        restore: What the new version starts from; None for nothing.
        back: What the previous version starts from, if it must.
    """

    base: JobRecord | None
    restore: str | None
    back: str | None
    action: Action


@dataclass(frozen=True)
class Upgrader:
    """Replaces running versions by UPDATE, LAST_STATE_UPDATE or STATELESS_UPDATE."""

    _preflight: Preflight
    _stopper: Stopper
    _programs: ProgramCheck
    _way_back: WayBack
    _gate: GateWatch
    _rehearser: Rehearser
    _roller: Roller
    _switch_over: SwitchOver
    _say: Say

    async def replace(self, change: Change, current: ObservedJob, version: Version) -> JobRecord:
        """Replace a running version with the wanted one; all that can be is checked before."""
        recorded, wanted = change.recorded, change.wanted
        if recorded and (refusal := refusal_without_way_back(recorded, wanted)):
            raise refusal
        unchanged = f"Job {current.job_id} goes on as it was"
        generation = change.seen.next_generation(recorded)
        named, mode = version.restores, wanted.upgrade_mode
        if named:
            await self._preflight.restore_point(wanted, named, unchanged)
            if mode is not UpgradeMode.STATELESS:  # its own state is left for it: save that
                mode = UpgradeMode.SAVEPOINT
        alongside = mode is UpgradeMode.BLUE_GREEN
        if mode is UpgradeMode.SAVEPOINT or alongside:
            await self._preflight.savepoint_layout(wanted, unchanged)
        previous = previous_version(recorded)
        if previous and previous.jar_digest != wanted.jar_digest:
            await self._way_back.secure(previous, unchanged)
        carried = named is None and mode is not UpgradeMode.STATELESS
        await self._programs.check(change, generation, named, current, unchanged, carried=carried)
        before = Predecessor(await self._gate.numbers_before_stop(wanted, current))
        if alongside:
            return await self._switch_over.begin(change, current, generation, before)
        if wanted.rehearsal and carried and mode is UpgradeMode.SAVEPOINT:
            try:
                change = await self._rehearser.rehearse(change, current, before)
            except PermanentError:
                await self._programs.forget_jar(change)
                raise
            recorded = change.recorded
        left = await self._end(mode, recorded, wanted, current, named)
        return await self._roller.launch(
            Launch(
                change, left.base, generation, left.restore, left.back, left.action, before=before
            )
        )

    async def _end(
        self,
        mode: UpgradeMode,
        recorded: JobRecord | None,
        wanted: JobSpec,
        current: ObservedJob,
        named: str | None,
    ) -> _Left:
        """End a running version as `upgrade_mode` asks for."""
        if mode is UpgradeMode.LAST_STATE:
            path = (await self._stopper.cancel_for_last_state(wanted, current)).path
            return _Left(recorded, path, path, UPGRADES[mode])
        if mode is UpgradeMode.STATELESS:
            self._say(f"{wanted.job_name}: cancelling job {current.job_id}, its state is dropped")
            await self._stopper.cancel(wanted, current)
            return _Left(recorded, named, None, UPGRADES[mode])
        if is_first(recorded) and await self._stopper.cancel_stillborn(wanted, current):
            return _Left(recorded, named, None, Action.NEW)
        path = await self._stopper.take(wanted, current, Purpose.STOP)
        base = keep(recorded or record_of(wanted, current), path, SavepointReason.UPDATE)
        return _Left(base, named or path, path, UPGRADES[mode])


@dataclass(frozen=True)
class Adopter:
    """Takes over versions that run already."""

    _plane: ControlPlane
    _states: StateFinder
    _stopper: Stopper
    _starter: Starter
    _gate: GateWatch
    _roller: Roller
    _say: Say

    async def adopt(
        self, change: Change, current: ObservedJob, version: Version
    ) -> JobRecord | None:
        """Take over the wanted version, which a run that died has started; None if it has ended.

        That run may have been stopping it, since it did not pass its gate: the stop is waited for.
        One that does not come up gives way to the previous version, as it would have in that run.
        """
        if await self._stopper.await_stop(change.wanted, current):
            return None
        return await self.adopt_finished(change, current, version)

    async def adopt_finished(
        self, change: Change, current: ObservedJob, version: Version
    ) -> JobRecord:
        """Take over the same, where nobody is stopping it."""
        recorded, wanted = change.recorded, change.wanted
        self._say(f"{wanted.job_name}: version {current.generation} was started before, adopted")
        origin = version.restored_from
        ended = change.seen.ended[0] if change.seen.ended else None
        before = Predecessor(await self._gate.numbers_of_ended(wanted, ended), watched_before=True)
        starter = self._starter.of_first_version if is_first(recorded) else self._starter
        try:
            started = await starter.watch(wanted, current.job_id, origin, before)
        except RunCancelled as error:
            error.accepted = True
            first = FirstVersion(recorded, wanted, current.job_id, current.generation, origin)
            error.partial = await first.while_it_comes_up(error, self._states)
            raise
        except GateFailed as failure:
            raise await self._not_passed(change, current, version, before, failure) from None
        except ActionFailed as error:
            launch = await self._interrupted(change, current, version)
            if launch:
                why = f"did not start: {error.happened}"
                raise await self._roller.give_up(launch, current.job_id, why) from None
            raise ActionFailed(
                f"{wanted.job_name}: {error.happened}",
                now=f"It is job {current.job_id}, which an earlier run started",
                remedy="Fix the job, and run again",
            ) from None
        base = recorded
        if base and origin and all(known.path != origin for known in base.savepoints):
            base = keep(base, origin, SavepointReason.FOUND, taken_at="")
        former = await self._end_of_former(change, origin)
        if base and former and not knows(base, former.path):
            base = keep(base, former.path, SavepointReason.UPDATE, former.taken_at)
        started = replace(started, generation=current.generation)
        action = Action.NEW if is_first(recorded) else Action.UPDATE
        if recorded and recorded.spec.desired_state is DesiredState.STOPPED:
            action = Action.START
        return await self._roller.record(base, wanted, started, action)

    async def judge_again(
        self, recorded: JobRecord, wanted: JobSpec, current: ObservedJob
    ) -> JobRecord:
        """Watch a version that did not pass its health gate, and was left running.

        It is neither ended nor restarted, whatever is seen.

        Raises:
            GateFailed: It does not pass now either.
        """
        failed = recorded.gate_failed
        before = Predecessor(failed.earlier if failed else EarlierNumbers(), watched_before=True)
        recorded = recorded.model_copy(update={"spec": wanted})
        try:
            started = await self._starter.watch(
                wanted, current.job_id, recorded.restored_from, before
            )
        except GateFailed as failure:
            again = FailedGate(check=failure.check, reason=failure.reason, earlier=before.numbers)
            raise gate_kept(recorded.model_copy(update={"gate_failed": again})) from None
        output = f"Version {recorded.generation} has passed its health gate"
        return done(recorded, wanted, recorded.action, output).model_copy(
            update={"status": started.status}
        )

    async def _not_passed(
        self,
        change: Change,
        current: ObservedJob,
        version: Version,
        before: Predecessor,
        failure: GateFailed,
    ) -> JobError:
        """Return the error for a version whose gate an earlier run began, or another has passed.

        Where no other version was recorded, it may have run for long: it is left running.
        """
        launch = await self._interrupted(change, current, version, with_state=True)
        if launch is not None and launch.base is not None:
            origin, base = version.restored_from, launch.base
            if origin and all(known.path != origin for known in base.savepoints):
                base = keep(base, origin, SavepointReason.FOUND, taken_at="")
            launch = replace(launch, base=base, before=before)
            return await self._roller.not_passed(launch, current.job_id, failure)
        return ActionFailed(
            f"{change.wanted.job_name}: it did not pass its health gate: {failure.reason}",
            now=f"It is job {current.job_id}, which an earlier run started, and was left running",
            remedy=Remedy.CHANGE_OR_WATCH_AGAIN,
        )

    async def _end_of_former(self, change: Change, origin: str | None) -> RestorePoint | None:
        """Return the savepoint of the stop of the recorded version; None where it has none.

        Where a version started alongside it, from `origin`, that is a later one.
        """
        job_id = change.recorded.job_id if change.recorded else None
        former = next((job for job in change.seen.ended if job.job_id == job_id), None)
        if former is None or former.state != "FINISHED" or f"/{job_id}/" not in (origin or ""):
            return None
        point = await self._states.of_ended(former)
        return point if point and point.what == "savepoint" else None

    async def _interrupted(
        self, change: Change, current: ObservedJob, version: Version, *, with_state: bool = False
    ) -> Launch | None:
        """Return the launch that a killed run began, or None where nothing is to go back to.

        A version that has completed a checkpoint of its own holds state that the previous one
        would drop, unless that can go on `with_state`.
        """
        recorded, wanted = change.recorded, change.wanted
        if recorded is None or recorded.job_id == current.job_id:
            return None
        row = (await self._plane.jobs()).by_id.get(current.job_id, current)
        statistics = await self._states.settled(row)
        if statistics and statistics.completed and not with_state:
            return None
        back = version.restored_from
        if back and newly_restores(recorded, wanted) and same_path(back, wanted.restore_from):
            former = next((job for job in change.seen.ended if job.job_id == recorded.job_id), None)
            point = await self._states.of_ended(former) if former else None
            back = point.path if point else None
        former_end = await self._end_of_former(change, back)
        back = former_end.path if former_end else back
        if back is None and wanted.upgrade_mode is not UpgradeMode.STATELESS:
            return None
        launch = Launch(
            change, recorded, current.generation, version.restored_from, back, Action.UPDATE
        )
        return launch if launch.previous else None
