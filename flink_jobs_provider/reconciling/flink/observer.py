"""Observing one job: its submissions on the cluster, and which version each is."""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.change import Cost
from flink_jobs_provider.model.errors import OwnedElsewhere
from flink_jobs_provider.model.identity import JobKey, identity_of, spec_digits_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import same_path
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.diff import changes
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling.restore_history import started_from, unclear


@dataclass(frozen=True)
class Seen:
    """What a cluster shows of a job: its submissions, newest first."""

    ours: tuple[ObservedJob, ...]

    @property
    def active(self) -> tuple[ObservedJob, ...]:
        """Those that have not ended; more than one is one too many."""
        return tuple(job for job in self.ours if job.active)

    @property
    def ended(self) -> tuple[ObservedJob, ...]:
        """Those that have ended, and that the cluster still lists."""
        return tuple(job for job in self.ours if not job.active)

    def next_generation(self, recorded: JobRecord | None) -> int:
        """Return a generation that no submission had: a terminal jobId cannot be used again."""
        known = [job.generation for job in self.ours]
        return max([recorded.generation if recorded else 0, *known], default=0) + 1


@dataclass(frozen=True)
class Version:
    """Which version a submission is.

    Attributes:
        wanted: Whether it is the one that is wanted.
        restored_from: What it started from; none where that is unknown, or nothing.
        restores: The savepoint that is newly named to start from, and not yet honoured.
    """

    wanted: bool
    restored_from: str | None
    restores: str | None


class Observer:
    """Reads a job's submissions from the cluster."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    async def observe(self, recorded: JobRecord | None, wanted: JobSpec) -> Seen:
        """Return the submissions of a job.

        Raises:
            OwnedElsewhere: A job of this name runs for another owner.
        """
        snapshot = await self._plane.jobs()
        recorded_id = recorded.job_id if recorded else None
        ours = snapshot.of(wanted.key, *former_keys(recorded), recorded=recorded_id)
        strangers = snapshot.strangers(wanted.key, ours)
        if strangers:
            raise OwnedElsewhere(
                f"{wanted.job_name}: a job of this name runs for another owner than "
                f"{wanted.owner}, as job {strangers[0].job_id}",
                now="It was not touched",
                remedy="Choose another job_name; or set owner, if the stack was renamed",
            )
        return Seen(tuple(ours))

    async def version(
        self, job: ObservedJob, recorded: JobRecord | None, wanted: JobSpec, seen: Seen
    ) -> Version:
        """Tell which version a submission is.

        A recorded one is known by its record. Of any other the jobId holds the digest of its spec
        and of what it started from, so the latter is found by trying.

        Raises:
            RestoreUnclear: It might be set back to a savepoint that it has left behind.
        """
        named = wanted.restore_from if newly_restores(recorded, wanted) else None
        if recorded and job.job_id == recorded.job_id and not recorded.other_version:
            costs = (change.cost for change in changes(recorded.spec, wanted))
            same = all(cost < Cost.RESTART for cost in costs)
            return Version(same, recorded.restored_from, named)
        matches, restored_from = await self.submitted_as(job, recorded, wanted)
        if named and same_path(named, restored_from):
            named = None  # an earlier run honoured it already
        if named and recorded is None:
            before = await started_from(self._plane, seen.ours, wanted, named)
            if before is None:
                raise unclear(wanted, job.job_id, "runs already")
            named = None if before else named
        return Version(matches and named is None, restored_from, named)

    async def submitted_as(
        self, job: ObservedJob, recorded: JobRecord | None, spec: JobSpec
    ) -> tuple[bool, str | None]:
        """Whether a submission is of a spec, and what it started from."""
        digits = spec_digits_of(job.job_id)
        candidates: list[str | None] = [None, spec.restore_from]
        if recorded:
            candidates += [recorded.restored_from, *(known.path for known in recorded.savepoints)]
        for path in candidates:
            if spec.digits(path).startswith(digits):
                return True, path
        statistics = await self._plane.checkpoints(job.job_id)
        restored = statistics.restored_from if statistics else ""
        return bool(restored) and spec.digits(restored).startswith(digits), restored or None


def identities(recorded: JobRecord | None, wanted: JobSpec) -> set[str]:
    """Return what jobIds of a job begin with: of now, of before, and of the one that is recorded.

    They differ when the owner was renamed.
    """
    found = {key.prefix for key in (wanted.key, *former_keys(recorded))}
    if recorded and recorded.job_id:
        found.add(identity_of(recorded.job_id))
    return found


def former_keys(recorded: JobRecord | None) -> tuple[JobKey, ...]:
    """Return the identity that the record names, where it may be another than the wanted one."""
    return (recorded.spec.key,) if recorded else ()
