"""What is observed on clusters, for pages, which never wait long for one.

The same observation serves all who look, and nothing is asked when nobody does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from flink_jobs_provider.gateway.jobs.background import where
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.model.errors import ActionFailed, JobError
from flink_jobs_provider.observing.attention import Attention, Observation
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor
from flink_jobs_provider.observing.health import ClusterHealth, JobHealth

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: Observations that are remembered: those that nobody asked for longest are forgotten.
_MOST = 4096
#: For how many seconds after a list was looked at its jobs are read.
_LOOKED_AT = 30.0


@dataclass(frozen=True)
class Freshness:
    """How old what pages show may be, and how long they wait for it; in seconds.

    Attributes:
        job: How old an observation of a job may be before another one is begun.
        cluster: How old one of a cluster may be.
        listed: How old restarts and checkpoints of the jobs of a list may be.
        usable: How old one may be that is shown meanwhile; else the page waits.
        wait: How long it waits.
        patience: After how long a cluster counts as one that does not answer.
    """

    job: float = 2.0
    cluster: float = 3.0
    listed: float = 15.0
    usable: float = 10.0
    wait: float = 1.0
    patience: float = 3.0


@dataclass
class _Look(Generic[T]):
    """The latest observation of one thing, and the one that is being made."""

    found: T | JobError | None = None
    begun: float = 0.0
    made: int = 0
    making: asyncio.Task[None] | None = None


class Observed:
    """Observes jobs and clusters for pages.

    Args:
        monitors: What observes them.
        freshness: How old what is shown may be.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self,
        monitors: Monitors,
        freshness: Freshness | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monitors = monitors
        self._freshness = freshness or Freshness()
        self._clock = clock
        self._wanted: dict[str, dict[str, float]] = {}
        self._looks: OrderedDict[Hashable, _Look[object]] = OrderedDict()

    async def job(self, cluster: str, job_id: str) -> tuple[Observation, ...] | JobError | None:
        """Return what was observed of a job lately, the newest last; or why it was not.

        It is None where the cluster has not answered so far, and may still do.
        """
        age = self._freshness.job
        return await self._latest(cluster, job_id, age, lambda each: each.observed(job_id, age))

    async def cluster(self, cluster: str) -> ClusterHealth | JobError | None:
        """Return the health of a cluster, or why it was not observed; None as in `job`."""
        age = self._freshness.cluster
        return await self._latest(cluster, "", age, lambda each: each.cluster(age))

    async def attention(self, cluster: str) -> dict[str, tuple[Attention, ...]] | JobError | None:
        """Return what a cluster's job list shows to need attention, by jobId; None as in `job`."""
        age = self._freshness.cluster
        return await self._latest(cluster, "attention", age, lambda each: each.attention(age))

    async def listed(self, cluster: str, job_ids: Collection[str]) -> dict[str, JobHealth]:
        """Return restarts and checkpoints of jobs of a list, by jobId, as far as they are known.

        Those of all pages that people look at are read together.
        """
        now = self._clock()
        wanted = self._wanted.setdefault(cluster, {})
        new = not wanted.keys() >= set(job_ids)
        wanted |= dict.fromkeys(job_ids, now)
        for job_id in [each for each, asked in wanted.items() if now - asked > _LOOKED_AT]:
            del wanted[job_id]
        age = self._freshness.listed
        found = await self._latest(
            cluster, "listed", age / 3, lambda each: each.listed(list(wanted), age), waits=new
        )
        return {} if found is None or isinstance(found, JobError) else found

    async def _latest(
        self,
        cluster: str,
        what: str,
        age: float,
        look: Callable[[ClusterMonitor], Awaitable[T]],
        *,
        waits: bool = False,
    ) -> T | JobError | None:
        latest: _Look[T] = self._look(cluster, what)
        now = self._clock()
        due = waits or latest.found is None or now - latest.begun >= age
        if latest.making is None and due:
            latest.making = asyncio.create_task(self._make(latest, cluster, look))
        if self._usable(latest, now) and not waits:
            return latest.found
        made = latest.made
        if latest.making:
            await asyncio.wait({latest.making}, timeout=self._freshness.wait)
        return latest.found if latest.made > made or self._usable(latest, now) else None

    def _look(self, cluster: str, what: str) -> _Look[T]:
        key = cluster, what
        latest = self._looks.setdefault(key, _Look())
        self._looks.move_to_end(key)
        if len(self._looks) > _MOST:
            self._looks.popitem(last=False)
        return latest  # type: ignore[return-value]  # a key stands for one kind of observation

    def _usable(self, latest: _Look[T], now: float) -> bool:
        return latest.found is not None and now - latest.begun < self._freshness.usable

    async def _make(
        self, latest: _Look[T], cluster: str, look: Callable[[ClusterMonitor], Awaitable[T]]
    ) -> None:
        begun = self._clock()
        try:
            latest.found = await self._monitors.observe(cluster, look, self._freshness.patience)
        except Exception as error:  # noqa: BLE001 - a page says so, and has the rest
            _log.error("an observation of %s could not be read: %s", cluster, where(error))
            latest.found = ActionFailed(
                "what the cluster answered could not be read", remedy="See the gateway's log"
            )
        finally:
            latest.making = None
        latest.begun, latest.made = begun, latest.made + 1
