"""Requests of the monitor: how many, shared by whom, and what their answers become."""

from __future__ import annotations

import asyncio
import heapq
import re
from collections.abc import Sequence
from itertools import count
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.inspection import cluster_time
from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.observing.cluster_monitor import ClusterMonitor, Depth
from flink_jobs_provider.observing.health import JobHealth, NotListed
from tests.contract.flink.scripted import ScriptedFlink, Sent, ok

NOW = 1_800_000_000_000
JOB = "a" * 32
METRIC = "numberOfFailedCheckpoints"


def row(job_id: str = JOB, state: str = "RUNNING") -> dict[str, Any]:
    return {
        "jid": job_id,
        "name": "x",
        "state": state,
        "start-time": NOW - 60_000,
        "end-time": -1,
        "duration": 60_000,
        "tasks": {"total": 1, "running": 1},
    }


class MonitoredFlink(ScriptedFlink):
    """A cluster of jobs with values of one metric, which it aggregates as Flink does."""

    metric = METRIC

    def __init__(self, values: dict[str, float]) -> None:
        super().__init__()
        self.values = values
        self.answer("GET jobs/overview", ok(jobs=[row(job_id) for job_id in values]))
        self.answer(
            "GET overview", ok(**{"slots-total": 8, "slots-available": 3, "taskmanagers": 2})
        )
        self.answer("GET jobs/metrics", self._list([{"id": self.metric}]))

    def monitor(self) -> ClusterMonitor:
        """Return a monitor of this cluster, whose time is this cluster's clock."""
        return ClusterMonitor(self.plane().client, self.clock.now, self.clock.sleep)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().lstrip("/")
        assert len(f"GET /{path} HTTP/1.1") < 4096, "Netty refuses a longer request line"
        if found := re.match(
            rf"jobs/metrics\?get={self.metric}&agg=min,max,sum,avg(?:&jobs=(.*))?$", path
        ):
            self.sent.append(Sent("GET", path, None))
            jobs = found[1].split(",") if found[1] else list(self.values)
            return self._list(self._aggregated([self.values[job] for job in jobs]))
        return super()._handle(request)

    def _aggregated(self, values: Sequence[float]) -> list[dict[str, Any]]:
        total = sum(values)
        found = {"min": min(values), "max": max(values), "sum": total, "avg": total / len(values)}
        return [{"id": self.metric, **found}]

    @staticmethod
    def _list(body: list[Any]) -> httpx.Response:
        return httpx.Response(200, json=body)


def ids(count: int) -> list[str]:
    return [f"{number:032x}" for number in range(count)]


@pytest.mark.parametrize("jobs", [1, 1000])
def test_a_list_costs_as_many_requests_for_a_thousand_jobs_as_for_one(jobs: int) -> None:
    flink = MonitoredFlink(dict.fromkeys(ids(jobs), 0.0))
    seen = asyncio.run(flink.monitor().cluster())
    assert len(seen.snapshot.jobs) == jobs
    assert (seen.slots, seen.free_slots, seen.task_managers) == (8, 3, 2)
    assert seen.failed_checkpoints == 0
    assert seen.at == NOW
    # Five, and the names of metrics twice, which are listed once a minute.
    assert len(flink.sent) <= 7


