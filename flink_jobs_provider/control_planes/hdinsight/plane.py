"""HDInsight on AKS as a system that takes whole actions: `runJob`, and the list of jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.action_plane import (
    ActionCapabilities,
    ActionJob,
    Order,
    Version,
)
from flink_jobs_provider.control_planes.hdinsight.client import ArmClient, Operations
from flink_jobs_provider.control_planes.hdinsight.mapping import body_of, job_of
from flink_jobs_provider.control_planes.http import json_of, not_the_service
from flink_jobs_provider.control_planes.protocol import Guard
from flink_jobs_provider.control_planes.single_flight import SharedCall
from flink_jobs_provider.control_planes.uploaded_jars import UploadedJars
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ClusterRefused
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import HDInsightTarget
from flink_jobs_provider.wire.hdinsight import ApiVersion

_SINCE_NOVEMBER = {Action.LAST_STATE_UPDATE, Action.RE_LAUNCH}
_MOST_PAGES = 1000


_OF_GATEWAYS = ActionCapabilities(
    frozenset(Action),
    starts_ended=True,
    shows_what_runs=True,
    lists_at_once=True,
    lists_savepoints=True,
    keeps_jars=True,
)


class HDInsightPlane:
    """One cluster of HDInsight on AKS, or one that a gateway serves as such.

    Args:
        target: The cluster.
        http: A client of its API.
        guard: Called before each order.
        clock: Seconds that only ever grow.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        target: HDInsightTarget,
        http: httpx.AsyncClient,
        guard: Guard = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._has_run_ids = ApiVersion(target.api_version).has_run_ids
        known = frozenset(set(Action) - (set() if self._has_run_ids else _SINCE_NOVEMBER))
        self._capabilities = ActionCapabilities(known)
        if not target.is_cloud:
            self._capabilities = replace(_OF_GATEWAYS, actions=known)
        self._path = urlsplit(target.endpoint).path.rstrip("/") + target.path
        self._client = ArmClient(http, target.api_version, guard, sleep)
        self._operations = Operations(self._client, clock, sleep)
        self._jars = UploadedJars(target)
        self._list = SharedCall(self._fetch, clock)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def capabilities(self) -> ActionCapabilities:
        """What the service can do, or the gateway that is in its place.

        What Azure's own service does with jobs that have ended, and what its LIST_SAVEPOINT says,
        is documented nowhere. Its rows show what was asked for, and appear some time later.
        """
        return self._capabilities

    async def jobs(self, max_age: float = 0.0) -> Sequence[ActionJob]:
        """Return all jobs, by one `GET …/jobs` for all who ask at once."""
        return await self._list.get(max_age)

    async def version(self, spec: JobSpec, jar: Jar, mark: str) -> Version:
        """Return what is asked for by a spec; its jar is uploaded if it must be."""
        return Version(
            jar=await self._jars.place(spec, jar),
            entry_class=spec.entry_class or jar.main_class or None,
            args=tuple(spec.args),
            parallelism=spec.parallelism,
            configuration=dict(spec.flink_configuration),
            savepoint_directory=spec.savepoint_directory,
            mark=mark,
        )

    async def perform(self, order: Order, timeout: float) -> str:
        """Send `runJob` once, and follow its operation to the end."""
        body = body_of(order, self._has_run_ids)
        reply = await self._client.order(f"{self._path}/runJob", body)
        return await self._operations.follow(reply, timeout)

    async def provide_former(self, spec: JobSpec, shown: str) -> None:
        """Make sure that a version's jar is in the storage; a gateway keeps copies of its own."""
        if not self._capabilities.keeps_jars:
            await self._jars.provide_former(spec, shown)

    async def forget_jars(self, spec: JobSpec, keep: frozenset[str]) -> None:
        """Remove the jars that were uploaded for a job, but for those with these digests."""
        await self._jars.forget(spec, keep)

    async def _fetch(self) -> Sequence[ActionJob]:
        found: list[ActionJob] = []
        address: str | None = f"{self._path}/jobs"
        asked: set[str] = set()
        while address:
            if address in asked or len(asked) > _MOST_PAGES:
                raise ClusterRefused(f"{self._client.endpoint} lists jobs without an end")
            asked.add(address)
            body: Any = json_of(await self._client.read(address))
            if not isinstance(body, dict) or not isinstance(body.get("value"), list):
                raise not_the_service(
                    f"{self._client.endpoint} answers, and not with a list of jobs"
                )
            found += filter(None, map(job_of, body["value"]))
            address = body.get("nextLink") or None
        return tuple(found)
