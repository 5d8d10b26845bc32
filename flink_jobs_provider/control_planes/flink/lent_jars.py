"""Jars that lie on a cluster only while programs are tried, each once for all who try it.

They are named apart from those of submissions, so that no submission finds one which is about to be
removed. One that a killed preview left behind is removed by a later one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.flink.jars import ClusterJars

#: Age at which one is surely not in use any more, in seconds: no plan takes that long.
_LEFT_BEHIND_S = 3600.0


class LentJars:
    """Lends jars to those who try programs on one cluster."""

    def __init__(self, jars: ClusterJars, clock: Callable[[], float] = time.time) -> None:
        self._jars = jars
        self._clock = clock
        self._lent: dict[str, LentJar] = {}
        self._swept = False

    @asynccontextmanager
    async def lend(self, jar: Jar, timeout: float) -> AsyncIterator[LentJar]:
        """Lend a jar; when the last who has it returns it, what was uploaded is removed."""
        if not self._swept:
            self._swept = True
            await self._jars.discard_lent(before=self._clock() - _LEFT_BEHIND_S)
        lent = self._lent.setdefault(jar.digest, LentJar(self._jars, jar, timeout))
        lent.borrowers += 1
        try:
            yield lent
        finally:
            lent.borrowers -= 1
            if not lent.borrowers:
                del self._lent[jar.digest]
                await lent.discard()


class LentJar:
    """One jar that is on the cluster while it has borrowers."""

    def __init__(self, jars: ClusterJars, jar: Jar, timeout: float) -> None:
        self.borrowers = 0
        self._jars = jars
        self._jar = jar
        self._timeout = timeout
        self._id: str | None = None
        self._uploaded: list[str] = []
        self._lock = asyncio.Lock()

    async def id(self) -> str:
        """Return the jar's id: that of a submission with the same content, or of an upload.

        Raises:
            ActionFailed: The upload was refused.
        """
        async with self._lock:
            if self._id is None:
                self._id = await self._jars.with_content(self._jar.digest)
            if self._id is None:
                self._id = await self._jars.upload_to_lend(self._jar, self._timeout)
                self._uploaded.append(self._id)
            return self._id

    def lose(self, jar_id: str) -> None:
        """Note that the jar is not on the cluster any more, whatever a list said."""
        self._jars.lose(jar_id)
        if self._id == jar_id:
            self._id = None

    async def discard(self) -> None:
        """Remove what was uploaded."""
        for jar_id in self._uploaded:
            await self._jars.discard(jar_id)
