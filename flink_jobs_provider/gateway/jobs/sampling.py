"""Recording how jobs are, once a minute: one request for a cluster, however many jobs it has.

Gateways on the same records share the clusters: each minute of a cluster is claimed by the first
one that is free. One that cannot observe the cluster leaves the minute to the others; that nobody
could is recorded when it is nearly over. Details of a job are recorded where somebody read it,
which asks for nothing more: each gateway records those that it has.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence

from flink_jobs_provider.gateway.job_history import (
    MINUTE,
    NOT_LISTED,
    UNREACHABLE,
    StateSample,
    load_of,
    sample_of,
)
from flink_jobs_provider.gateway.jobs.background import where
from flink_jobs_provider.gateway.jobs.gateway_process import GatewayProcess
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.store import ACTIVE, RecordsError
from flink_jobs_provider.model.errors import ClusterUnreachable, JobError
from flink_jobs_provider.model.identity import identity_of
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.listed_jobs import JobList

_log = logging.getLogger(__name__)

#: For how many milliseconds the end of a job is recorded: until two minutes have it.
_JUST_ENDED = 2 * MINUTE * 1000
#: Statuses of a job that its cluster should list as active.
_EXPECTED = frozenset((*ACTIVE, "LOST"))


class Sampling:
    """Records, minute by minute, how the jobs of all clusters are.

    Args:
        process: What the parts of this process share.
        monitors: Observe the clusters.
    """

    def __init__(self, process: GatewayProcess, monitors: Monitors) -> None:
        self._process = process
        self._store = process.store
        self._monitors = monitors
        self._clusters = [cluster.key for cluster in process.configuration.clusters]
        self._loaded: tuple[int, set[str]] = (0, set())
        self._put_at = time.monotonic()

    async def keep_sampling(self) -> None:
        """Record for ever."""
        trouble = ""
        while True:
            try:
                await self.sample()
                trouble = ""
            except RecordsError as error:
                if not trouble:
                    _log.warning("the history is not recorded: %s", error)
                trouble = str(error) or "unknown"
            except Exception as error:  # noqa: BLE001 - the next minute may do better
                _log.error("recording the history failed: %s", where(error))
            await asyncio.sleep(self._process.intervals.sample)

    async def sample(self) -> None:
        """Record this minute, of the clusters of which nobody has; and what was read.

        Raises:
            RecordsError: It cannot be recorded.
        """
        process = self._process
        minute, due = await process.call(
            self._store.claim_sampling, process.name, process.intervals.lease, self._clusters
        )
        await asyncio.gather(*(self._sample(key, minute) for key in due))
        since, self._put_at = self._put_at, time.monotonic()
        for key in self._clusters:
            await self._put_loads(key, minute, self._put_at - since)

    async def _sample(self, cluster: str, minute: int) -> None:
        # The records first: a job that was recorded after the list was read is not missing in it.
        jobs = await self._process.call(self._store.jobs_to_sample, cluster)
        seen = await self._monitors.observe(cluster, ClusterMonitor.jobs)
        name = self._process.name
        if not isinstance(seen, JobError):
            found = list(samples(jobs, seen))
        elif await self._process.call(self._store.release_sampling, cluster, name, minute):
            return
        else:
            found = list(_unobserved(jobs, seen))
        await self._process.call(self._store.put_samples, cluster, name, minute, found)

    async def _put_loads(self, cluster: str, minute: int, age: float) -> None:
        """Record the details of jobs that somebody read, once in a minute.

        Args:
            cluster: The key of their cluster.
            minute: The present minute.
            age: Seconds since that was done last.
        """
        if self._loaded[0] != minute:
            self._loaded = (minute, set())
        done = self._loaded[1]
        looked_at = self._monitors.looked_at(cluster, age)
        new = {job_id: health for job_id, health in looked_at.items() if job_id not in done}
        if not new:
            return
        numbers = await self._process.call(self._store.jobs_by_id, cluster, sorted(new))
        loads = {number: load_of(new[job_id]) for job_id, number in numbers.items()}
        await self._process.call(self._store.put_loads, minute, loads)
        done.update(new)


def _unobserved(jobs: Sequence[tuple[int, str, str]], error: JobError) -> Iterator[StateSample]:
    """Yield the samples of a minute in which no gateway could observe the cluster.

    One that answers, and does not let itself be observed, is not unreachable: there are none.
    """
    if isinstance(error, ClusterUnreachable):
        for number, job_id, status in jobs:
            if status in _EXPECTED:
                yield StateSample(number, job_id, UNREACHABLE)


def samples(jobs: Sequence[tuple[int, str, str]], seen: JobList) -> Iterator[StateSample]:
    """Yield the samples of a minute in which the cluster answered.

    A job that ended long ago has none, nor one that is not listed and need not be.

    Args:
        jobs: Number, jobId and status on record.
        seen: The cluster's list. It may have a later submission, which is not on record yet.
    """
    newest: dict[str, ObservedJob] = {}
    for job in sorted(seen.snapshot.jobs, key=lambda job: job.age_key):
        newest[identity_of(job.job_id)] = job
    for number, job_id, status in jobs:
        listed = newest.get(identity_of(job_id))
        if listed is None:
            if status in _EXPECTED:
                yield StateSample(number, job_id, NOT_LISTED)
        elif listed.active or seen.at - listed.ended < _JUST_ENDED:
            yield sample_of(number, listed)
