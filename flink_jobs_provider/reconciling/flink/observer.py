"""Observing one job: its submissions, which version each is, and what drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.action import JobStatus
from flink_jobs_provider.model.errors import ActionFailed, OwnedElsewhere
from flink_jobs_provider.model.identity import JobKey, identity_of, spec_digits_of
from flink_jobs_provider.model.inputs import Cost
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import (
    RestorePoint,
    SavepointReason,
    is_checkpoint,
    same_path,
)
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.diff import changes
from flink_jobs_provider.planning.plan import newly_restores
from flink_jobs_provider.reconciling.flink.greens import greens_among, switching
from flink_jobs_provider.reconciling.flink.job_watch import JobWatch
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.flink.rescale import rescaling
from flink_jobs_provider.reconciling.job_errors import unclear
from flink_jobs_provider.reconciling.record_updates import keep


@dataclass(frozen=True)
class Seen:
    """What a cluster shows of a job.

    Attributes:
        ours: Its submissions, newest first.
        rehearsals: Copies of it that run, which are no submissions of it.
    """

    ours: tuple[ObservedJob, ...]
    rehearsals: tuple[ObservedJob, ...] = ()

    @property
    def active(self) -> tuple[ObservedJob, ...]:
        """Those that have not ended; more than one is one too many."""
        return tuple(job for job in self.ours if job.active)

    @property
    def ended(self) -> tuple[ObservedJob, ...]:
        """Those that have ended, that the cluster still lists, and whose state counts."""
        return ClusterSnapshot.ended(self.ours)

    def next_generation(self, recorded: JobRecord | None) -> int:
        """Return a generation that no submission had: a terminal jobId cannot be used again."""
        known = [job.generation for job in self.ours]
        return max([recorded.generation if recorded else 0, *known], default=0) + 1


@dataclass(frozen=True)
class Version:
    """Which version a submission is.

    Attributes:
        wanted: Whether it is the one that is wanted.
        restored_from: What it started from; None where that is unknown, or nothing.
        restores: The savepoint that is newly named to start from, and not yet honoured.
    """

    wanted: bool
    restored_from: str | None
    restores: str | None


class Carried(Enum):
    """How a job comes to a cluster that it did not run on; two runs may carry it at once."""

    OVER = auto()
    """It has ended on the one that it is moved from."""
    BACK = auto()
    """It has ended on the new one, where it was no good; the mark here is of its own move."""


@dataclass(frozen=True)
class Change:
    """One change of a job, and what its cluster showed before.

    Attributes:
        recorded: The record in the state; None where the job is to be created.
        wanted: The job as it should be.
        jar: Its jar, opened; or the digest of one that is on the cluster already.
        seen: Its submissions.
        carried: How the job comes here from another cluster; None where it does not.
    """

    recorded: JobRecord | None
    wanted: JobSpec
    jar: Jar | str
    seen: Seen
    carried: Carried | None = None


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
        ours = snapshot.of(wanted.key)
        if recorded:
            ours = submissions_of(recorded, snapshot, wanted.key)
        strangers = snapshot.strangers(wanted.key, ours)
        if strangers:
            raise OwnedElsewhere(
                f"{wanted.job_name}: a job of this name runs for another owner than "
                f"{wanted.owner}, as job {strangers[0].job_id}",
                now="It was not touched",
                remedy=Remedy.RENAME_OR_OWN,
            )
        return Seen(tuple(ours), rehearsals_of(recorded, wanted, snapshot))

    async def version(self, job: ObservedJob, change: Change) -> Version:
        """Return which version a submission is.

        A recorded one is known by its record. Of any other the jobId holds the digest of its spec
        and of what it started from, so the latter is found by trying.

        Raises:
            RestoreUnclear: It might be set back to a savepoint that it has left behind.
        """
        recorded, wanted = change.recorded, change.wanted
        named = wanted.restore_from if newly_restores(recorded, wanted) else None
        if recorded and job.job_id == recorded.job_id and not recorded.other_version:
            costs = (change.cost for change in changes(recorded.spec, wanted))
            same = all(cost < Cost.RESTART for cost in costs)
            return Version(same, recorded.restored_from, named)
        matches, restored_from = await self.submitted_as(job, recorded, wanted)
        if named and same_path(named, restored_from):
            named = None  # an earlier run honoured it already
        if named and recorded is None:
            before = await started_from(self._plane, change.seen.ours, wanted, named)
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


def submissions_of(
    recorded: JobRecord, snapshot: ClusterSnapshot, *others: JobKey
) -> list[ObservedJob]:
    """Return the submissions of a recorded job, newest first; `others` are further identities."""
    return snapshot.of(
        recorded.spec.key, *others, recorded=recorded.job_id, generation=recorded.generation
    )


def rehearsals_of(
    recorded: JobRecord | None, wanted: JobSpec, snapshot: ClusterSnapshot
) -> tuple[ObservedJob, ...]:
    """Return the rehearsals of a job that have not ended."""
    others = (key.rehearsal for key in former_keys(recorded))
    found = snapshot.of(wanted.key.rehearsal, *others)
    return tuple(job for job in found if job.active)


def rehearsal_identities(recorded: JobRecord | None, wanted: JobSpec) -> set[str]:
    """Return what jobIds of a job's rehearsals begin with."""
    return {key.rehearsal.prefix for key in (wanted.key, *former_keys(recorded))}


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


