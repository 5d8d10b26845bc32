"""How the wanted version comes to run: it replaces the running one, is taken over, or starts again.

A version that runs is replaced, or taken over where it is the wanted one already. A job that does
not run (new, stopped, failed, cancelled, or lost) starts from what is left of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.errors import ActionFailed, GateFailed, JobError, PermanentError
from flink_jobs_provider.model.health_gate import EarlierNumbers, FailedGate
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    SavepointReason,
    of_deletion,
    same_path,
)
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.adoption import refusal_without_way_back
from flink_jobs_provider.planning.plan import UPGRADES, newly_restores, previous_version
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.ending import Stopper
from flink_jobs_provider.reconciling.flink.first_version import is_first, left_none
from flink_jobs_provider.reconciling.flink.gate_watch import GateWatch, Predecessor
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Change, Seen, Version, started_from
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.program_check import ProgramCheck
from flink_jobs_provider.reconciling.flink.rehearsing import Rehearser
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller
from flink_jobs_provider.reconciling.flink.submissions import Starter
from flink_jobs_provider.reconciling.flink.switch_over import SwitchOver
from flink_jobs_provider.reconciling.flink.way_back import WayBack
from flink_jobs_provider.reconciling.job_errors import broken_state, gate_kept, no_state, unclear
from flink_jobs_provider.reconciling.record_updates import done, keep, knows, record_of, with_found
from flink_jobs_provider.reconciling.waiter import Clock


@dataclass(frozen=True)
class Origin:
    """Where a start begins.

    Attributes:
        base: The record, with what was found on the way.
        restore: The savepoint or checkpoint to start from; None for a fresh start.
        former: The state of the version that ran before, where another savepoint is named.
    """

    base: JobRecord | None
    restore: str | None
    action: Action
    former: str | None = None

    @property
    def back(self) -> str | None:
        """What the previous version starts from, if this start fails; None for a fresh start."""
        return None if self.action is Action.STATELESS_UPDATE else self.former or self.restore


@dataclass(frozen=True)
class Origins:
    """Decides what a job that does not run starts from."""

    _plane: ControlPlane
    _states: StateFinder
    _clock: Clock
    _say: Say

    async def of(self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen) -> Origin:
        """Decide what a job that does not run starts from.

        Only one that never existed starts from nothing by itself.

        Raises:
            StateUnavailable: Going on would drop state, or might set the job back.
        """
        existed = recorded is not None and recorded.job_id is not None
        if newly_restores(recorded, wanted) and not await self._honoured(recorded, wanted, seen):
            if recorded is None or not existed:
                return Origin(recorded, wanted.restore_from, Action.NEW)
            own = [job for job in seen.ended if job.job_id == recorded.job_id]
            point = await self._states.newest(recorded.spec, own, recorded)
            base = with_found(recorded, point)
            return Origin(base, wanted.restore_from, Action.START, point.path if point else None)
        if wanted.upgrade_mode is UpgradeMode.STATELESS:
            return Origin(recorded, None, Action.STATELESS_UPDATE if existed else Action.NEW)
        if recorded is None or recorded.job_id is None:
            point = await self._left_by_earlier_run(seen, recorded.generation if recorded else 0)
            if point is None:
                return Origin(recorded, wanted.restore_from, Action.NEW)
            self._say(f"{wanted.job_name}: an earlier run left {point}, going on from it")
            return Origin(recorded, point.path, Action.START)
        point = await self._states.newest(wanted, seen.ended, recorded)
        if point is None and await self._left_none(recorded, seen):
            self._say(f"{wanted.job_name}: job {recorded.job_id} has left no state")
            return Origin(recorded, None, Action.NEW)
        if point is None and recorded.status is JobStatus.FINISHED:
            return Origin(recorded, None, Action.START)  # as its plan has shown
        if point is None:
            former = next((job for job in seen.ended if job.job_id == recorded.job_id), None)
            state = f"is {former.state}" if former else "is no longer known to its cluster (LOST)"
            raise no_state(recorded, wanted, state)
        if point.broken:
            older = await self._states.next_older(wanted, seen.ended, recorded, point)
            raise broken_state(wanted, recorded, point, older, self._clock.wall())
        self._say(f"{wanted.job_name}: going on from {point.with_age(self._clock.wall())}")
        return Origin(with_found(recorded, point), point.path, Action.START)

    async def _left_none(self, recorded: JobRecord, seen: Seen) -> bool:
        """Whether no version came up, and the one that was accepted is seen to have left nothing.

        Where that cannot be seen from here, a start from nothing might drop what it has done.
        """
        return recorded.never_came_up and await left_none(self._states, recorded, seen.ended)

    async def _honoured(self, recorded: JobRecord | None, wanted: JobSpec, seen: Seen) -> bool:
        """Whether a run that died has started from the named savepoint, and got further since."""
        if recorded is None:
            return await self._left_behind(wanted, seen)
        newest = seen.ended[0] if seen.ended else None
        if newest is None or newest.generation <= recorded.generation:
            return False
        statistics = await self._plane.checkpoints(newest.job_id)
        if statistics is None or not same_path(statistics.restored_from, wanted.restore_from):
            return False
        return statistics.completed > 0 and newest.state != "CANCELED"

    async def _left_behind(self, wanted: JobSpec, seen: Seen) -> bool:
        """Whether a job that no record names has started from the named savepoint, and run on.

        Of a cancelled one it is unknown whether it was deleted, or did not come up.
        """
        point = await self._left_by_earlier_run(seen, 0)
        if point is None or same_path(point.path, wanted.restore_from):
            return False
        newest, named = seen.ended[0], wanted.restore_from or ""
        before = await started_from(self._plane, seen.ours, wanted, named)
        if before is None or (before and newest.state == "CANCELED"):
            raise unclear(wanted, newest.job_id, f"has left {point}")
        return before

    async def _left_by_earlier_run(self, seen: Seen, after: int) -> RestorePoint | None:
        """Return the state of a job that no record names: a create died, or it was deleted.

        Generations up to `after` were of other jobs of this name, which are done with.

        A cancelled job was deleted, as was one whose savepoint lies in the place for that; but a
        version that never completed a checkpoint may be one that did not come up, which its own
        run cancelled: what it started from is not lost.
        """
        for job in seen.ended:
            if job.generation <= after:
                return None
            if job.state == "CANCELED":
                origin = await self._states.restarts_from(job, retained=False)
                return RestorePoint(origin, "savepoint") if origin else None
            point = await self._states.of_ended(job)
            if job.state == "FINISHED":
                if point is None or point.what != "savepoint" or of_deletion(point.path):
                    return None
                return point
            if point:
                return point
        return None


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
    _starter: Starter
    _gate: GateWatch
    _roller: Roller
    _say: Say

    async def adopt(self, change: Change, current: ObservedJob, version: Version) -> JobRecord:
        """Take over the wanted version, which a run that died has started.

        One that does not come up gives way to the previous version, as it would have in that run.
        """
        recorded, wanted = change.recorded, change.wanted
        self._say(f"{wanted.job_name}: version {current.generation} was started before, adopted")
        origin = version.restored_from
        ended = change.seen.ended[0] if change.seen.ended else None
        before = Predecessor(await self._gate.numbers_of_ended(wanted, ended), watched_before=True)
        try:
            started = await self._starter.watch(wanted, current.job_id, origin, before)
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
