"""Opening jars in threads of their own: a hanging storage holds up no record, and no kept jar."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.gateway.jobs.jar_cache import KeptJars
from flink_jobs_provider.gateway.jobs.threads import NoTurn, Threads
from flink_jobs_provider.gateway.jobs.timing import Pace


class Opening:
    """Opens jars: those that are kept here, and those that lie in a storage.

    Args:
        jars: The jars that are kept.
        pace: How long.
    """

    def __init__(self, jars: KeptJars, pace: Pace) -> None:
        self._jars = jars
        self._pace = pace
        self._storage = Threads(4, "storage")
        self._disk = Threads(2, "kept-jars")

    async def kept(self, digest: str) -> Jar | None:
        """Return the jar with that digest; none where it is not kept here, or does not come."""
        try:
            async with asyncio.timeout(self._pace.kept_jar):
                return await self._disk.call(self._jars.get, digest)
        except TimeoutError:
            return None

    async def open(self, uri: str, patience: float) -> Jar:
        """Open a jar by URI, and keep a copy.

        Args:
            uri: Where it lies.
            patience: How many seconds it may wait for its turn.

        Raises:
            JarError: It cannot be opened, is no jar, or cannot be kept.
            TimeoutError: It takes too long.
            NoTurn: Others were opened all the time; it is not opened any more.
        """
        if patience <= 0:
            raise NoTurn
        return await self._storage.call_within(self._pace.open_jar, patience, self._jars.open, uri)

    async def sweep(self, needed: Collection[str]) -> None:
        """Remove the jars that nothing needs; see `KeptJars.sweep`."""
        await self._disk.call(self._jars.sweep, needed)

    async def close(self, patience: float) -> None:
        """Open nothing more, and wait a while for what is being opened."""
        await self._storage.close(patience)
        await self._disk.close(patience)
