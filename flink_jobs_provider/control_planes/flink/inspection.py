"""What a cluster reports of a job for people to read: metrics, checkpoints, exceptions.

No decision depends on any of it: metrics are gathered by the cluster every ten seconds, and details
are served from a cache of three (`metrics.fetcher.update-interval`, `web.refresh-interval`).

Metrics are aggregated over jobs, subtasks or TaskManagers. Measured on 1.17.2, 1.20.5 and 2.3.0
(`tests/contract/flink/record_metrics.py`):

- Only aggregates are returned. `/jobs/metrics` has no value by job: that of one job takes a request
  that names it (`jobs=`).
- If one of the metrics that are asked for exists nowhere, the whole answer is empty. So the names
  are listed first, and only those that exist are asked for.
- A job or vertex that is unknown is left out; it is no error. One that has ended still counts.
- A request line of more than 4096 bytes is answered with 404, as something unknown is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flink_jobs_provider.control_planes.flink.bodies import (
    addressable,
    last_cause,
    parse_checkpoints,
)
from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.control_planes.protocol import MonotonicClock, Sleep
from flink_jobs_provider.model.errors import ActionFailed
from flink_jobs_provider.model.observation import CheckpointStatistics

#: Restarts since the submission, newest name first (MetricNames of Flink 1.17 to 2.3).
RESTARTS = ("numRestarts", "fullRestarts")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint or savepoint in a job's history.

    Attributes:
        number: Its id in Flink.
        kind: checkpoint, or savepoint.
        status: COMPLETED, IN_PROGRESS or FAILED.
        triggered: Milliseconds since the epoch.
        completed: When the last task acknowledged it; 0 where it has not completed.
        duration: Milliseconds from one end to the other.
        size: Bytes of state.
        path: Where it lies; empty where it cannot be restored from.
        discarded: Whether Flink has removed it since, as a newer one takes its place.
        failure: Why it failed.
    """

    number: int
    kind: str
    status: str
    triggered: int
    completed: int
    duration: int
    size: int
    path: str
    discarded: bool
    failure: str = ""


@dataclass(frozen=True)
class JobException:
    """One entry of a job's exception history.

    Attributes:
        at: Milliseconds since the epoch.
        cause: The last cause, one line.
        task: The task that failed; empty where the job failed as a whole.
        where: The TaskManager it ran on.
    """

    at: int
    cause: str
    task: str
    where: str
    trace: str


class JobInspection:
    """Reads of one cluster's jobs."""

    def __init__(self, client: FlinkClient) -> None:
        self._client = client

    async def clock(self) -> int:
        """Return the cluster's own time in milliseconds, as its job list shows it.

        Where no job is active, the list shows no time: then it is the time here.
        """
        return cluster_time(await self._client.get("jobs/overview"))

    async def restarts(self, job_id: str) -> int | None:
        """Return how often a job was restarted; None where the cluster has no such metric (yet)."""
        try:
            names = ",".join(RESTARTS)
            metrics = await self._client.get(f"jobs/{job_id}/metrics?get={names}")
        except FlinkAnswer:
            return None
        values = {metric["id"]: metric.get("value") for metric in metrics}
        found = [finite(values[name]) for name in RESTARTS if values.get(name)]
        return int(found[0]) if found and found[0] is not None else None

    async def checkpoints(self, job_id: str) -> tuple[CheckpointStatistics, list[Checkpoint]]:
        """Return a job's checkpoint statistics, and the history in them, newest first.

        Both are empty where the cluster keeps none of it: it is unknown, or has no checkpoints.
        """
        try:
            body = await self._client.get(f"jobs/{job_id}/checkpoints")
        except FlinkAnswer as answer:
            if answer.status == 404:
                return CheckpointStatistics(enabled=False), []
            raise ActionFailed(f"Flink answered {answer}") from None
        return parse_checkpoints(body), parse_history(body)

    async def exceptions(self, job_id: str, limit: int) -> list[JobException]:
        """Return what a job failed of, newest first.

        Raises:
            ActionFailed: The cluster does not report it.
        """
        try:
            body = await self._client.get(f"jobs/{job_id}/exceptions?maxExceptions={limit}")
        except FlinkAnswer as answer:
            raise ActionFailed(f"Flink answered {answer}") from None
        return parse_exceptions(body)[:limit]


