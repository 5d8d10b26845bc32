"""What a job that does not run starts from: new, stopped, failed, cancelled, or lost."""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import Action, JobStatus
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint, of_deletion, same_path
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.first_version import left_none
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.observer import Seen, started_from
from flink_jobs_provider.reconciling.job_errors import broken_state, no_state, unclear
from flink_jobs_provider.reconciling.record_updates import with_found
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