async def retention(plane: ControlPlane, job_id: str) -> bool | None:
    """Return whether a job's checkpoints outlive a cancel; None where it has no periodic ones.

    The setting is fixed for a jobId, so it is read when a version has come up, and recorded: a
    preview of many jobs costs no request for it.

    None also where Flink does not report it: a version that is up does not fail for this.
    """
    try:
        found = await plane.checkpointing(job_id)
    except ActionFailed:
        return None
    return found.retained if found.periodic else None


async def started_from(
    plane: ControlPlane, jobs: Sequence[ObservedJob], wanted: JobSpec, named: str
) -> bool | None:
    """Whether any of a job's listed submissions has started from a savepoint; None if unknown.

    It has not, only if each one is listed still, and its cluster or its jobId shows what else it
    started from.
    """
    known = set()
    for job in jobs:
        digits = spec_digits_of(job.job_id)
        if wanted.digits(named).startswith(digits):
            return True
        statistics = await plane.checkpoints(job.job_id)
        origin = statistics.restored_from if statistics else ""
        if origin and same_path(origin, named):
            return True
        # After a failover of the JobManager it started from a checkpoint of its own.
        failed_over = f"/{job.job_id}/" in origin
        shown = statistics is not None and statistics.enabled and not failed_over
        if shown or wanted.digits(None).startswith(digits):
            known.add(job.generation)
    newest = max((job.generation for job in jobs), default=0)
    return False if known == set(range(1, newest + 1)) else None


#: Reads of one refresh share a list that is at most this old, in seconds.
SHARED_AGE = 15.0


