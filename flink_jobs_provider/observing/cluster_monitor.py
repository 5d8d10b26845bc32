"""One cluster, observed for all who read it at the same time; nothing is asked when nobody does."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any

from flink_jobs_provider.control_planes.flink.bodies import parse_overview
from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.control_planes.flink.inspection import (
    Aggregate,
    MetricReader,
    cluster_time,
    finite,
)
from flink_jobs_provider.control_planes.http import SharedCall
from flink_jobs_provider.model.errors import ActionFailed, JobError
from flink_jobs_provider.observing.attention import Attention, Observation, listed_attention
from flink_jobs_provider.observing.health import ClusterHealth, JobHealth, Memory, NotListed
from flink_jobs_provider.observing.job_health import JobReader
from flink_jobs_provider.observing.listed_jobs import JOBS_A_REQUEST, JobList, ListedJobs
from flink_jobs_provider.observing.named_metrics import JobMetrics, MetricRow
from flink_jobs_provider.observing.recent_observations import RecentObservations

#: Pools of memory, each with what is used of it and its limit.
_METASPACE, _HEAP = "Status.JVM.Memory.Metaspace", "Status.JVM.Memory.Heap"
_USED, _LIMIT = ".Used", ".Max"
_MEMORY = tuple(f"{pool}{part}" for pool in (_METASPACE, _HEAP) for part in (_USED, _LIMIT))
_JOB_TOTALS = ("numRestarts", "numberOfFailedCheckpoints")
#: For how many seconds a job is remembered after it was last read.
_FORGOTTEN_AFTER = 900.0
#: Seconds between two searches for jobs to forget, which go through all that are watched.
_FORGET_EVERY = 30.0
#: The share of an interval that an observation may be old, for followers who are not in step.
_IN_STEP = 0.9
#: Seconds that a job list may be old of which single jobs are read.
_LISTED_AGE = 2.0
#: For how many milliseconds at least it is shown what happened between two lists.
_SHOWN_FOR = 60_000


#: How many choices of metrics are remembered with their values.
_CHOICES = 64
#: Jobs of which the load is read at a time.
_AT_ONCE = 8


class Depth(Enum):
    """How much of a job is observed.

    LOAD costs three requests, and one for each vertex; WHOLE two more, for checkpoints and
    exceptions.
    """

    LOAD = "load"
    WHOLE = "whole"


class _Watched:
    """A job that is watched, and what was observed of it lately."""

    def __init__(self, observe: Callable[[], Awaitable[Observation]], clock: Any) -> None:
        self.recent = RecentObservations()
        self.looked = clock()
        self.observed: float | None = None

        async def remembered() -> Observation:
            seen = await observe()
            self.recent.append(seen)
            self.observed = clock()
            return seen

        self.call = SharedCall(remembered, clock)


class ClusterMonitor:
    """Observes one cluster and its jobs.

    A list costs one request and a cluster five, whatever the number of jobs and of those who look.
    A job that is read costs five, and one for each of its vertices.

    Args:
        client: The cluster's API.
        clock: Seconds that only ever grow.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        client: FlinkClient,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._metrics = MetricReader(client, clock)
        self._list = SharedCall(self._read_list, clock)
        self._cluster = SharedCall(self._read_cluster, clock)
        self._before: JobList | None = None
        self._readers: dict[str, JobReader] = {}
        self._watched: dict[tuple[str, Depth], _Watched] = {}
        self._forgot = clock()
        self._listed = ListedJobs(
            client, self._metrics, partial(self._list.get, _LISTED_AGE), clock
        )
        self._chosen: OrderedDict[tuple[str, ...], SharedCall[list[MetricRow]]] = OrderedDict()

    async def jobs(self, max_age: float = 0.0) -> JobList:
        """Return the job list, read at most `max_age` seconds ago; one request for all who ask."""
        return await self._list.get(max_age)

    async def cluster(self, max_age: float = 0.0) -> ClusterHealth:
        """Return the cluster's health, observed at most `max_age` seconds ago."""
        return await self._cluster.get(max_age)

    async def attention(self, max_age: float = 0.0) -> dict[str, tuple[Attention, ...]]:
        """Return what the cluster's list shows to need attention, by jobId.

        What happened between two lists, such as a restart, is shown for a minute at least. It costs
        one request, so that a page may ask all clusters.
        """
        now = await self._list.get(max_age)
        return listed_attention(self._before, now)

    async def listed(self, job_ids: Collection[str], max_age: float) -> dict[str, JobHealth]:
        """Return restarts and checkpoints of some jobs that have not ended, by jobId."""
        return await self._listed.read(job_ids, max_age)

    async def job(
        self, job_id: str, max_age: float = 0.0, depth: Depth = Depth.WHOLE
    ) -> Observation:
        """Return a job in detail, observed at most `max_age` seconds ago."""
        self._forget()
        key = job_id, depth
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = self._watch(job_id, depth)
        watched.looked = self._clock()
        return await watched.call.get(max_age)

    def history(self, job_id: str, depth: Depth = Depth.WHOLE) -> tuple[Observation, ...]:
        """Return what was observed of a job lately, the newest last; for `needs_attention`."""
        watched = self._watched.get((job_id, depth))
        return watched.recent.all() if watched else ()

    async def observed(self, job_id: str, max_age: float) -> tuple[Observation, ...]:
        """Return a job's history, whose newest observation is at most `max_age` seconds old."""
        await self.job(job_id, max_age)
        return self.history(job_id)

    async def loads(
        self, job_ids: Collection[str], max_age: float, within: float
    ) -> dict[str, tuple[Observation, ...] | JobError]:
        """Return the histories of the load of several jobs, by jobId, or why one was not observed.

        The job list is read once for all of them.

        Args:
            job_ids: The jobs.
            max_age: Seconds that the newest observations may be old.
            within: After how many seconds those are left out that are not observed by then.
        """
        await self._list.get(_LISTED_AGE)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(job_id: str) -> tuple[Observation, ...] | JobError:
            async with turns:
                try:
                    await self.job(job_id, max_age, Depth.LOAD)
                except JobError as error:
                    return error
            return self.history(job_id, Depth.LOAD)

        begun = {job_id: asyncio.create_task(one(job_id)) for job_id in job_ids}
        try:
            if begun:
                await asyncio.wait(begun.values(), timeout=within)
            return {job_id: task.result() for job_id, task in begun.items() if task.done()}
        finally:
            for task in begun.values():
                task.cancel()

    def looked_at(self, max_age: float) -> dict[str, JobHealth]:
        """Return the jobs that were observed whole in the last `max_age` seconds, by jobId.

        Nothing is asked for it.
        """
        oldest = self._clock() - max_age
        found = {}
        for (job_id, depth), watched in self._watched.items():
            observed = watched.observed
            if depth is Depth.WHOLE and observed is not None and observed >= oldest:
                newest = watched.recent.all()[-1]
                if isinstance(newest, JobHealth):
                    found[job_id] = newest
        return found

    async def metrics(
        self, job_id: str, wanted: Sequence[str] = (), max_age: float = 0.0
    ) -> list[MetricRow]:
        """Return metrics of a job by their names, or by default those that tell its health.

        Raises:
            UnknownMetric: There is no metric of a name.
        """
        choice = (job_id, "values", *sorted(wanted))
        return await self._choice(choice, lambda reader: reader.rows(wanted)).get(max_age)

    async def metric_names(self, job_id: str, max_age: float = 0.0) -> list[MetricRow]:
        """Return the names of all metrics of a job, without values."""
        return await self._choice((job_id, "names"), JobMetrics.named).get(max_age)

    async def follow(self, job_id: str, interval: float) -> AsyncIterator[tuple[Observation, ...]]:
        """Yield a job's history, now and after each interval in seconds, until it is closed.

        However many follow a job, it is observed once an interval.
        """
        while True:
            await self.job(job_id, interval * _IN_STEP)
            yield self.history(job_id)
            await self._sleep(interval)

    async def jobs_beyond(
        self, metric: str, bound: float, job_ids: Sequence[str]
    ) -> dict[str, float]:
        """Return the value of a metric of JobManagers for each job in which it exceeds a bound.

        Flink has no call for the values of many jobs, but one for the greatest of them: it is
        asked for ever fewer jobs where it exceeds the bound. Where it never does, as in a healthy
        cluster, that is one request.

        Args:
            metric: Its name, such as `numberOfFailedCheckpoints`.
            bound: What it may be at most.
            job_ids: The jobs that are searched.
        """
        everything = await self._greatest(metric)
        if everything is None or everything <= bound or not job_ids:
            return {}
        parts = [
            job_ids[first : first + JOBS_A_REQUEST]
            for first in range(0, len(job_ids), JOBS_A_REQUEST)
        ]
        found: dict[str, float] = {}
        while parts:
            part = parts.pop()
            greatest = await self._greatest(metric, part)
            if greatest is None or greatest <= bound:
                continue
            if len(part) == 1:
                found[part[0]] = greatest
                continue
            parts += [part[: len(part) // 2], part[len(part) // 2 :]]
        return found

    async def _greatest(self, metric: str, job_ids: Sequence[str] = ()) -> float | None:
        found = await self._metrics.read("jobs/metrics", [metric], job_ids)
        return found[metric].maximum if metric in found else None

    def _choice(
        self,
        choice: tuple[str, ...],
        read: Callable[[JobMetrics], Awaitable[list[MetricRow]]],
    ) -> SharedCall[list[MetricRow]]:
        """Return the call that all share who ask for the same metrics of the same job."""

        async def listed() -> list[MetricRow]:
            jobs = await self._list.get()
            if choice[0] not in jobs.snapshot.by_id:
                return []
            return await read(JobMetrics(self._client, choice[0], self._clock, self._sleep))

        call = self._chosen.setdefault(choice, SharedCall(listed, self._clock))
        self._chosen.move_to_end(choice)
        if len(self._chosen) > _CHOICES:
            self._chosen.popitem(last=False)
        return call

    def _watch(self, job_id: str, depth: Depth) -> _Watched:
        reader = self._readers.get(job_id)
        if reader is None:
            reader = JobReader(self._client, job_id, self._clock, self._sleep)
            self._readers[job_id] = reader
        whole = depth is Depth.WHOLE
        read = reader.observe if whole else reader.load

        async def observe() -> Observation:
            listed = await self._list.get(0.0 if whole else _LISTED_AGE)
            job = listed.snapshot.by_id.get(job_id)
            return await read(job, listed.at) if job else NotListed(job_id, listed.at)

        return _Watched(observe, self._clock)

    def _forget(self) -> None:
        now = self._clock()
        if now - self._forgot < _FORGET_EVERY:
            return
        self._forgot = now
        oldest = now - _FORGOTTEN_AFTER
        for key in [each for each, job in self._watched.items() if job.looked < oldest]:
            del self._watched[key]
        watched = {job_id for job_id, _ in self._watched}
        for job_id in [each for each in self._readers if each not in watched]:
            del self._readers[job_id]

    async def _read_list(self) -> JobList:
        latest = self._list.latest
        if latest and (self._before is None or latest.at - self._before.at >= _SHOWN_FOR):
            self._before = latest
        body = await self._get("jobs/overview", "jobs")
        return JobList(cluster_time(body), parse_overview(body))

    async def _read_cluster(self) -> ClusterHealth:
        listed, overview, totals, task_managers, job_manager = await asyncio.gather(
            self._list.get(),
            self._get("overview", "slots-total"),
            self._metrics.read("jobs/metrics", _JOB_TOTALS),
            self._metrics.read("taskmanagers/metrics", _MEMORY),
            self._job_manager_memory(),
        )
        greatest = {name: found.maximum for name, found in task_managers.items()}
        return ClusterHealth(
            at=listed.at,
            version=str(overview.get("flink-version") or ""),
            task_managers=int(overview.get("taskmanagers") or 0),
            slots=int(overview["slots-total"]),
            free_slots=int(overview.get("slots-available") or 0),
            snapshot=listed.snapshot,
            restarts=_total(totals.get(_JOB_TOTALS[0])),
            failed_checkpoints=_total(totals.get(_JOB_TOTALS[1])),
            metaspace=_memory(greatest, _METASPACE),
            job_manager_metaspace=_memory(job_manager, _METASPACE),
            heap=_memory(greatest, _HEAP),
            job_manager_heap=_memory(job_manager, _HEAP),
        )

    async def _job_manager_memory(self) -> dict[str, float]:
        try:
            body = await self._client.get(f"jobmanager/metrics?get={','.join(_MEMORY)}")
        except FlinkAnswer:
            return {}
        values = {str(each["id"]): finite(each.get("value")) for each in body}
        return {name: value for name, value in values.items() if value is not None}

    async def _get(self, path: str, has: str) -> dict[str, Any]:
        try:
            body: dict[str, Any] = await self._client.get(path, has)
        except FlinkAnswer as answer:
            raise ActionFailed(f"{self._client.url}/{path} answered {answer}") from None
        return body


def _total(found: Aggregate | None) -> int | None:
    return int(found.total) if found else None


def _memory(values: Mapping[str, float], pool: str) -> Memory | None:
    if f"{pool}{_USED}" not in values:
        return None
    limit = values.get(f"{pool}{_LIMIT}", -1)
    return Memory(int(values[f"{pool}{_USED}"]), int(limit) if limit > 0 else None)
