"""Finding a job's newest state: what to start it from when it does not run.

Asked in this order: what Flink still knows under the trigger id of the stop (five minutes), the
ended job's checkpoint statistics (an hour), the savepoint and checkpoint directories that can be
read from here, the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flink_jobs_provider.artifacts import (
    Condition,
    Finding,
)
from flink_jobs_provider.control_planes.protocol import ControlPlane, Purpose, SavepointRequest
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.identity import submission_in
from flink_jobs_provider.model.observation import CheckpointStatistics, ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    SavepointFormat,
    SavepointReason,
    canonical_path,
    epoch_seconds,
    iso_time,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.state_directories import (
    Listed,
    StateDirectories,
    listing_of,
)
from flink_jobs_provider.reconciling.flink.swallowed import swallowed
from flink_jobs_provider.reconciling.record_updates import recorded_state
from flink_jobs_provider.reconciling.waiter import Clock

#: How much longer than Flink caches checkpoint statistics they may take to be new, in seconds.
_CACHE_MARGIN = 0.2
#: An end is not hidden by that cache this long after it has passed, even with the clocks a little
#: apart.
_RECENTLY_ENDED = 7.0


@dataclass(frozen=True)
class StateFinder:
    """Finds the newest state of a job that does not run."""

    _plane: ControlPlane
    _clock: Clock
    directories: StateDirectories

    async def newest(
        self, spec: JobSpec, ended: Sequence[ObservedJob], recorded: JobRecord | None
    ) -> RestorePoint | None:
        """Return the newest state of the job, from its ended submissions, newest first.

        It is inspected: `broken` says why it cannot be restored. An older one is not taken in its
        stead, since that is a step back.

        None means that no state is known, which is no permission to start from nothing: it is for
        the caller to know whether there ever was any.
        """
        found, completed = None, 0
        passed_over = await swallowed(self._plane, spec, recorded, ended)
        for job in ended:
            if recorded and job.generation < recorded.generation:
                break  # what lies further back was left behind on purpose, or is in the record
            if job.job_id in passed_over:
                continue
            points, last = await self._left_by(job)
            completed = max(completed, last)
            found = points[0] if points else None
            if found:
                break
        found = found or await self._stored(spec, recorded)
        if found is None:
            return None
        finding = await self.inspect(found.path)
        taken = epoch_seconds(found.taken_at)
        behind = iso_time(completed) if 0 < taken < completed // 1000 else ""
        return replace(found, behind=behind, broken=str(finding) if finding.broken else "")

    async def next_older(
        self, spec: JobSpec, ended: Sequence[ObservedJob], recorded: JobRecord, than: RestorePoint
    ) -> RestorePoint | None:
        """Return the newest state but for one, of those that can be restored, or None."""
        others = [
            RestorePoint.at(known.path, known.taken_at)
            for known in recorded.savepoints
            if known.reason is not SavepointReason.DUPLICATE
        ]
        passed_over = await swallowed(self._plane, spec, recorded, ended)
        for job in ended:
            if job.generation >= recorded.generation and job.job_id not in passed_over:
                others += (await self._left_by(job))[0]
        others += [point for _, point in (await self._listed(spec, recorded)).points]
        others += [
            RestorePoint.at(path)
            for path in (recorded.last_savepoint, recorded.restored_from)
            if path
        ]
        once = {canonical_path(point.path): point for point in reversed(others)}
        once.pop(canonical_path(than.path), None)
        for point in sorted(once.values(), key=lambda each: each.taken_at, reverse=True):
            if not (await self.inspect(point.path)).broken:
                return point
        return None

    async def inspect(self, path: str) -> Finding:
        """Return the condition of a savepoint or checkpoint, as far as it is seen from here."""
        return await self.directories.inspect(path)

    async def came_to_its_end(self, job: ObservedJob) -> bool:
        """Whether a job has finished by itself, rather than by a stop with a savepoint."""
        if job.state != "FINISHED" or await self._found_of_stop(job):
            return False
        statistics = await self.settled(job)
        return not (statistics and statistics.stopped_with_savepoint)

    async def _found_of_stop(self, job: ObservedJob) -> str | None:
        """Return the savepoint of a job's stop, if Flink still knows it by its trigger id."""
        for purpose in (Purpose.STOP, Purpose.DELETE):
            request = SavepointRequest(job.job_id, "", purpose, SavepointFormat.CANONICAL)
            path = await self._plane.find_savepoint(request)
            if path:
                return path
        return None

    async def of_ended(self, job: ObservedJob) -> RestorePoint | None:
        """Return the state that an ended job left: its stop's savepoint, or its newest of any.

        One of the latter that is gone or torn is passed over.
        """
        points, _ = await self._left_by(job)
        stopped = job.state == "FINISHED" and not await self.came_to_its_end(job)
        for point in points:
            if stopped or not (await self.inspect(point.path)).broken:
                return point
        return None

    async def _left_by(self, job: ObservedJob) -> tuple[list[RestorePoint], int]:
        """Return what an ended job left, newest first, and when it last completed a checkpoint.

        A checkpoint that Flink has removed when the job ended, as it was set to, is not among them.
        """
        if job.state == "FINISHED" and (path := await self._found_of_stop(job)):
            return [RestorePoint(path, "savepoint", iso_time(job.ended))], 0
        statistics = await self.settled(job)
        if statistics is None:
            return [], 0
        points = [
            (statistics.savepoint_time, statistics.savepoint, "savepoint"),
            (statistics.checkpoint_time, statistics.checkpoint, "checkpoint"),
        ]
        left = [
            RestorePoint(path, what, iso_time(time))
            for time, path, what in sorted(points, reverse=True)
            if path and (what == "savepoint" or await self._remains(job, path))
        ]
        origin = statistics.restored_from
        if origin and statistics.completed == 0:
            left.append(RestorePoint.at(origin))
        return left, statistics.last_completed

    async def _remains(self, job: ObservedJob, checkpoint: str) -> bool:
        """Whether a checkpoint outlived its job, or should have."""
        if (await self.inspect(checkpoint)).condition is not Condition.GONE:
            return True
        return (await self._plane.checkpointing(job.job_id)).retained

    async def restarts_from(self, job: ObservedJob, *, retained: bool) -> str | None:
        """Return what the tasks of an active job would restart from, if that outlives a cancel.

        That is its latest checkpoint, where checkpoints are retained; or what it started from, as
        long as none has completed since.
        """
        statistics = await self._plane.checkpoints(job.job_id)
        if statistics and not statistics.checkpoint:
            statistics = await self._fresh(job)
        if statistics is None:
            return None
        if statistics.completed:
            return (retained and statistics.checkpoint) or None
        # After a failover of the JobManager it counts from zero, and started from a checkpoint of
        # its own, which a cancel deletes unless checkpoints are retained.
        own = f"/{job.job_id}/" in statistics.restored_from
        return None if own and not retained else statistics.restored_from or None

    async def progress(self, job: ObservedJob) -> CheckpointStatistics | None:
        """Read an active job's statistics, anew if those cached show no completed checkpoint."""
        statistics = await self._plane.checkpoints(job.job_id)
        if statistics and statistics.enabled and not statistics.completed:
            statistics = await self._fresh(job)
        return statistics

    async def settled(self, job: ObservedJob) -> CheckpointStatistics | None:
        """Read the statistics; once more after their cache has passed, if it may be older."""
        statistics = await self._plane.checkpoints(job.job_id)
        if statistics is None or not statistics.enabled:
            return statistics
        recently = (await self._plane.facts()).statistics_cache + _RECENTLY_ENDED
        recent = abs(self._clock.wall() - job.ended / 1000) < recently
        if recent and not statistics.stopped_with_savepoint:
            statistics = await self._fresh(job)
        return statistics

    async def _fresh(self, job: ObservedJob) -> CheckpointStatistics | None:
        """Read the statistics once more, when Flink's cache of them has passed."""
        await self._clock.sleep((await self._plane.facts()).statistics_cache + _CACHE_MARGIN)
        return await self._plane.checkpoints(job.job_id)

    async def _stored(self, spec: JobSpec, recorded: JobRecord | None) -> RestorePoint | None:
        """Return the newest of what is recorded and what lies in the directories."""
        if recorded is None:
            return None
        listed = await self._listed(spec, recorded)
        points = [*recorded_state(recorded), *listed.points]
        if not points:
            return None
        newest = max(points, key=lambda point: point[0])[1]
        if recorded.status is JobStatus.STOPPED:
            return newest  # it has done nothing after the savepoint of its stop
        return replace(newest, unseen=listing_of(listed.unseen) or None)

    async def _listed(self, spec: JobSpec, recorded: JobRecord) -> Listed:
        """Return what lies in the directories of versions whose state is gone on from."""
        found = await self.directories.listed(spec, recorded)
        later = {
            point.path: submission_in(point.path, recorded.spec.key) for _, point in found.points
        }
        others = [job_id for job_id in later.values() if job_id]
        passed_over = await swallowed(self._plane, spec, recorded, others)
        kept = [each for each in found.points if later[each[1].path] not in passed_over]
        return replace(found, points=kept)
