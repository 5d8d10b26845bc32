"""Ending a version that failed, without losing what it has done.

A version that did not pass its health gate may have completed checkpoints, and with each its sinks
have committed records. The previous version goes on from its newest state then: from the savepoint
of before, it would write those records once more. Where the version has swallowed records
(`require_output`), it is the other way round: those are in its state, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import GateFailed, JobError
from flink_jobs_provider.model.identity import generation_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint, iso_time, same_path
from flink_jobs_provider.model.spec import JobSpec, UpgradeMode
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.flink.ending import Stopper
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.submissions import Starter
from flink_jobs_provider.reconciling.flink.swallowed import mark_swallowed
from flink_jobs_provider.reconciling.health_conditions import OutputFlows


@dataclass(frozen=True)
class Return:
    """What the previous version goes on from.

    Attributes:
        path: The savepoint or checkpoint; None for nothing.
        otherwise: What it goes on from where it cannot be started from that; None for nothing else.
        note: What follows from that, for people; empty for nothing.
    """

    path: str | None
    otherwise: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Left:
    """What a version has left that was ended, and after which no other one is started.

    Attributes:
        row: Its last row; None where the cluster does not list it.
        point: The newest state that it took itself; None for none.
        completed: Whether it has completed a checkpoint.
    """

    row: ObservedJob | None = None
    point: RestorePoint | None = None
    completed: bool = False


#: What follows from going back to the newest state of the version that failed.
GOES_ON = "; it goes on from what the new version has done"
#: What follows from going back to the savepoint of before.
WRITTEN_AGAIN = "; what the new version has committed since is written again"


@dataclass(frozen=True)
class FailedVersions:
    """Ends versions that did not come up, or did not pass their health gates."""

    _plane: ControlPlane
    _starter: Starter
    _stopper: Stopper
    _states: StateFinder
    _say: Say

    async def end(
        self,
        wanted: JobSpec,
        job_id: str,
        failure: GateFailed,
        restored: str | None,
        back: str | None,
    ) -> Return:
        """End a version, and return what the previous one goes on from.

        `restored` is what it was started from, `back` the state of the version before.
        """
        goes_on = restored == back or bool(restored and back and same_path(restored, back))
        stateless = wanted.upgrade_mode is UpgradeMode.STATELESS
        completed = await self._has_completed(job_id)
        swallowed = failure.check == OutputFlows.check
        if stateless or not goes_on or swallowed or not completed:
            if swallowed and completed and not stateless:
                await mark_swallowed(self._plane, self._say, wanted, job_id)
            await self._starter.end(job_id, wanted)
            silent = swallowed and goes_on
            note = WRITTEN_AGAIN if completed and not stateless and not silent else ""
            return Return(back, note=note)
        path = await self._newest_state(wanted, job_id)
        if path is None:
            return Return(back, note=WRITTEN_AGAIN)
        return Return(path, back, GOES_ON)

    async def end_alone(self, wanted: JobSpec, job_id: str) -> Left:
        """End a version that has no previous one to go back to; return what it has left.

        A cancel would drop checkpoints that are not retained, so it is stopped with a savepoint
        first where it has completed any.
        """
        row = (await self._plane.jobs()).by_id.get(job_id)
        point, completed = None, False
        if row is not None and row.active:
            statistics = await self._states.progress(row)
            completed = statistics is not None and statistics.completed > 0
            retained = (await self._plane.checkpointing(job_id)).retained
            if completed and not retained:
                await self._newest_state(wanted, job_id)
            elif statistics and statistics.checkpoint:
                when = iso_time(statistics.checkpoint_time)
                point = RestorePoint(statistics.checkpoint, "checkpoint", when)
            await self._starter.end(job_id, wanted)
        left = await self.left_by(wanted, job_id)
        return replace(left, point=left.point or point, completed=left.completed or completed)

    async def left_by(self, wanted: JobSpec, job_id: str) -> Left:
        """Return what a version has left that has ended.

        Flink 2.3 may show no statistics of a job that was cancelled while its storage was full:
        then its directories are read.
        """
        row = (await self._plane.jobs()).by_id.get(job_id)
        statistics = await self._states.settled(row) if row else None
        if row is None or statistics is None:
            record = JobRecord(spec=wanted, status=JobStatus.FAILED, job_id=job_id)
            generation = generation_of(job_id)
            record = record.model_copy(update={"generation": generation})
            point = await self._states.newest(wanted, (), record)
            return Left(row, point, completed=point is not None)
        if not statistics.completed:
            return Left(row)
        return Left(row, await self._states.of_ended(row), completed=True)

    async def _has_completed(self, job_id: str) -> bool:
        """Whether a version has completed a checkpoint: by that its sinks commit."""
        row = (await self._plane.jobs()).by_id.get(job_id)
        statistics = await self._states.settled(row) if row else None
        return bool(statistics and statistics.completed)

    async def _newest_state(self, wanted: JobSpec, job_id: str) -> str | None:
        """End a version with a savepoint, or return its newest retained checkpoint; or None."""
        row = (await self._plane.jobs()).by_id.get(job_id)
        if row is not None and row.active:
            try:
                return await self._stopper.take(wanted, row, Purpose.STOP)
            except JobError as error:
                self._say(f"warning: no savepoint could be taken of the new version: {error}")
        await self._starter.end(job_id, wanted)
        row = (await self._plane.jobs()).by_id.get(job_id)
        point = await self._states.of_ended(row) if row else None
        return point.path if point else None
