"""The portal with 10,000 jobs on 50 clusters, and 200 people who look at their list."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from time import monotonic

import httpx

from tests import hurried_gateway
from tests.bench.comparison import Aim, Comparison, Fact, Measured, in_turns
from tests.bench.gateway_actions import BenchGateway
from tests.bench.gateway_records import fill_records
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.gateway_process import API, CLUSTER
from tests.portal_viewers import Viewer, row_with, row_without, signed_in, watching
from tests.recorded_clusters import RecordedClusters, job_id_of, recorded_clusters

_JOBS = 10_000
_CLUSTERS = 50
_VIEWERS = 200
_CALLS = 20
_WATCHED_S = 20.0
#: The names on the first page.
_FIRST = sorted(f"job-{number}" for number in range(_JOBS))[:50]
#: An hour's worth of updates: its minutes, and how often the list changes.
_MINUTES, _CHANGES = 60, 240
_HOUR_JOBS, _HOUR_CLUSTERS, _HOUR_VIEWERS = 1_000, 10, 20
_HOW = """
A gateway as a process of its own (SQLite, plain HTTP on the loopback interface) with {jobs:,} jobs
on record, on {clusters} clusters: a real one, and {others} that give recorded answers, in which 200
jobs run each. A page of the list: the median of {calls} calls over one kept-alive connection;
baseline: /healthz. An update: from the request of an action on a job of the first page until all
{viewers} viewers, each signed in by themselves, have been sent the list with it; baseline: the same
with one viewer. Requests to the {others} clusters: those of {watched:.0f} s with all viewers;
baseline: with one. Memory: that of a gateway whose minutes take {minute} s, with {hour_jobs:,} jobs
on {hour_clusters} clusters and {hour_viewers} viewers who are sent {changes} lists in {minutes}
such minutes, each of which is recorded in its history; its resident size in the last third of them,
baseline: in the second third.
"""
_LISTS = {
    "a page of the list": "/portal/?sort=name",
    "the same, what needs attention first": "/portal/",
    "the same, of what needs attention": "/portal/?attention=1",
    "a page of /api/v1/jobs": "/api/v1/jobs",
    "the same, of what needs attention ": "/api/v1/jobs?needs_attention=true",
}


def measure(directory: Path, rounds: int) -> Measured:
    """Measure the list, its updates, requests to clusters, and memory."""
    with _opened(directory / "viewers", _JOBS, _CLUSTERS) as (gateway, recorded):
        comparisons = _lists(gateway, rounds)
        facts: list[Fact] = []
        comparisons += asyncio.run(_watched(gateway, recorded.total, rounds, facts))
    command = [sys.executable, str(Path(hurried_gateway.__file__))]
    with _opened(directory / "hour", _HOUR_JOBS, _HOUR_CLUSTERS, command) as (gateway, recorded):
        memory, lists = asyncio.run(_hour(gateway, recorded))
    third = len(memory) // 3
    comparisons.append(
        Comparison(
            "memory in an hour's updates",
            memory[2 * third : 3 * third],
            memory[third : 2 * third],
            "MiB",
            Aim("at most 1.05", ratio=1.05),
        )
    )
    facts.append(Fact("lists that each viewer was sent in that hour", f"{lists}"))
    how = _HOW.format(
        jobs=_JOBS,
        clusters=_CLUSTERS,
        others=_CLUSTERS - 1,
        calls=_CALLS,
        viewers=_VIEWERS,
        watched=_WATCHED_S,
        minute=hurried_gateway.MINUTE,
        hour_jobs=_HOUR_JOBS,
        hour_clusters=_HOUR_CLUSTERS,
        hour_viewers=_HOUR_VIEWERS,
        changes=_CHANGES,
        minutes=_MINUTES,
    )
    return Measured("The portal, and many who look", how, comparisons, facts)


@contextmanager
def _opened(
    directory: Path, jobs: int, clusters: int, command: list[str] | None = None
) -> Iterator[tuple[BenchGateway, RecordedClusters]]:
    """Run a gateway with jobs on a real cluster and on recorded ones."""
    directory.mkdir()
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(FlinkCluster(directory, FLINK_2)))
        recorded = stack.enter_context(recorded_clusters(clusters, jobs))
        gateway = stack.enter_context(
            closing(BenchGateway(directory / "gateway", cluster.url, command or ()))
        )
        keys = _keys(clusters)
        first = gateway.process.content["clusters"][0]
        more = [
            {"id": key, "flink": {"url": recorded.url_of(number)}}
            for number, key in enumerate(keys[1:], 1)
        ]
        limits = {**gateway.process.content["limits"], "connections_per_address": 1000}
        gateway.process.write(clusters=[first, *more], portal={}, limits=limits)
        gateway.refill(lambda database: fill_records(database, jobs, keys, job_id_of))
        yield gateway, recorded


def _lists(gateway: BenchGateway, rounds: int) -> list[Comparison]:
    """Measure a page of each list."""
    found = []
    with closing(signed_in(gateway.process, gateway.token)) as browser:
        for what, address in _LISTS.items():
            client = browser if address.startswith("/portal/") else gateway.client
            timed = in_turns(
                rounds,
                lambda: _median(lambda: _page(client, address)),  # noqa: B023 - called here
                lambda: _median(lambda: gateway.client.get("/healthz")),
            )
            aim = Aim("within 100 ms", ours=0.1)
            found.append(Comparison(f"{what.strip()}, {_JOBS:,} jobs", *timed, aim=aim))
    return found


def _page(client: httpx.Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert str(_JOBS) in answer.text.replace(",", "") or "attention" in address, answer.text[:2000]


def _median(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_CALLS):
        began = monotonic()
        work()
        taken.append(monotonic() - began)
    return median(taken)


async def _watched(
    gateway: BenchGateway, requests: Callable[[], int], rounds: int, facts: list[Fact]
) -> list[Comparison]:
    cookies = await asyncio.to_thread(_sign_all_in, gateway, _VIEWERS)
    updates: dict[int, list[float]] = {}
    asked: dict[int, list[float]] = {}
    jobs = cycle(_FIRST)
    for count in (1, _VIEWERS):
        viewers = [Viewer(each, gateway.process.url) for each in cookies[:count]]
        async with watching(viewers):
            updates[count] = [
                await _update(gateway, viewers, next(jobs)) for _ in range(rounds + 1)
            ]
            before = requests()
            await asyncio.sleep(_WATCHED_S)
            asked[count] = [requests() - before]
            if count == _VIEWERS:
                facts.append(Fact(f"memory with {_VIEWERS} viewers", f"{gateway.memory():.0f} MiB"))
    return [
        Comparison(
            f"an update, {_VIEWERS} viewers",
            updates[_VIEWERS][1:],
            updates[1][1:],
            aim=Aim("within 3 s", ours=3.0),
        ),
        Comparison(
            "requests to clusters",
            asked[_VIEWERS],
            asked[1],
            "",
            Aim("as many for any number of viewers", ratio=1.2),
        ),
    ]


async def _hour(gateway: BenchGateway, recorded: RecordedClusters) -> tuple[list[float], int]:
    """Return the memory after each change of the list, and how many lists a viewer was sent."""
    cookies = await asyncio.to_thread(_sign_all_in, gateway, _HOUR_VIEWERS)
    viewers = [Viewer(each, gateway.process.url) for each in cookies]
    jobs = cycle([name for name in _shown_first(_HOUR_JOBS) if _is_recorded(name)])
    memory: list[float] = []
    async with watching(viewers):
        began = monotonic()
        while len(memory) < _CHANGES or monotonic() < began + _MINUTES * hurried_gateway.MINUTE:
            job = next(jobs)
            number = int(job.removeprefix("job-"))
            for tasks, row in ((1, row_with), (2, row_without)):
                recorded.let_run(number, tasks)
                pattern = row(job, "Tasks not running")
                await asyncio.gather(*(each.sees(pattern) for each in viewers))
            memory.append(gateway.memory())
    return memory, min(each.lists for each in viewers)


def _shown_first(jobs: int) -> list[str]:
    return sorted(f"job-{number}" for number in range(jobs))[:50]


def _is_recorded(job: str) -> bool:
    return int(job.removeprefix("job-")) % _HOUR_CLUSTERS != 0


def _sign_all_in(gateway: BenchGateway, count: int) -> list[httpx.Cookies]:
    found = []
    for _ in range(count):
        with closing(signed_in(gateway.process, gateway.token)) as browser:
            found.append(browser.cookies)
    return found


async def _update(gateway: BenchGateway, viewers: list[Viewer], job: str) -> float:
    """Change a row that all see; return how long the last of them waited for it."""
    number = int(job.removeprefix("job-"))
    began = monotonic()
    answer = await asyncio.to_thread(
        gateway.client.post,
        f"{_keys(_CLUSTERS)[number % _CLUSTERS]}/runJob",
        params=API,
        json={"properties": {"jobType": "FlinkJob", "jobName": job, "action": "LIST_SAVEPOINT"}},
    )
    assert answer.status_code == 202, answer.text
    pattern = row_with(job, "Look for savepoints")
    await asyncio.gather(*(each.sees(pattern) for each in viewers))
    return monotonic() - began


def _keys(clusters: int) -> list[str]:
    return [CLUSTER, *(f"{CLUSTER}-{number}" for number in range(1, clusters))]