def test_two_hundred_who_look_at_a_job_are_one_for_the_cluster() -> None:
    """Shows that a job is observed once an interval, also by those who began in between."""
    flink = MonitoredFlink({JOB: 0.0})
    flink.answer(f"GET jobs/{JOB}", ok(now=NOW, vertices=[], timestamps={"RUNNING": NOW - 9}))
    restarts = f"GET jobs/{JOB}/metrics?get=fullRestarts,numRescales,numRestarts"
    flink.answer(f"GET jobs/{JOB}/metrics", httpx.Response(200, json=[{"id": "numRestarts"}]))
    flink.answer(restarts, httpx.Response(200, json=[{"id": "numRestarts", "value": "3"}]))

    sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
    order = count()

    async def sleep(seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(sleepers, (flink.clock.time + seconds, next(order), woken))
        await woken

    async def follow(monitor: ClusterMonitor, begins: float) -> None:
        await sleep(begins)
        seen = 0
        async for history in monitor.follow(JOB, 5.0):
            assert isinstance(history[-1], JobHealth)
            assert history[-1].restarts == 3
            seen += 1
            if seen == 3:
                break

    async def all_look() -> None:
        monitor = ClusterMonitor(flink.plane().client, flink.clock.now, sleep)
        begins = [4.0 * number / 200 for number in range(200)]
        looking = asyncio.gather(*(follow(monitor, each) for each in begins))
        while not looking.done():
            for _ in range(20):  # all that can go on without time passing
                await asyncio.sleep(0)
            if sleepers:
                flink.clock.time, _, woken = heapq.heappop(sleepers)
                woken.set_result(None)
        await looking

    asyncio.run(all_look())
    # From 1000 to 1014 s, once in 4.5 s at most.
    assert 3 <= flink.count(f"GET jobs/{JOB}") <= 4


def test_only_jobs_beyond_a_bound_are_searched_for() -> None:
    """Shows how the value of each job is found with a call that has only the greatest of many."""
    values = dict.fromkeys(ids(1000), 0.0) | {f"{7:032x}": 2.0, f"{900:032x}": 5.0}
    flink = MonitoredFlink(values)
    found = asyncio.run(flink.monitor().jobs_beyond(METRIC, 0, list(values)))
    assert found == {f"{7:032x}": 2.0, f"{900:032x}": 5.0}
    assert len(flink.sent) < 50


def test_a_healthy_cluster_is_not_searched() -> None:
    values = dict.fromkeys(ids(1000), 3.0)
    flink = MonitoredFlink(values)
    assert asyncio.run(flink.monitor().jobs_beyond(METRIC, 3, list(values))) == {}
    assert len(flink.sent) == 2  # the names of metrics, and the greatest value of all jobs


def test_a_metric_that_the_cluster_does_not_have_is_not_asked_for() -> None:
    """Shows that it costs no other one its value: Flink then answers with an empty list."""
    flink = MonitoredFlink({JOB: 1.0})
    seen = asyncio.run(flink.monitor().cluster())
    assert (seen.restarts, seen.failed_checkpoints) == (None, 1)


def test_a_job_that_is_not_listed() -> None:
    flink = MonitoredFlink({JOB: 0.0})
    seen = asyncio.run(flink.monitor().job("b" * 32))
    assert seen == NotListed("b" * 32, NOW)


def test_a_job_of_which_only_the_load_is_read() -> None:
    """Shows that no checkpoints and no exceptions are asked for."""
    flink = MonitoredFlink({JOB: 0.0})
    flink.answer(f"GET jobs/{JOB}", ok(now=NOW, vertices=[], timestamps={}))
    monitor = flink.monitor()
    asyncio.run(monitor.job(JOB, depth=Depth.LOAD))
    assert not [each.path for each in flink.sent if "checkpoints" in each.path]
    assert not [each.path for each in flink.sent if "exceptions" in each.path]
    assert len(monitor.history(JOB, Depth.LOAD)) == 1
    assert monitor.history(JOB) == ()


def test_the_load_of_many_jobs_takes_one_list() -> None:
    """Shows that the list of a thousand jobs is not read again for each of some."""
    jobs = ids(40)
    flink = MonitoredFlink(dict.fromkeys(jobs, 0.0))
    for job_id in jobs[1:]:
        flink.answer(f"GET jobs/{job_id}", ok(now=NOW, vertices=[], timestamps={}))
    flink.answer(f"GET jobs/{jobs[0]}", httpx.Response(500, json={"errors": ["x"]}))
    for job_id in jobs:
        flink.answer(f"GET jobs/{job_id}/metrics", httpx.Response(200, json=[{"id": "x"}]))
    found = asyncio.run(flink.monitor().loads(jobs, 5.0, 60.0))
    assert flink.count("GET jobs/overview") == 1
    assert found.keys() == set(jobs)
    assert isinstance(found[jobs[0]], ClusterUnreachable)
    seen = found[jobs[1]]
    assert isinstance(seen, tuple)
    assert [type(each) for each in seen] == [JobHealth]


def test_a_job_that_is_looked_at_all_the_time_is_remembered_for_a_quarter_of_an_hour() -> None:
    flink = MonitoredFlink({JOB: 0.0})
    monitor = flink.monitor()

    async def look() -> None:
        for second in range(0, 920, 2):
            now = NOW + second * 1000
            flink.answer(f"GET jobs/{JOB}", ok(now=now, vertices=[], timestamps={}))
            await monitor.job(JOB, depth=Depth.LOAD)
            flink.clock.time += 2

    asyncio.run(look())
    seen = monitor.history(JOB, Depth.LOAD)
    assert seen[-1].at - seen[0].at >= 900_000


def test_what_nobody_looks_at_is_forgotten() -> None:
    flink = MonitoredFlink({JOB: 0.0, "b" * 32: 0.0})
    monitor = flink.monitor()

    async def look() -> None:
        await monitor.job(JOB)
        flink.clock.time += 3600
        await monitor.job("b" * 32)

    asyncio.run(look())
    assert monitor.history(JOB) == ()
    assert len(monitor.history("b" * 32)) == 1


def test_the_time_of_a_cluster_is_that_of_its_latest_observation() -> None:
    """Shows it by jobs that ran for different times; one that has ended tells no time."""
    ended = row(state="FAILED") | {"end-time": NOW + 5, "duration": 99_999_999}
    rows = [row(), row() | {"start-time": NOW - 10_000, "duration": 12_000}, ended]
    assert cluster_time({"jobs": rows}) == NOW + 2000
