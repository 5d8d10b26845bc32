"""One process of a gateway: what its parts share, and its leases on the actions that it executes.

A gateway that could not renew its claim in time begins nothing more: another may have taken the
action over. `guard` is called by the control planes before each request that changes something.

On disks of its own a gateway holds the jars that live jobs run, and room for records. Jars are
cached by digest, since what storage holds may change or go at any time. An accepted action is
written to these disks: its jar, and the records if they are a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from flink_jobs_provider.artifacts import Jar, open_jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.configuration import GatewayConfiguration
from flink_jobs_provider.gateway.jobs.background import Intervals, QueueTimeout, Threads
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.store import RecordsUnavailable, Store
from flink_jobs_provider.model.errors import JarError, PermanentError
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.waiter import Clock

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
            grace: Seconds for which a jar stays after it was opened: an action that needs it may
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


P = ParamSpec("P")
R = TypeVar("R")

#: Seconds before the claim's end from which nothing is begun any more: a request takes its time.
_MARGIN = 2.0


class LeaseLost(PermanentError):
    """The claim on the action has expired: nothing more may be begun."""


def uptime() -> float:
    """Return seconds that only ever grow, also while the machine is suspended.

    Linux does not count those in `time.monotonic`: a gateway that wakes up would believe in claims
    that others have taken over.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Lease:
    """A claim on one action; once it has expired, it stays so.

    Args:
        seconds: How long it is valid, from before the database was asked for it.
        clock: Seconds that only ever grow.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until = clock() + seconds - min(_MARGIN, seconds / 4)
        self._lost = False

    @property
    def held(self) -> bool:
        """Whether it is still valid."""
        self._lost = self._lost or self._clock() >= self._until
        return not self._lost

    def renewed(self, asked_at: float) -> None:
        """Note that the database has renewed it.

        Args:
            asked_at: The time just before it was asked to, by the same clock.
        """
        if self.held:
            self._until = asked_at + self._seconds - min(_MARGIN, self._seconds / 4)

    def again(self) -> Lease:
        """Return another one that ends with it, for another action claimed at once."""
        other = Lease(self._seconds, self._clock)
        other._until = self._until
        return other

    def lose(self) -> None:
        """Release it."""
        self._lost = True


current_lease: ContextVar[Lease | None] = ContextVar("current_lease", default=None)


def guard() -> None:
    """Return while the present action, if any, is this gateway's to execute.

    Raises:
        LeaseLost: It is not.
    """
    lease = current_lease.get()
    if lease is not None and not lease.held:
        raise LeaseLost(
            "this gateway could not renew its claim on the action",
            now="It began nothing more",
            remedy="Another gateway takes the action up",
        )


class Planes(Protocol):
    """What opens clusters; `control_planes.connection.Clusters` is one."""

    def of(self, target: FlinkTarget) -> ControlPlane:
        """Return the control plane of a target."""
        ...


def _unique_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class GatewayProcess:
    """What the parts of one process share.

    Attributes:
        configuration: What the gateway serves.
        store: The records.
        threads: For calls of the records.
        planes: Opens clusters.
        opener: Opens jars.
        intervals: How often and how long.
        clock: Time as the reconcilers see it.
        claims: For the claims on actions alone: no crowd of other calls may delay their renewal.
        name: What it claims actions under.
    """

    configuration: GatewayConfiguration
    store: Store
    threads: Threads
    planes: Planes
    opener: JarOpener
    intervals: Intervals
    clock: Clock
    claims: Threads
    name: str = field(default_factory=_unique_name)

    def plane(self, cluster: ClusterConfiguration) -> ControlPlane:
        """Return the control plane of a cluster."""
        return self.planes.of(cluster.flink)

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a method of the store.

        Raises:
            RecordsError: It failed.
        """
        return await self.threads.call(function, *args, **kwargs)

    async def ask(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a method of the store; a database that does not answer is reported as a refusal."""
        try:
            return await self.call(function, *args, **kwargs)
        except RecordsUnavailable:
            raise Refusal(
                "RecordsUnavailable",
                "The gateway's database does not answer. Read the list of jobs when it does: "
                "it shows whether the action was accepted.",
            ) from None
