"""The clusters that a job may be on: one, or two between which it is moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.fault_proxy import Exchange, FaultProxy, let_pass
from tests.faults.matrix.kinds import RequestOfRun, Strike, requests_of
from tests.flink_cluster import FlinkCluster


@dataclass(frozen=True)
class Site:
    """A cluster, and the proxy by which runs reach it."""

    cluster: FlinkCluster
    proxy: FaultProxy


@dataclass
class Sites:
    """The clusters of one job.

    Attributes:
        declared: The one that the job is declared for.
        former: The one that it is moved from, and back to by the next move.
    """

    declared: Site
    former: Site | None = None

    def __iter__(self) -> Iterator[Site]:
        yield self.declared
        if self.former is not None:
            yield self.former

    def swap(self) -> None:
        """Declare the other of two."""
        assert self.former is not None
        self.declared, self.former = self.former, self.declared

    def of(self, request: RequestOfRun) -> Site:
        """Return the one that a request is for."""
        if not request.former:
            return self.declared
        assert self.former is not None
        return self.former

    def let_pass(self) -> None:
        """Strike nothing, and record requests from now on."""
        for site in self:
            site.proxy.begin(let_pass)

    def strike(self, strike: Strike) -> None:
        """Set what strikes a request to one of them, and record from now on."""
        self.declared.proxy.begin(strike)
        if self.former is not None:
            self.former.proxy.begin(partial(strike, former=True))

    def requests_of(self, run: str, reads: int) -> list[RequestOfRun]:
        """Return the requests of a run to each of them that are to be struck."""
        found = requests_of(self.declared.proxy.exchanges, run, reads)
        if self.former is not None:
            found += requests_of(self.former.proxy.exchanges, run, reads, former=True)
        return found

    def exchanges(self, matching: Callable[[Exchange], object]) -> list[tuple[Site, Exchange]]:
        """Return the recorded requests of a kind, each with where it was sent."""
        return [
            (site, exchange)
            for site in self
            for exchange in site.proxy.exchanges
            if matching(exchange)
        ]

    def jobs(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the jobId and the row of each job on any of them; twice where two have it."""
        return [row for site in self for row in site.cluster.jobs().items()]
