"""Taking over the wanted version, which a run that died has started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason, same_path
from flink_jobs_provider.model.spec import DesiredState, JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Seen, Version
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller
from flink_jobs_provider.reconciling.flink.submit import Starter
from flink_jobs_provider.reconciling.record_updates import keep


class Adopter:
    """Takes over versions that run already."""

    def __init__(
        self,
        plane: ControlPlane,
        states: StateFinder,
        starter: Starter,
        roller: Roller,
        say: Callable[[str], None],
    ) -> None:
        self._plane = plane
        self._states = states
        self._starter = starter
        self._roller = roller
        self._say = say

    async def adopt(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        current: ObservedJob,
        version: Version,
    ) -> JobRecord:
        """Take over the wanted version, which a run that died has started.

        One that does not come up gives way to the previous version, as it would have in that run.
        """
        self._say(f"{wanted.job_name}: version {current.generation} was started before, adopted")
        origin = version.restored_from
        try:
            started = await self._starter.watch(wanted, current.job_id, origin)
        except ActionFailed as error:
            launch = await self._interrupted(recorded, wanted, jar, seen, current, version)
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
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        current: ObservedJob,
        version: Version,
    ) -> Launch | None:
        """Return the launch that a killed run began, or None where nothing is to go back to.

        A version that has completed a checkpoint of its own holds state that the previous one
        would drop.
        """
        if recorded is None or recorded.job_id == current.job_id:
            return None
        row = (await self._plane.jobs()).by_id.get(current.job_id, current)
        statistics = await self._states.settled(row)
        if statistics and statistics.completed:
            return None
        back = version.restored_from
        if back and newly_restores(recorded, wanted) and same_path(back, wanted.restore_from):
            former = next((job for job in seen.ended if job.job_id == recorded.job_id), None)
            point = await self._states.of_ended(former) if former else None
            back = point.path if point else None
        if back is None and wanted.upgrade_mode is not UpgradeMode.STATELESS:
            return None
        launch = Launch(
            recorded,
            recorded,
            wanted,
            jar,
            current.generation,
            version.restored_from,
            back,
            Action.UPDATE,
        )
        return launch if launch.previous else None
