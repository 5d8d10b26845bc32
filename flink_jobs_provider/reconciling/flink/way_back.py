"""The jars of previous versions.

One is found before that version is stopped: an upload directory is cleaned by hand, or gone with
its JobManager's disk, while the jobs run on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from flink_jobs_provider.artifacts import Jar, find_jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import JarError
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.reconciling.flink.submissions import submission
from flink_jobs_provider.reconciling.job_errors import no_jar_of_version, no_way_back

#: Returns the jar with a digest that was read from a URI; JarError where it is nowhere any more.
FindJar = Callable[[str, str], Awaitable[Jar]]


async def find_here(uri: str, digest: str) -> Jar:
    """Return a jar from where it was read, or from this machine's cache.

    Raises:
        JarError: It is in neither.
    """
    return await asyncio.to_thread(find_jar, uri, digest)


@dataclass(frozen=True)
class WayBack:
    """Provides the jars of previous versions."""

    _plane: ControlPlane
    _find: FindJar

    async def secure(self, previous: JobSpec, now: str) -> None:
        """Make sure that the previous version can be started again.

        Raises:
            PermanentError: Its jar is neither on the cluster nor anywhere else.
        """
        digest = previous.jar_digest or ""
        if await self._provide(previous, digest):
            return
        try:
            jar = await self._find(previous.jar, digest)
        except JarError as error:
            raise no_way_back(
                previous,
                f"its jar (SHA-256 {digest[:12]}…) is no longer on the cluster, and {error.reason}",
                now,
                f"Put that jar back at {previous.jar}",
            ) from None
        await self._provide(previous, jar)

    async def find(self, version: JobSpec, now: str) -> Jar | str:
        """Return the jar of a version that ran once; its digest where the cluster has it.

        Raises:
            PermanentError: It is neither on the cluster nor anywhere else.
        """
        digest = version.jar_digest or ""
        if await self._provide(version, digest):
            return digest
        try:
            return await self._find(version.jar, digest)
        except JarError as error:
            raise no_jar_of_version(
                version, f"is no longer on the cluster, and {error.reason}", now
            ) from None

    async def jar(self, previous: JobSpec, launched: Jar | str) -> Jar | str:
        """Return the previous version's jar, or its digest where the cluster may have it.

        `launched` is the jar of the version that did not start.
        """
        digest = previous.jar_digest or ""
        if isinstance(launched, Jar) and launched.digest == digest:
            return launched
        if await self._provide(previous, digest):
            return digest
        try:
            return await self._find(previous.jar, digest)
        except JarError:
            return digest

    async def _provide(self, previous: JobSpec, jar: Jar | str) -> bool:
        request = submission(previous, jar, 1, None)  # of its id only the identity counts
        return await self._plane.provide_jar(request, previous.timeout("submit"))
