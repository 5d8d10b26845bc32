"""The task slots that jobs of one run are about to take, each counted once.

Jobs of a stack are started at the same time, and a slot is free until the tasks of a job are
deployed. So what a job was promised counts as taken until its tasks run: from then on the cluster
counts it. Where slots are short for that alone, the others are waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot
from flink_jobs_provider.reconciling.waiting import Clock

#: How long the other jobs of a run are waited for, in seconds, and how often is looked.
_PATIENCE, PAUSE = 60.0, 0.25
#: How long TaskManagers are waited for that a cluster which has just started may not have yet.
REGISTERING = 10.0


@dataclass(frozen=True)
class Shortage:
    """Slots that are not there.

    Attributes:
        free: How many are free.
        promised: How many of these other jobs of this run are about to take.
    """

    free: int
    promised: int


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


class Slots:
    """The slots of one cluster, shared by all reconcilers of this process."""

    def __init__(self, plane: ControlPlane, clock: Clock) -> None:
        self._plane = plane
        self._clock = clock
        self._promises = _of_cluster.setdefault(plane, {})

    async def take(
        self, job_id: str, needed: int, replaced: str = "", used: int = 0
    ) -> Shortage | None:
        """Promise slots to a submission; return what is short, or None where they are there.

        A first start that needs more than the cluster has waits a little: right after a restart of
        the cluster its TaskManagers are still on their way.

        Args:
            job_id: The submission.
            needed: How many slots it needs.
            replaced: The version that is stopped for it; empty for none.
            used: How many slots that one has.
        """
        began = self._clock.now()
        deadline, complete = began + _PATIENCE, began + (0 if replaced else REGISTERING)
        while True:
            # In this order: a job that is seen to run has its slots when the free ones are counted.
            snapshot = await self._plane.jobs()
            free, total = await self._plane.task_slots()
            promised = self._outstanding(snapshot, but=identity_of(job_id))
            if free + used - promised >= needed:
                self._promises[identity_of(job_id)] = _Promise(job_id, needed, replaced, used)
                return None
            if free + used < needed and not promised:
                if total >= needed or self._clock.now() >= complete:
                    return Shortage(free, 0)
            elif self._clock.now() >= deadline:
                return Shortage(free, promised)
            await self._clock.sleep(PAUSE)

    def give_back(self, identity: str) -> None:
        """Forget what a job was promised: it runs, or will not."""
        self._promises.pop(identity, None)

    def _outstanding(self, snapshot: ClusterSnapshot, but: str) -> int:
        others = (each for identity, each in self._promises.items() if identity != but)
        return sum(promise.outstanding(snapshot) for promise in others)


_of_cluster: WeakKeyDictionary[ControlPlane, dict[str, _Promise]] = WeakKeyDictionary()
