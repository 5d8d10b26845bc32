"""The task slots that jobs of one run are about to take, each counted once.

Jobs of a stack are started at the same time, and a slot is free until the tasks of a job are
deployed. So what a job was promised counts as taken until its tasks run: from then on the cluster
counts it. Where slots are short for that alone, the others are waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot
from flink_jobs_provider.reconciling.conditions import (
    Failed,
    Judgement,
    Met,
    NotYet,
    Observation,
    Shown,
    waited,
)
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
        free: How many are free.
        total: How many there are.
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
        needed: How many slots it needs.
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
        self, job_id: str, needed: int, replaced: str = "", used: int = 0
    ) -> SlotCount | None:
        """Promise slots to a submission; return the slots where they are short.

        A first start that needs more than the cluster has waits a little: right after a restart of
        the cluster its TaskManagers are still on their way. `used` slots come free with the version
        that is replaced.
        """
        identity = identity_of(job_id)

        async def observe(_deadline: float) -> SlotCount:
            # In this order: a job that is seen to run has its slots when the free ones are counted.
            snapshot = await self._plane.jobs()
            free, total = await self._plane.task_slots()
            return SlotCount(free, total, self._outstanding(snapshot, but=identity))

        enough = EnoughSlots(needed, used, 0 if replaced else REGISTERING)
        found = await self._waiter.until(
            observe, enough, _PATIENCE, backoff=constant_backoff(PAUSE)
        )
        if not found.met:
            return found.last
        self._promises[identity] = _Promise(job_id, needed, replaced, used)
        return None

    def give_back(self, identity: str) -> None:
        """Forget what a job was promised: it runs, or will not."""
        self._promises.pop(identity, None)

    def _outstanding(self, snapshot: ClusterSnapshot, but: str) -> int:
        others = (each for identity, each in self._promises.items() if identity != but)
        return sum(promise.outstanding(snapshot) for promise in others)


_of_cluster: WeakKeyDictionary[ControlPlane, dict[str, _Promise]] = WeakKeyDictionary()