@dataclass(frozen=True)
class Reader:
    """Refreshes recorded jobs; a whole refresh costs one list call for each cluster."""

    _plane: ControlPlane
    _states: StateFinder
    _observer: Observer
    _watch: JobWatch

    async def refresh_for_plan(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now, and what a start would begin from.

        That is found as the start itself finds it.
        """
        seen = await self.refresh(recorded)
        if seen.status is recorded.status is JobStatus.STOPPED:
            return seen  # with the checkpoint that was left, where it was lost before its stop
        if seen.status.active or seen.status is JobStatus.STOPPED or seen.job_id is None:
            return seen.model_copy(update={"restore_point": None})
        point = await self.find_start(seen, seen.spec)
        return seen.model_copy(update={"restore_point": point})

    async def find_start(self, recorded: JobRecord, wanted: JobSpec) -> RestorePoint | None:
        """Return what a start would begin from, found as the start itself finds it; or None."""
        snapshot = await self._plane.jobs(max_age=SHARED_AGE)
        ours = submissions_of(recorded, snapshot)
        return await self._states.newest(wanted, snapshot.ended(ours), recorded)

    async def refresh(self, recorded: JobRecord) -> JobRecord:
        """Return a record as the cluster shows it now.

        "Never existed", "ended", "no longer known" and "cannot be reached" are told apart: the
        last is an error, and a job that has vanished is LOST, not gone.
        """
        snapshot = await self._plane.jobs(max_age=SHARED_AGE)
        left = [job.job_id for job in rehearsals_of(recorded, recorded.spec, snapshot)]
        if left != recorded.rehearsals:
            recorded = recorded.model_copy(update={"rehearsals": left})
        shown = recorded.unconfirmed in snapshot.by_id
        if shown:
            recorded = recorded.model_copy(update={"unconfirmed": None})
        ours = submissions_of(recorded, snapshot)
        active = [job for job in ours if job.active]
        if active:
            return await self._active(recorded, active)
        quiet = recorded.model_copy(update={"duplicates": [], "other_version": False})
        if recorded.status is JobStatus.STOPPED or (recorded.job_id is None and not shown):
            return quiet
        ended = [job for job in snapshot.ended(ours) if job.generation >= recorded.generation]
        if ended:
            return await self._ended(quiet, ended[0])
        if not recorded.status.active:
            return quiet  # it had ended before, and the cluster has forgotten it since
        return quiet.model_copy(
            update={
                "status": JobStatus.LOST,
                "job_output": f"The cluster no longer knows job {recorded.job_id}",
                "running_parallelism": None,
                "rescaled": None,
            }
        )

    async def _active(self, recorded: JobRecord, active: list[ObservedJob]) -> JobRecord:
        if len(active) > 1:
            marks = await switching(self._plane, identities(recorded, recorded.spec))
            greens = greens_among(active, recorded, marks)
            active = [*(job for job in active if job not in greens), *greens]
        newest = active[0]
        update: dict[str, object] = {
            "status": newest.status,
            "duplicates": [job.job_id for job in active[1:]],
        }
        if newest.job_id != recorded.job_id:
            of_another = {"submitted_parallelism": None, "rescaled": None, "gate_failed": None}
            recorded = recorded.model_copy(update=of_another)
            same, restored_from = await self._observer.submitted_as(newest, recorded, recorded.spec)
            update |= {
                "job_id": newest.job_id,
                "generation": newest.generation,
                "restored_from": restored_from,
                "retains_checkpoints": await retention(self._plane, newest.job_id),
                "other_version": not same,
                "dashboard_url": self._plane.dashboard(newest.job_id),
                "running_parallelism": await self._plane.parallelism(newest.job_id),
            }
            if restored_from and restored_from in {known.path for known in recorded.savepoints}:
                update["last_savepoint"] = restored_from
            elif restored_from and not is_checkpoint(restored_from):
                recorded = keep(recorded, restored_from, SavepointReason.FOUND, taken_at="")
        update |= await rescaling(self._plane, recorded, newest)
        return recorded.model_copy(update=update)

    async def _ended(self, recorded: JobRecord, job: ObservedJob) -> JobRecord:
        update: dict[str, object] = {
            "status": job.status,
            "running_parallelism": None,
            "rescaled": None,
        }
        if job.state == "FAILED":
            reason = await self._watch.cause(job)
            update["job_output"] = reason or "The job failed"
        if job.state == "FINISHED" and not await self._states.came_to_its_end(job):
            update["status"] = JobStatus.STOPPED
            point = await self._states.of_ended(job)
            if point and point.path not in {known.path for known in recorded.savepoints}:
                recorded = keep(recorded, point.path, SavepointReason.FOUND, point.taken_at)
        return recorded.model_copy(update=update)
