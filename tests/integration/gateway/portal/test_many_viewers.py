"""Many who look at the list of a gateway with many clusters, which give recorded answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from flink_jobs_provider.gateway.principal import Role
from tests import hurried_gateway
from tests.bench.gateway_records import fill_records
from tests.gateway_process import CLUSTER, GatewayProcess
from tests.portal_viewers import Viewer, row_with, row_without, signed_in, watching
from tests.recorded_clusters import RecordedClusters, job_id_of, recorded_clusters
from tests.waiting import wait_until

_JOBS, _CLUSTERS, _VIEWERS = 500, 6, 8
#: The first one is away all the time.
_KEYS = [CLUSTER, *(f"{CLUSTER}-{number}" for number in range(1, _CLUSTERS))]
_AWAY = "http://127.0.0.1:9"
#: Jobs of two clusters that all searches find on their first page.
_CHANGED = (1, 10)
_QUERIES = ("sort=name", "sort=-since&q=job-1", "status=RUNNING&sort=name", "sort=name&q=job")
_WRONG = "Tasks not running"


class _Crowd:
    """A gateway, its clusters, and how people are signed in."""

    def __init__(self, directory: Path, recorded: RecordedClusters) -> None:
        self.recorded = recorded
        command = [sys.executable, str(Path(hurried_gateway.__file__))]
        self.gateway = GatewayProcess(directory, _AWAY, command=command)
        first = self.gateway.content["clusters"][0]
        more = [
            {"id": key, "flink": {"url": recorded.url_of(number)}}
            for number, key in enumerate(_KEYS[1:], 1)
        ]
        limits = {"requests_per_second": 1000, "burst": 1000}
        self.gateway.write(clusters=[first, *more], portal={}, limits=limits)
        self.token = self.gateway.token("ada", Role.READ)
        self.records = directory / "data/gateway.db"
        self.records.parent.mkdir()
        fill_records(self.records, _JOBS, _KEYS, job_id_of)
        self.gateway.start()

    def viewers(self, count: int) -> list[Viewer]:
        """Return people who search for several things, each signed in by themselves."""
        found = []
        for number in range(count):
            with closing(signed_in(self.gateway, self.token)) as browser:
                query = _QUERIES[number % len(_QUERIES)]
                found.append(Viewer(browser.cookies, self.gateway.url, query))
        return found

    async def all_see(self, viewers: list[Viewer], changes: int) -> None:
        """Change a job, and wait until everybody sees it; so many times."""
        for change in range(changes):
            number = _CHANGED[change % 2]
            for tasks, row in ((1, row_with), (2, row_without)):
                self.recorded.let_run(number, tasks)
                await asyncio.gather(*(each.sees(row(f"job-{number}", _WRONG)) for each in viewers))

    async def rate(self, viewers: list[Viewer], requests: int) -> float:
        """Return how many requests a second clusters are sent, by the time of so many of them."""
        async with watching(viewers):
            began, before = monotonic(), self.recorded.total()
            await asyncio.to_thread(
                wait_until, lambda: self.recorded.total() >= before + requests, 30, "requests"
            )
            return requests / (monotonic() - began)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Crowd]:
    """Run the gateway, which serves clusters in which all jobs run."""
    with recorded_clusters(_CLUSTERS, _JOBS) as recorded:
        crowd = _Crowd(tmp_path_factory.mktemp("crowd"), recorded)
        with closing(crowd.gateway):
            yield crowd


def test_everybody_sees_each_change(crowd: _Crowd) -> None:
    """Shows it of people who search for different things; and that no stream ends."""

    async def look() -> None:
        viewers = crowd.viewers(_VIEWERS)
        async with watching(viewers):
            await crowd.all_see(viewers, 2)

    asyncio.run(look())


def test_clusters_are_asked_as_often_for_one_viewer_as_for_many(crowd: _Crowd) -> None:
    """Shows it by a wide margin: a request for each viewer would be eight times as many."""
    alone = asyncio.run(crowd.rate(crowd.viewers(1), 100))
    many = asyncio.run(crowd.rate(crowd.viewers(_VIEWERS), 100))
    assert many < 4 * alone
