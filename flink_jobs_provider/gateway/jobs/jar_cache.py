"""The jars that live jobs run, kept by digest: what storage holds may change or go at any time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from flink_jobs_provider.artifacts import Jar, open_jar
from flink_jobs_provider.gateway.jobs.intervals import Intervals
from flink_jobs_provider.gateway.jobs.threads import QueueTimeout, Threads
from flink_jobs_provider.model.errors import JarError


class JarOpener:
    """Opens jars: those that are cached here, and those that lie in a storage.

    Args:
        jars: The jars that are kept.
        intervals: How long.
    """

    def __init__(self, jars: JarCache, intervals: Intervals) -> None:
        self._jars = jars
        self._intervals = intervals
        self._storage = Threads(4, "storage")
        self._disk = Threads(2, "kept-jars")

    async def kept(self, digest: str) -> Jar | None:
        """Return the jar with that digest; None where it is not cached here, or does not come."""
        try:
            async with asyncio.timeout(self._intervals.kept_jar):
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
            QueueTimeout: Others were opened all the time; it is not opened any more.
        """
        if patience <= 0:
            raise QueueTimeout
        return await self._storage.call_within(
            self._intervals.open_jar, patience, self._jars.open, uri
        )

    async def sweep(self, needed: Collection[str]) -> None:
        """Remove the jars that nothing needs; see `JarCache.sweep`."""
        await self._disk.call(self._jars.sweep, needed)

    async def close(self, patience: float) -> None:
        """Open nothing more, and wait a while for what is being opened."""
        await self._storage.close(patience)
        await self._disk.close(patience)


_CHUNK = 1 << 20


class JarCache:
    """A directory of jars, each under its digest."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "jars"
        self._opened: dict[str, float] = {}

    def open(self, uri: str) -> Jar:
        """Open a jar by URI, and keep a copy: its digest is that of the copy. Blocks.

        Raises:
            JarError: It cannot be opened, is no jar, or cannot be kept.
        """
        jar = open_jar(uri)
        kept = self.get(jar.digest)
        if kept is None:
            kept = open_jar(str(self._copy(jar.path)))
        self._opened[kept.digest] = time.monotonic()
        return replace(kept, uri=uri)

    def get(self, digest: str) -> Jar | None:
        """Return the jar with that digest; None where it is not cached here, or no longer whole."""
        path = self._directory / f"{digest}.jar"
        try:
            jar = open_jar(str(path))
        except JarError:
            return None
        return jar if jar.digest == digest else None

    def sweep(self, needed: Collection[str], grace: float = 3600.0) -> int:
        """Remove the jars that nothing needs; return how many.

        Args:
            needed: Digests of those that are needed.
            grace: For so many seconds a jar stays that was opened: an action that needs it may
                just be being accepted.
        """
        oldest = time.monotonic() - grace
        recent = {digest for digest, opened in self._opened.items() if opened >= oldest}
        self._opened = {digest: self._opened[digest] for digest in recent}
        removed = 0
        for path in self._directory.glob("*"):
            with contextlib.suppress(OSError):
                young = path.stat().st_mtime > time.time() - grace
                if path.stem not in needed and path.stem not in recent and not young:
                    path.unlink()
                    removed += 1
        return removed

    def _copy(self, source: Path) -> Path:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self._directory, suffix=".part")
            partial = Path(name)
            try:
                digest = hashlib.sha256()
                with os.fdopen(descriptor, "wb") as copy, source.open("rb") as content:
                    while chunk := content.read(_CHUNK):
                        digest.update(chunk)
                        copy.write(chunk)
                    copy.flush()
                    os.fsync(copy.fileno())
                kept = self._directory / f"{digest.hexdigest()}.jar"
                partial.replace(kept)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise JarError(
                f"the jar could not be copied to {self._directory}: {error.strerror or error}"
            ) from None
        return kept
