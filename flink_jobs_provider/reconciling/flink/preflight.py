"""What is checked before anything is changed: directories, restore points, the program, its slots.

A version that cannot start must not stop another.

Jobs of a stack are started at the same time, and a slot is free until the tasks of a job are
deployed. So what a job was promised counts as taken until its tasks run: from then on the cluster
counts it. Where slots are short for that alone, the others are waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from weakref import WeakKeyDictionary, WeakSet

from flink_jobs_provider.artifacts import Condition
from flink_jobs_provider.control_planes.protocol import ControlPlane, Submission
from flink_jobs_provider.model.duration import seconds
from flink_jobs_provider.model.errors import ActionFailed, PermanentError
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.job_graph import JobGraph
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.remedies import Remedy
from flink_jobs_provider.model.savepoint import SavepointFormat, SavepointLayout
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.timeouts import Timeouts
from flink_jobs_provider.reconciling import Say
from flink_jobs_provider.reconciling.conditions import (
    Failed,
    Judgement,
    Met,
    NotYet,
    Observation,
    Shown,
    waited,
)
from flink_jobs_provider.reconciling.flink.latest_state import StateFinder
from flink_jobs_provider.reconciling.waiter import Clock, Waiter, constant_backoff

#: How long the other jobs of a run are waited for, in seconds, and the pause between counts.
_PATIENCE, PAUSE = 60.0, 0.25
#: How long TaskManagers are waited for that a cluster which has just started may not have yet.
REGISTERING = 10.0


@dataclass(frozen=True)
class _Promise:
    job_id: str
    needed: int
    replaced: str
    used: int

    def outstanding(self, snapshot: ClusterSnapshot) -> int:
        """Return how many more slots the job is going to take than it has."""
        job = snapshot.by_id.get(self.job_id)
        if job is not None and (job.healthy or not job.active):
            return 0
        before = snapshot.by_id.get(self.replaced)
        return max(0, self.needed - (self.used if before and before.active else 0))


@dataclass(frozen=True)
class SlotCount:
    """The task slots of a cluster at one moment.

    Attributes:
        promised: How many of the free ones other jobs of this run are about to take.
    """

    free: int
    total: int
    promised: int = 0


@dataclass(frozen=True)
class EnoughSlots:
    """A submission has the slots that it needs.

    It has failed to get them where no other job of this run takes any: as soon as the cluster has
    enough in total, or has had the time to register its TaskManagers.

    Attributes:
        used: How many of them the version has that is stopped for it.
        registering: The seconds in which TaskManagers may still come to the cluster.
    """

    needed: int
    used: int
    registering: float

    def judge(self, history: Sequence[Observation[SlotCount]]) -> Judgement:
        """Judge by the last count, and by the time since the first one."""
        seen = history[-1].seen
        if seen.free + self.used - seen.promised >= self.needed:
            return Met()
        reason = f"{self.needed} task slots are needed, {seen.free} are free"
        lacks = seen.free + self.used < self.needed and not seen.promised
        if lacks and (seen.total >= self.needed or waited(history) >= self.registering):
            return Failed(reason, self)
        return NotYet(reason)


def slots_registered(needed: int) -> Shown[SlotCount]:
    """Return the condition that a cluster has so many task slots in total."""
    reason = f"{needed} task slots are needed, the cluster has "
    return Shown(lambda seen: "" if seen.total >= needed else f"{reason}{seen.total}")


class Slots:
    """The slots of one cluster, shared by all reconcilers of this process."""

    def __init__(self, plane: ControlPlane, clock: Clock) -> None:
        self._plane = plane
        self._waiter = Waiter(clock)
        self._promises = _of_cluster.setdefault(plane, {})

    async def take(
        self,
        job_id: str,
        needed: int,
        replaced: str = "",
        used: int = 0,
        alongside: str = "",
    ) -> SlotCount | None:
        """Promise slots to a submission; return the slots where they are short.

        A first start that needs more than the cluster has waits a little: right after a restart of
        the cluster its TaskManagers are still on their way. `used` slots come free with the version
        that is replaced. One that runs `alongside` another job gets none of that job's; what was
        promised to the same job does not count, as it is taken later.
        """
        own = {identity_of(job_id), identity_of(alongside)}

        async def observe(_deadline: float) -> SlotCount:
            # In this order: a job that is seen to run has its slots when the free ones are counted.
            snapshot = await self._plane.jobs()
            free, total = await self._plane.task_slots()
            return SlotCount(free, total, self._outstanding(snapshot, but=own))

        enough = EnoughSlots(needed, used, 0 if replaced or alongside else REGISTERING)
        found = await self._waiter.until(
            observe, enough, _PATIENCE, backoff=constant_backoff(PAUSE)
        )
        if not found.met:
            return found.last
        self._promises[identity_of(job_id)] = _Promise(job_id, needed, replaced, used)
        return None

    def give_back(self, identity: str) -> None:
        """Forget what a job was promised: it runs, or will not."""
        self._promises.pop(identity, None)

    def _outstanding(self, snapshot: ClusterSnapshot, but: set[str]) -> int:
        others = (each for identity, each in self._promises.items() if identity not in but)
        return sum(promise.outstanding(snapshot) for promise in others)


_of_cluster: WeakKeyDictionary[ControlPlane, dict[str, _Promise]] = WeakKeyDictionary()


#: The clusters for which the warning that a program can end them was printed once.
_warned: WeakSet[ControlPlane] = WeakSet()
_ENDED_BY_MAIN = (
    "warning: a program whose main calls System.exit ends this cluster's JobManager, with all its "
    "jobs. Set cluster.intercept-user-system-exit to THROW in the cluster's configuration"
)


class NotEnoughSlots(PermanentError):
    """A job that does not run needs more task slots than are free at this moment.

    Whoever can wait may: right after a restart its TaskManagers have not come to the cluster yet.
    """


class NoSavepointDirectory(PermanentError):
    """Neither a job nor its cluster names a directory for savepoints."""


@dataclass(frozen=True)
class SubmissionTerms:
    """What counts for savepoints and the end of a submission of which no spec is known."""

    job_name: str
    savepoint_directory: str | None = None
    savepoint_format: SavepointFormat = SavepointFormat.CANONICAL
    timeouts: Timeouts = field(default_factory=Timeouts)

    def timeout(self, step: str) -> float:
        """Return the seconds allowed for a step of `Timeouts`."""
        return seconds(getattr(self.timeouts, step))


#: What of a job counts for its savepoints and its end.
SavepointTerms: TypeAlias = JobSpec | SubmissionTerms


@dataclass(frozen=True)
class Preflight:
    """Checks that a version could start, as far as is known without starting it."""

    _plane: ControlPlane
    _states: StateFinder
    slots: Slots
    _say: Say

    async def savepoint_layout(self, spec: SavepointTerms, now: str) -> SavepointLayout:
        """Return where a job's savepoints go.

        Raises:
            NoSavepointDirectory: Neither job nor cluster names a directory.
        """
        directory = spec.savepoint_directory
        if not directory:
            directory = (await self._plane.facts()).savepoint_directory
        if not directory:
            raise NoSavepointDirectory(
                f"{spec.job_name}: no savepoint can be taken, since neither the job nor the "
                "cluster names a savepoint directory",
                now=now,
                remedy=Remedy.NAME_SAVEPOINT_DIRECTORY,
            )
        return SavepointLayout(directory, spec.job_name)

    async def restore_point(self, spec: JobSpec, path: str, now: str) -> None:
        """Check that a savepoint named by the user is whole, where that can be seen from here.

        Raises:
            PermanentError: It is not there, or torn.
        """
        finding = await self._states.inspect(path)
        if finding.condition is Condition.GONE:
            raise PermanentError(
                f"{spec.job_name}: {{field}}: there is no savepoint at {path}",
                now=now,
                field="restore_from",
                remedy="Name the directory that holds its _metadata file",
            )
        if finding.broken:
            raise PermanentError(
                f"{spec.job_name}: {{field}}: the savepoint {path} {finding}",
                now=now,
                field="restore_from",
                remedy="Name another one; flink-jobs jobs savepoints lists them",
            )

    async def program(
        self,
        submission: Submission,
        replaced: ObservedJob | None,
        now: str,
        *,
        alongside: bool = False,
    ) -> JobGraph | None:
        """Check that the program builds its job graph, and that there are slots enough for it.

        The program's `main` runs on the cluster, as it will when the job is submitted. A first
        start is planned where slots are fixed: a job that does not fit would take every free slot
        until it gives up. The slots are promised to the submission until they are given back. It
        returns the program's plan, or None where it was not planned.

        `alongside` is whether the running version goes on while this one runs: then its slots do
        not come free.

        Raises:
            PermanentError: It would not start; nothing was changed.
            NotEnoughSlots: Nothing of it runs, and slots are short.
        """
        facts = await self._plane.facts()
        if facts.intercepts_exit is False and self._plane not in _warned:
            _warned.add(self._plane)
            self._say(_ENDED_BY_MAIN)
        if replaced is None and not facts.fixed_slots:
            return None
        try:
            planned = await self._plane.plan(submission)
        except ActionFailed as error:
            raise PermanentError(
                f"{submission.job_name}: the new version cannot be started: {error.happened}",
                now=now,
                remedy=Remedy.FIX_PROGRAM,
            ) from None
        except PermanentError as error:
            error.complete(now=now)
            raise
        if facts.fixed_slots:
            if alongside and replaced:
                await self._take_slots_alongside(submission, planned.parallelism, replaced, now)
            else:
                await self._take_slots(submission, planned.parallelism, replaced, now)
        return planned

    async def _take_slots_alongside(
        self, submission: Submission, needed: int, other: ObservedJob, now: str
    ) -> None:
        """Promise slots to a submission that runs at the same time as another version."""
        short = await self.slots.take(submission.job_id, needed, alongside=other.job_id)
        if short is None:
            return
        raise PermanentError(
            f"{submission.job_name}: {needed} task slots are needed alongside job {other.job_id}, "
            f"which goes on; {short.free} are free{_promised(short)}",
            now=now,
            remedy="Lower parallelism, or add TaskManagers",
        )

    async def _take_slots(
        self, submission: Submission, needed: int, replaced: ObservedJob | None, now: str
    ) -> None:
        """Promise slots to a submission, those of the version that it replaces included."""
        used = await self._plane.parallelism(replaced.job_id) if replaced else None
        short = await self.slots.take(
            submission.job_id, needed, replaced.job_id if replaced else "", used or 0
        )
        if short is None:
            return
        freed = f", and {used} more when the present version stops" if used else ""
        kind = PermanentError if replaced else NotEnoughSlots
        raise kind(
            f"{submission.job_name}: {needed} task slots are needed, {short.free} are free"
            f"{_promised(short)}{freed}",
            now=now,
            remedy="Lower parallelism, or add TaskManagers",
        )


def _promised(short: SlotCount) -> str:
    """Return in words how many of the free slots other jobs are about to take."""
    if not short.promised:
        return ""
    return f", {short.promised} of them promised to other jobs that are being started"
