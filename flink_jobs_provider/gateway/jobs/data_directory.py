"""What a gateway holds on disks of its own: the jars that live jobs run, and room for records.

Jars are cached by digest, since what storage holds may change or go at any time. An accepted action
is written to these disks: its jar, and the records if they are a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from flink_jobs_provider.artifacts import Jar, open_jar
from flink_jobs_provider.gateway.jobs.background import Intervals, QueueTimeout, Threads
from flink_jobs_provider.model.errors import JarError

#: Bytes that must be free: room for the records of many actions, and for a jar.
LEAST_FREE = 64 << 20
_PROBE = b"\0" * 4096
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
            self._intervals.open_jar, patience, partial(self._jars.open, uri)
        )

    async def find(self, uri: str, digest: str) -> Jar:
        """Return the jar with a digest: the copy that is cached here, or from its storage.

        Raises:
            JarError: It is in neither.
        """
        kept = await self.kept(digest)
        if kept is not None:
            return kept
        try:
            jar = await self.open(uri, self._intervals.jar_queue)
        except (TimeoutError, QueueTimeout):
            raise JarError(f"{uri} was not read in time") from None
        if jar.digest != digest:
            raise JarError(f"{uri} has other content now")
        return jar

    async def sweep(self, needed: Collection[str]) -> None:
        """Remove the jars that nothing needs; see `JarCache.sweep`."""
        await self._disk.call(self._jars.sweep, needed)

    async def close(self, patience: float) -> None:
        """Open nothing more, and wait a while for what is being opened."""
        await self._storage.close(patience)
        await self._disk.close(patience)


class Disks:
    """Some directories that must be writable.

    Args:
        directories: The directories; those on one file system count once.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self._directories = list(dict.fromkeys(directories))
        self._threads = Threads(1, "disks")

    async def problems(self) -> list[str]:
        """Return what keeps the directories from being written to, a sentence each."""
        return await self._threads.call(self._probe_all)

    async def close(self) -> None:
        """Stop; a disk that hangs is not waited for."""
        await self._threads.close(0)

    def _probe_all(self) -> list[str]:
        found = (_problem(directory) for directory in self._directories)
        return [problem for problem in found if problem]


def _problem(directory: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=directory, prefix=".ready-") as probe:
            probe.write(_PROBE)
            probe.flush()
            os.fsync(probe.fileno())
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return f"{directory} cannot be written to: {error.strerror or error}."
    if free < LEAST_FREE:
        return (
            f"The disk of {directory} is full: {free >> 20} MB are free, and {LEAST_FREE >> 20} MB "
            "are needed."
        )
    return ""