def cluster_time(body: Mapping[str, Any]) -> int:
    """Return when `GET /jobs/overview` was answered, by the cluster's clock, in milliseconds.

    It is the start of an active job and its duration; the time here where no job is active.
    """
    times = [
        int(row["start-time"]) + int(row["duration"])
        for row in body["jobs"]
        if int(row.get("end-time", -1)) < 0 <= int(row.get("duration", -1))
    ]
    return max(times, default=int(time.time() * 1000))


def parse_history(body: dict[str, Any]) -> list[Checkpoint]:
    """Read the body of `GET /jobs/:id/checkpoints`.

    The history holds the last ten (`web.checkpoints.history`); the latest of each kind may be
    older.
    """
    latest = body.get("latest") or {}
    found: dict[int, Checkpoint] = {}
    for each in (
        *(latest.get(kind) for kind in ("completed", "savepoint", "failed")),
        *(body.get("history") or ()),
    ):
        if each:
            found[int(each["id"])] = _checkpoint(each)
    return sorted(found.values(), key=lambda each: each.number, reverse=True)


def newest_completed(history: Iterable[Checkpoint]) -> Checkpoint | None:
    """Return the newest checkpoint that has completed, whether or not it is still there."""
    done = (each for each in history if each.kind == "checkpoint" and each.status == "COMPLETED")
    return next(done, None)


def _checkpoint(each: dict[str, Any]) -> Checkpoint:
    done = each.get("status") == "COMPLETED"
    triggered = int(each.get("trigger_timestamp") or 0)
    duration = int(each.get("end_to_end_duration") or 0)
    return Checkpoint(
        number=int(each["id"]),
        kind="savepoint" if each.get("is_savepoint") else "checkpoint",
        status=str(each.get("status")),
        triggered=triggered,
        completed=triggered + duration if done else 0,
        duration=duration,
        size=int(each.get("state_size") or 0),
        path=addressable(each.get("external_path")),
        discarded=bool(each.get("discarded")),
        failure=last_cause(str(each.get("failure_message") or "")),
    )


def parse_exceptions(body: dict[str, Any]) -> list[JobException]:
    """Read the body of `GET /jobs/:id/exceptions`: its history, else its root exception (1.x)."""
    entries = (body.get("exceptionHistory") or {}).get("entries") or []
    if not entries and body.get("root-exception"):
        entries = [{"stacktrace": body["root-exception"], "timestamp": body.get("timestamp")}]
    return [
        JobException(
            at=int(entry.get("timestamp") or 0),
            cause=last_cause(str(entry.get("stacktrace") or entry.get("exceptionName") or "")),
            task=str(entry.get("taskName") or ""),
            where=str(entry.get("endpoint") or entry.get("location") or ""),
            trace=str(entry.get("stacktrace") or ""),
        )
        for entry in entries
    ]


#: Of a query, so that the request line stays below its limit.
_LONGEST_QUERY = 3000
#: For how many seconds a list of names is used: operators register metrics as they start.
_NAMES_AGE = 60.0
_AGGREGATIONS = "min,max,sum,avg"
#: The first request for metrics has a cluster gather them; they are there a moment later. How often
#: a list of jobs reads them until then, the pause between two reads in seconds, and for how many
#: seconds a single job waits for them.
GATHERING_TRIES, GATHERING_PAUSE_S, _GATHERING_S = 5, 0.1, 2.0


@dataclass(frozen=True)
class Aggregate:
    """One metric over the components that have it; the unit is that of the metric."""

    minimum: float
    maximum: float
    total: float
    mean: float


