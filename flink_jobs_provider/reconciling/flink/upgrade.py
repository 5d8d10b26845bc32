"""A version that runs: replaced by the wanted one, or taken over where it is the wanted one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import UPGRADES, newly_restores
from flink_jobs_provider.reconciling.flink.ending import Stopper
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Change, Version
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.program_check import ProgramCheck
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller, WayBack
from flink_jobs_provider.reconciling.flink.submissions import Starter
from flink_jobs_provider.reconciling.protocol import Say
from flink_jobs_provider.reconciling.record_updates import keep
from flink_jobs_provider.reconciling.rollback import previous_version


@dataclass(frozen=True)
class _Left:
    """What the version that was ended has left.

    Attributes:
        base: The record, with a savepoint that was taken.
        restore: What the new version starts from; None for nothing.
        back: What the previous version starts from, if it must.
        action: What the change is called.
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
    _roller: Roller
    _say: Say

    async def replace(self, change: Change, current: ObservedJob, version: Version) -> JobRecord:
        """Replace a running version with the wanted one; all that can be is checked before."""
        recorded, wanted = change.recorded, change.wanted
        unchanged = f"Job {current.job_id} goes on as it was"
        generation = change.seen.next_generation(recorded)
        named, mode = version.restores, wanted.upgrade_mode
        if named:
            await self._preflight.restore_point(wanted, named, unchanged)
            if mode is UpgradeMode.LAST_STATE:  # its own state is left for the named one: save it
                mode = UpgradeMode.SAVEPOINT
        if mode is UpgradeMode.SAVEPOINT:
            await self._preflight.savepoint_layout(wanted, unchanged)
        previous = previous_version(recorded)
        if previous and previous.jar_digest != wanted.jar_digest:
            await self._way_back.secure(previous, unchanged)
        carried = named is None and mode is not UpgradeMode.STATELESS
        await self._programs.check(change, generation, named, current, unchanged, carried)
        left = await self._end(mode, recorded, wanted, current, named)
        return await self._roller.launch(
            Launch(change, left.base, generation, left.restore, left.back, left.action)
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
        never_ran = recorded is None or recorded.job_id is None
        if never_ran and await self._stopper.cancel_stillborn(wanted, current):
            return _Left(recorded, named, None, Action.NEW)
        path = await self._stopper.take(wanted, current, Purpose.STOP)
        base = keep(recorded, path, SavepointReason.UPDATE, wanted, current)
        return _Left(base, named or path, path, UPGRADES[mode])


@dataclass(frozen=True)
class Adopter:
    """Takes over versions that run already."""

    _plane: ControlPlane
    _states: StateFinder
    _starter: Starter
    _roller: Roller
    _say: Say

    async def adopt(self, change: Change, current: ObservedJob, version: Version) -> JobRecord:
        """Take over the wanted version, which a run that died has started.

        One that does not come up gives way to the previous version, as it would have in that run.
        """
        recorded, wanted = change.recorded, change.wanted
        self._say(f"{wanted.job_name}: version {current.generation} was started before, adopted")
        origin = version.restored_from
        try:
            started = await self._starter.watch(wanted, current.job_id, origin)
        except ActionFailed as error:
            launch = await self._interrupted(change, current, version)
            if launch:
                raise await self._roller.give_up(launch, current.job_id, error.happened) from None
            raise ActionFailed(
                f"{wanted.job_name}: {error.happened}",
                now=f"It is job {current.job_id}, which an earlier run started",
                remedy="Fix the job, and run again",
            ) from None
        base = recorded
        if base and origin and all(known.path != origin for known in base.savepoints):
            base = keep(base, origin, SavepointReason.FOUND, wanted, taken_at="")
        started = replace(started, generation=current.generation)
        action = Action.UPDATE if recorded and recorded.job_id else Action.NEW
        if recorded and recorded.spec.desired_state is DesiredState.STOPPED:
            action = Action.START
        return await self._roller.record(base, wanted, started, action)

    async def _interrupted(
        self, change: Change, current: ObservedJob, version: Version
    ) -> Launch | None:
        """Return the launch that a killed run began, or None where nothing is to go back to.

        A version that has completed a checkpoint of its own holds state that the previous one
        would drop.
        """
        recorded, wanted = change.recorded, change.wanted
        if recorded is None or recorded.job_id == current.job_id:
            return None
        row = (await self._plane.jobs()).by_id.get(current.job_id, current)
        statistics = await self._states.settled(row)
        if statistics and statistics.completed:
            return None
        back = version.restored_from
        if back and newly_restores(recorded, wanted) and same_path(back, wanted.restore_from):
            former = next((job for job in change.seen.ended if job.job_id == recorded.job_id), None)
            point = await self._states.of_ended(former) if former else None
            back = point.path if point else None
        if back is None and wanted.upgrade_mode is not UpgradeMode.STATELESS:
            return None
        launch = Launch(
            change, recorded, current.generation, version.restored_from, back, Action.UPDATE
        )
        return launch if launch.previous else None
