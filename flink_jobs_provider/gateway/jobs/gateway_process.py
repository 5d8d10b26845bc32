"""One process of a gateway: what its parts share, and its leases on the actions that it executes.

A gateway that could not renew its claim in time begins nothing more: another may have taken the
action over. `guard` is called by the control planes before each request that changes something.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol, TypeVar

from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.configuration import GatewayConfiguration
from flink_jobs_provider.gateway.jobs.background import Intervals, Threads
from flink_jobs_provider.gateway.jobs.data_directory import JarOpener
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.served_clusters import ClusterConfiguration
from flink_jobs_provider.gateway.store import RecordsUnavailable, Store
from flink_jobs_provider.model.errors import PermanentError
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.waiter import Clock

P = ParamSpec("P")
R = TypeVar("R")

#: Seconds before the claim's end from which nothing is begun any more: a request takes its time.
_MARGIN = 2.0


class LeaseLost(PermanentError):
    """The claim on the action has run out: nothing more may be begun."""


class Lease:
    """A claim on one action; once it has run out, it stays so.

    Args:
        seconds: How long it is valid, from before the database was asked for it.
        clock: Seconds that only ever grow.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
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
            asked_at: The time just before it was asked to.
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
        name: What it claims actions under.
    """

    configuration: GatewayConfiguration
    store: Store
    threads: Threads
    planes: Planes
    opener: JarOpener
    intervals: Intervals
    clock: Clock
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