class MetricReader:
    """Reads aggregated metrics of one cluster, and remembers for a while which there are."""

    def __init__(
        self,
        client: FlinkClient,
        clock: MonotonicClock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._patient_until: float | None = None
        self._names: dict[str, tuple[float, frozenset[str]]] = {}

    async def names(self, path: str) -> frozenset[str]:
        """Return the names of all metrics below a path such as `jobs/metrics`.

        There are none until the cluster has gathered them, which the first request makes it do.
        """
        known = self._names.get(path)
        if known and self._clock() - known[0] < _NAMES_AGE:
            return known[1]
        names = frozenset(str(metric["id"]) for metric in await self._get(path))
        if names:
            self._names[path] = (self._clock(), names)
        return names

    async def gathered(self, path: str) -> frozenset[str]:
        """Return the names of all metrics below a path, and wait for a cluster that gathers them.

        It is waited for two seconds from the first call on, whatever the path.
        """
        if self._patient_until is None:
            self._patient_until = self._clock() + _GATHERING_S
        names = await self.names(path)
        while not names and self._clock() < self._patient_until:
            await self._sleep(GATHERING_PAUSE_S)
            names = await self.names(path)
        return names

    async def read(
        self, path: str, wanted: Collection[str], jobs: Collection[str] = ()
    ) -> dict[str, Aggregate]:
        """Return the aggregates of those metrics that exist, by name.

        Args:
            path: `jobs/metrics`, `taskmanagers/metrics`, or that of a vertex:
                `jobs/:id/vertices/:id/subtasks/metrics`.
            wanted: The names of the metrics.
            jobs: The jobs that count, on `jobs/metrics`; all if empty.
        """
        there = (await self.names(path)).intersection(wanted)
        chosen = f"&jobs={','.join(jobs)}" if jobs else ""
        found: dict[str, Aggregate] = {}
        for names in _queries(sorted(there), _LONGEST_QUERY - len(chosen)):
            body = await self._get(f"{path}?get={names}&agg={_AGGREGATIONS}{chosen}")
            if not body:
                self._names.pop(path, None)  # one of them is gone: list them again next time
            found |= parse_aggregates(body)
        return found

    async def job_values(self, job_id: str, wanted: Collection[str]) -> dict[str, str]:
        """Return values of a job's own metrics, those of its JobManager, by name.

        A metric that does not exist is left out. Numbers and texts come as texts.
        """
        found: dict[str, str] = {}
        for names in _queries(sorted(wanted), _LONGEST_QUERY):
            body = await self._get(f"jobs/{job_id}/metrics?get={names}")
            found |= {str(each["id"]): str(each["value"]) for each in body if "value" in each}
        return found

    async def _get(self, path: str) -> list[dict[str, Any]]:
        try:
            body = await self._client.get(path)
        except FlinkAnswer as answer:
            if answer.unknown_job:
                return []
            raise ActionFailed(f"{self._client.url}/{path} answered {answer}") from None
        if not isinstance(body, list):
            raise self._client.unreadable()
        return body


def parse_aggregates(body: Iterable[dict[str, Any]]) -> dict[str, Aggregate]:
    """Read the body of an aggregated metrics call; what is not a finite number is left out.

    A metric that has no value, such as the busy time of a source of the old kind, is "NaN". A
    program's own gauge may be "Infinity", which neither JSON nor a whole number can hold.
    """
    found = {}
    for each in body:
        values = [finite(each.get(key)) for key in ("min", "max", "sum", "avg")]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            found[str(each["id"])] = Aggregate(*known)
    return found


def finite(value: object) -> float | None:
    """Return the number of a metric, which Flink writes as a text; None where it is not finite."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _queries(names: Iterable[str], longest: int) -> Iterator[str]:
    """Return names for `get=`, quoted, in as many texts as requests need."""
    query = ""
    for name in map(quote, names):
        if query and len(query) + 1 + len(name) > longest:
            yield query
            query = ""
        query = f"{query},{name}" if query else name
    if query:
        yield query
