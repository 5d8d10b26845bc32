"""Keeping the records' statuses those of the clusters: one list call for all jobs of a cluster."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from flink_jobs_provider.control_planes.http import SharedCall
from flink_jobs_provider.gateway.jobs.background import where
from flink_jobs_provider.gateway.jobs.intervals import Intervals
from flink_jobs_provider.gateway.jobs.stored_documents import read_record, stored_record, with_end
from flink_jobs_provider.gateway.jobs.threads import Threads
from flink_jobs_provider.gateway.jobs.worker import Planes
from flink_jobs_provider.gateway.store import JobState, RecordsError, Store
from flink_jobs_provider.gateway.store.queries import ACTIVE
from flink_jobs_provider.gateway.store.stored_values import Watched
from flink_jobs_provider.model.errors import JobError
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.flink import Reconciler
from flink_jobs_provider.reconciling.waiter import Clock

_log = logging.getLogger(__name__)


class Observer:
    """Observes one cluster, and records what has changed there.

    Args:
        cluster: Key of the cluster.
        target: How it is reached.
        store: The records.
        planes: Opens clusters.
        threads: For calls of the records.
        intervals: How often.
        clock: Time as the reconcilers see it.
    """

    def __init__(
        self,
        cluster: str,
        target: FlinkTarget,
        store: Store,
        planes: Planes,
        threads: Threads,
        intervals: Intervals,
        clock: Clock,
    ) -> None:
        self._cluster = cluster
        self._target = target
        self._store = store
        self._planes = planes
        self._threads = threads
        self._intervals = intervals
        self._clock = clock
        self._looks = SharedCall(self._look)
        self._answered: bool | None = None
        self._trouble: JobError | None = None

    @property
    def trouble(self) -> JobError | None:
        """Why the cluster did not answer the last time; None where it did."""
        return self._trouble

    @property
    def answered(self) -> bool | None:
        """Whether the cluster answered the last time; none before the first."""
        return self._answered

    async def look(self) -> None:
        """Observe the cluster now.

        Raises:
            JobError: It does not answer.
        """
        await self._looks.get()

    async def fresh(self) -> None:
        """Refresh the records, if the cluster answers soon enough."""
        if self._answered is False:
            return
        try:
            async with asyncio.timeout(self._intervals.patience):
                await self._looks.get(self._intervals.fresh)
        except (JobError, TimeoutError):
            pass  # what was seen last is what there is to show
        except RecordsError as error:
            # Whoever asked for a refresh asks the records next, and gets their answer.
            _log.warning("what was seen cannot be recorded: %s", error)

    async def _look(self) -> None:
        try:
            plane = self._planes.of(self._target)
            snapshot = await plane.jobs()
        except JobError as error:
            if self._answered is not False:
                _log.warning("cluster %s cannot be seen: %s", self._cluster, error)
            self._answered = False
            self._trouble = error
            raise
        if self._answered is False:
            _log.info("cluster %s is seen again", self._cluster)
        self._answered = True
        self._trouble = None
        await self._compare(snapshot)

    async def _compare(self, snapshot: ClusterSnapshot) -> None:
        running: dict[str, list[ObservedJob]] = defaultdict(list)
        for job in snapshot.jobs:
            if job.active:
                running[identity_of(job.job_id)].append(job)
        rows = await self._threads.call(self._store.watched, self._cluster, ACTIVE)
        others = sorted(set(running) - {row.identity for row in rows})
        if others:
            rows += await self._threads.call(self._store.watched_by_identity, self._cluster, others)
        for row in rows:
            if not _as_recorded(row, running[row.identity]):
                await self._look_closer(row.number)

    async def _look_closer(self, number: int) -> None:
        row = await self._threads.call(self._store.job, self._cluster, number)
        if row is None or row.last.finished_at is None:
            return  # an action is in progress, and says in the end how its job is
        plane = self._planes.of(self._target)
        reconciler = Reconciler(plane, self._target.loopback, clock=self._clock)
        recorded = read_record(row.record, self._target)
        seen = await reconciler.refresh(recorded)
        if seen != recorded or seen.status != row.status:
            state = await with_end(plane, JobState(stored_record(seen), seen.status.value))
            await self._threads.call(self._store.observe, row.number, row.revision, state)


def _as_recorded(row: Watched, running: list[ObservedJob]) -> bool:
    """Whether a job is plainly as its row says, so that it need not be observed by itself."""
    return (
        row.settled
        and len(running) == 1
        and running[0].job_id == row.job_id
        and running[0].status == row.status
    )


async def keep_observing(
    observer: Observer, every: float, then: Callable[[], Awaitable[None]]
) -> None:
    """Observe a cluster for ever; after each observation that it answered do something more."""
    while True:
        begun = time.monotonic()
        try:
            await observer.look()
            await then()
        except JobError:
            pass  # said where it was seen
        except Exception as error:  # noqa: BLE001 - the next look may do better
            _log.error("looking at a cluster failed: %s", where(error))
        await asyncio.sleep(max(0.0, every - (time.monotonic() - begun)))
