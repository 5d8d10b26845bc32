"""Replacing a running version: UPDATE, LAST_STATE_UPDATE or STATELESS_UPDATE of a job that runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import Purpose, Submission
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ClusterTakenDown, PermanentError
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import SavepointReason
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import UPGRADES
from flink_jobs_provider.reconciling.flink.lost_operators import LostOperators
from flink_jobs_provider.reconciling.flink.observer import Observer, Seen, Version
from flink_jobs_provider.reconciling.flink.preflight import Preflight
from flink_jobs_provider.reconciling.flink.rollback import WayBack
from flink_jobs_provider.reconciling.flink.rollout import Launch, Roller
from flink_jobs_provider.reconciling.flink.stop import Stopper
from flink_jobs_provider.reconciling.flink.submit import submission
from flink_jobs_provider.reconciling.previous_version import previous_version
from flink_jobs_provider.reconciling.record_updates import keep


class ProgramCheck:
    """Checks that a version could start, and takes over the state of the running one."""

    def __init__(
        self, observer: Observer, preflight: Preflight, operators: LostOperators, roller: Roller
    ) -> None:
        self._observer = observer
        self._preflight = preflight
        self._operators = operators
        self._roller = roller

    async def check(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        generation: int,
        restore: str | None,
        replaced: ObservedJob | None,
        now: str,
        carried: bool = False,
    ) -> None:
        """Check that a version could start; one that could not leaves no jar behind.

        Args:
            recorded: The record in the state.
            wanted: The version.
            jar: Its jar.
            generation: Its generation.
            restore: What it starts from.
            replaced: The running version.
            now: The state of that one, for errors.
            carried: Whether the state of the running version is to be carried over.
        """
        try:
            request = submission(wanted, jar, generation, restore)
            planned = await self._preflight.program(request, replaced, now)
            if carried and replaced and planned and not wanted.allow_non_restored_state:

                async def running_version() -> Submission | None:
                    return await self._running_version(recorded, replaced, jar)

                await self._operators.check(replaced.job_id, request, planned, running_version, now)
        except ClusterTakenDown:
            raise
        except PermanentError:
            running = recorded.job_id if recorded else None
            digest = recorded.spec.jar_digest if recorded else None
            await self._roller.forget_jars(recorded, wanted, running, digest)
            raise

    async def _running_version(
        self, recorded: JobRecord | None, current: ObservedJob, jar: Jar | str
    ) -> Submission | None:
        """Return the running version, or None where it is not the recorded one."""
        previous = previous_version(recorded)
        if recorded is None or previous is None:
            return None
        if current.job_id != recorded.job_id or recorded.other_version:
            same, _ = await self._observer.submitted_as(current, recorded, previous)
            if not same:
                return None
        same_jar = isinstance(jar, Jar) and jar.digest == previous.jar_digest
        return submission(previous, jar if same_jar else str(previous.jar_digest), 1, None)


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


class Upgrader:
    """Ends a running version, as `upgrade_mode` asks for, and starts the wanted one."""

    def __init__(
        self,
        preflight: Preflight,
        stopper: Stopper,
        programs: ProgramCheck,
        way_back: WayBack,
        roller: Roller,
        say: Callable[[str], None],
    ) -> None:
        self._preflight = preflight
        self._stopper = stopper
        self._programs = programs
        self._way_back = way_back
        self._roller = roller
        self._say = say
        self._ends = {
            UpgradeMode.SAVEPOINT: self._with_savepoint,
            UpgradeMode.LAST_STATE: self._at_checkpoint,
            UpgradeMode.STATELESS: self._dropping_state,
        }

    async def replace(
        self,
        recorded: JobRecord | None,
        wanted: JobSpec,
        jar: Jar | str,
        seen: Seen,
        current: ObservedJob,
        version: Version,
    ) -> JobRecord:
        """Replace a running version with the wanted one; all that can be is checked before."""
        unchanged = f"Job {current.job_id} goes on as it was"
        generation = seen.next_generation(recorded)
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
        await self._programs.check(
            recorded, wanted, jar, generation, named, current, unchanged, carried
        )
        left = await self._ends[mode](recorded, wanted, current, named)
        return await self._roller.launch(
            Launch(
                recorded, left.base, wanted, jar, generation, left.restore, left.back, left.action
            )
        )

    async def _with_savepoint(
        self, recorded: JobRecord | None, wanted: JobSpec, current: ObservedJob, named: str | None
    ) -> _Left:
        never_ran = recorded is None or recorded.job_id is None
        if never_ran and await self._stopper.cancel_stillborn(wanted, current):
            return _Left(recorded, named, None, Action.NEW)
        path = await self._stopper.take(wanted, current, Purpose.STOP)
        base = keep(recorded, path, SavepointReason.UPDATE, wanted, current)
        return _Left(base, named or path, path, UPGRADES[UpgradeMode.SAVEPOINT])

    async def _at_checkpoint(
        self, recorded: JobRecord | None, wanted: JobSpec, current: ObservedJob, _named: str | None
    ) -> _Left:
        path = (await self._stopper.cancel_for_last_state(wanted, current)).path
        return _Left(recorded, path, path, UPGRADES[UpgradeMode.LAST_STATE])

    async def _dropping_state(
        self, recorded: JobRecord | None, wanted: JobSpec, current: ObservedJob, named: str | None
    ) -> _Left:
        self._say(f"{wanted.job_name}: cancelling job {current.job_id}, its state is dropped")
        await self._stopper.cancel(wanted, current)
        return _Left(recorded, named, None, UPGRADES[UpgradeMode.STATELESS])
