"""What a moved job has left on its new cluster, where an earlier run of the move started it there.

It may have ended there, or its cluster may have lost it; its sinks may have committed what is in
its checkpoints. A jobId tells what its version was started from: so one that this move has started
is told from what lies there of another life of the job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.identity import generation_of, spec_digits_of, submission_in
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import RestorePoint
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.swallowed import swallowed


@dataclass(frozen=True)
class MovedFrom:
    """What a job starts from on its new cluster.

    Attributes:
        of_stop: What its stop on the old one left.
        generation: The newest one whose state that is, on either.
        left_there: What it has left on the new one since; None for nothing that is seen.
        all_seen: Whether all checkpoints that are left there can be listed from here.
    """

    of_stop: str
    generation: int
    left_there: RestorePoint | None = None
    all_seen: bool = True

    @property
    def path(self) -> str:
        """The newest of both."""
        return self.left_there.path if self.left_there else self.of_stop


@dataclass(frozen=True)
class MovedState:
    """Finds that on one cluster."""

    _plane: ControlPlane
    _states: StateFinder

    async def of(self, stopped: JobRecord, generation: int, wanted: JobSpec) -> MovedFrom:
        """Return what a job starts from here that was stopped elsewhere.

        Args:
            stopped: Its record, with the state that it left there.
            generation: The newest one there.
            wanted: The job as it is started here.
        """
        of_stop, wanted = str(stopped.last_savepoint), wanted.carrying_on(stopped.spec)
        former = generation_of(submission_in(of_stop, stopped.spec.key) or "")
        origin = MovedFrom(of_stop, max(generation, former))
        rows = {job.job_id: job for job in (await self._plane.jobs()).of(wanted.key)}
        left = await self._left(wanted, rows, origin)
        for job_id in sorted(left, key=generation_of, reverse=True):
            row = rows.get(job_id)
            if row and await self._states.came_to_its_end(row):
                return origin  # it is over, as its start finds
            point = await self._states.newest(wanted, [row], None) if row else None
            if point is None and left[job_id]:
                _, newest = max(left[job_id], key=lambda each: each[0])
                finding = await self._states.inspect(newest.path)
                point = replace(newest, broken=str(finding) if finding.broken else "")
            if point is not None:
                later = max(origin.generation, generation_of(job_id))
                return replace(origin, generation=later, left_there=point)
        seen = await self._states.directories.lists_checkpoints(wanted)
        return replace(origin, all_seen=seen)

    async def _left(
        self, wanted: JobSpec, rows: dict[str, ObservedJob], origin: MovedFrom
    ) -> dict[str, list[tuple[float, RestorePoint]]]:
        """Return the versions that this move has started here, with what lies in directories."""
        earliest = JobRecord(
            spec=wanted,
            status=JobStatus.FAILED,
            job_id=f"{wanted.key.prefix}{origin.generation:06x}{'0' * 8}",  # 0 of an adopted one
            generation=origin.generation,
        )
        found: dict[str, list[tuple[float, RestorePoint]]] = {
            job_id: [] for job_id, row in rows.items() if row.generation > origin.generation
        }
        listed = await self._states.directories.listed(wanted, earliest)
        for time, point in listed.points:
            if job_id := submission_in(point.path, wanted.key):
                found.setdefault(job_id, []).append((time, point))
        passed_over = await swallowed(self._plane, wanted, earliest, list(found))
        started, origins = {}, [origin.of_stop]
        for job_id in sorted(set(found) - passed_over, key=generation_of):
            digits = spec_digits_of(job_id)
            if any(wanted.digits(path).startswith(digits) for path in origins):
                started[job_id] = found[job_id]
                origins += [point.path for _, point in found[job_id]]
                row = rows.get(job_id)
                left = await self._states.newest(wanted, [row], None) if row else None
                origins += [left.path] if left else []
        return started
