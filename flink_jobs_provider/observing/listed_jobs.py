"""What a list shows of its jobs beyond the cluster's job list: restarts and checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace

from flink_jobs_provider.control_planes.flink.client import FlinkClient
from flink_jobs_provider.control_planes.flink.inspection import RESTARTS, Aggregate, MetricReader
from flink_jobs_provider.model.observation import ClusterSnapshot, ObservedJob
from flink_jobs_provider.observing.health import JobHealth
from flink_jobs_provider.observing.job_health import JobReader

#: Jobs that one request can name: its line has 4096 bytes at most, and a jobId has 32 digits.
JOBS_A_REQUEST = 80
#: Requests to a cluster at a time.
_AT_ONCE = 8
#: For how many seconds a job is remembered that nobody lists any more.
_FORGOTTEN_AFTER = 300.0


@dataclass(frozen=True)
class JobList:
    """The job list of a cluster.

    Attributes:
        at: When it was read, by the cluster's clock: milliseconds since the epoch.
        snapshot: The jobs.
    """

    at: int
    snapshot: ClusterSnapshot


@dataclass
class _Known:
    """A job that was read, and when."""

    reader: JobReader
    health: JobHealth
    read: float


class ListedJobs:
    """Reads some jobs of a cluster: those of the pages that are open.

    Costs a request a job for its checkpoints, and one more the first time; for restarts one for 80
    jobs that were restarted equally often, as those are that never were.

    Args:
        client: The cluster's API.
        metrics: Its metrics.
        jobs: Returns its job list.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self,
        client: FlinkClient,
        metrics: MetricReader,
        jobs: Callable[[], Awaitable[JobList]],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._jobs = jobs
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._reading = asyncio.Lock()

    async def read(self, job_ids: Collection[str], max_age: float) -> dict[str, JobHealth]:
        """Return jobs that have not ended, by jobId, read at most `max_age` seconds ago.

        They have no vertices and no exceptions.
        """
        async with self._reading:
            now = self._clock()
            listed = await self._jobs()
            by_id = listed.snapshot.by_id
            active = [by_id[each] for each in job_ids if each in by_id and by_id[each].active]
            due = [job for job in active if self._is_due(job, now - max_age)]
            await self._read(due, listed.at)
            for job_id, known in list(self._known.items()):
                if known.read < now - _FORGOTTEN_AFTER:
                    del self._known[job_id]
        return {job.job_id: self._known[job.job_id].health for job in active}

    def _is_due(self, job: ObservedJob, oldest: float) -> bool:
        known = self._known.get(job.job_id)
        return known is None or known.read <= oldest or known.health.job.state != job.state

    async def _read(self, jobs: Collection[ObservedJob], at: int) -> None:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(job: ObservedJob, restarts: float | None) -> None:
            known = self._known.get(job.job_id)
            reader = known.reader if known else JobReader(self._client, job.job_id, self._clock)
            async with turns:
                read = self._clock()
                seen = await reader.checkpoints(job, at)
            whole = replace(seen, restarts=None if restarts is None else int(restarts))
            self._known[job.job_id] = _Known(reader, whole, read)

        restarts = await self._restarts([job.job_id for job in jobs])
        await asyncio.gather(*(one(job, restarts.get(job.job_id)) for job in jobs))

    async def _restarts(self, job_ids: list[str]) -> Mapping[str, float]:
        """Return how often jobs were restarted; without those of which that is not reported.

        Only the least, the greatest and the sum of many jobs are reported: where they show that all
        have the same number, it is that of each; else it is asked for halves of them.
        """
        metric = RESTARTS[0]
        found: dict[str, float] = {}
        parts = [
            job_ids[first : first + JOBS_A_REQUEST]
            for first in range(0, len(job_ids), JOBS_A_REQUEST)
        ]
        while parts:
            part = parts.pop()
            seen = (await self._metrics.read("jobs/metrics", [metric], part)).get(metric)
            if seen is None:
                continue
            if len(part) == 1 or _is_of_each(seen, len(part)):
                found |= dict.fromkeys(part, seen.maximum)
            else:
                parts += [part[: len(part) // 2], part[len(part) // 2 :]]
        return found


def _is_of_each(seen: Aggregate, jobs: int) -> bool:
    """Whether each of some jobs has the same value: one without the metric adds nothing to the sum.

    Where all that have it were never restarted, one without it counts as such, too.
    """
    return seen.minimum == seen.maximum and seen.total == seen.maximum * jobs
