"""Metrics, as Flink's REST API aggregates them over jobs, subtasks or TaskManagers.

Measured on 1.17.2, 1.20.5 and 2.3.0 (`tests/contract/flink/record_metrics.py`):

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
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flink_jobs_provider.control_planes.flink.client import FlinkAnswer, FlinkClient
from flink_jobs_provider.model.errors import ActionFailed

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
    """One metric over the components that have it; the unit is that of the metric.

    Attributes:
        minimum: The least value.
        maximum: The greatest value.
        total: The sum.
        mean: The average.
    """

    minimum: float
    maximum: float
    total: float
    mean: float


class MetricReader:
    """Reads aggregated metrics of one cluster, and remembers for a while which there are.

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
                self._names.pop(path, None)  # one of them is gone: list them anew next time
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
    """Read the body of an aggregated metrics call; what is not a number is left out.

    A metric that has no value, such as the busy time of a source of the old kind, is "NaN".
    """
    found = {}
    for each in body:
        values = [_number(each.get(key)) for key in ("min", "max", "sum", "avg")]
        if not any(map(math.isnan, values)):
            found[str(each["id"])] = Aggregate(*values)
    return found


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


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
