"""The portal with 10,000 jobs on 50 clusters, and 200 people who look at their list."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from pathlib import Path
from statistics import median

import httpx

from tests.bench.comparison import Aim, Comparison, Fact, Measured, in_turns
from tests.bench.gateway_actions import BenchGateway
from tests.bench.gateway_records import fill_records
from tests.bench.recorded_clusters import recorded_clusters
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.gateway_process import API, CLUSTER
from tests.portal_pages import Page

_JOBS = 10_000
_CLUSTERS = 50
_VIEWERS = 200
_CALLS = 20
_WATCHED_S = 20.0
#: Changes that all viewers are sent, of which memory must show nothing.
_CHANGES = 15
#: The names on the first page.
_FIRST = sorted(f"job-{number}" for number in range(_JOBS))[:50]
_HOW = """
A gateway as a process of its own (SQLite, plain HTTP on the loopback interface) with {jobs:,}
stopped jobs on record, on {clusters} clusters: a real one, and {others} that give recorded answers
with 200 jobs each. A page of the list: the median of {calls} calls over one kept-alive connection;
baseline: /healthz. An update: from the request of an action on a job of the first page until all
{viewers} viewers, each signed in by themselves, have been sent the list with it; baseline: the same
with one viewer. Requests to the {others} clusters: those of {watched:.0f} s with all viewers;
baseline: with one.
"""


def measure(directory: Path, rounds: int) -> Measured:
    """Measure the list, its updates, requests to clusters, and memory."""
    with ExitStack() as stack:
        cluster = stack.enter_context(closing(FlinkCluster(directory, FLINK_2)))
        others = stack.enter_context(recorded_clusters())
        gateway = stack.enter_context(closing(BenchGateway(directory / "portal", cluster.url)))
        _serve(gateway, others.url_of)
        gateway.refill(lambda database: fill_records(database, _JOBS, _keys()))
        healthy = lambda: _median(lambda: gateway.client.get("/healthz"))  # noqa: E731
        with closing(_signed_in(gateway)) as browser:
            ours, baseline = in_turns(rounds, lambda: _median(lambda: _list(browser)), healthy)
        lists = Comparison(
            f"a page of the list, {_JOBS:,} jobs",
            ours,
            baseline,
            aim=Aim("within 100 ms", ours=0.1),
        )
        seen = asyncio.run(_watched(gateway, others.total, rounds))
    how = _HOW.format(
        jobs=_JOBS,
        clusters=_CLUSTERS,
        others=_CLUSTERS - 1,
        calls=_CALLS,
        viewers=_VIEWERS,
        watched=_WATCHED_S,
    )
    comparisons = [lists, *seen.comparisons]
    return Measured("The portal, and many who look", how, comparisons, seen.facts)


def _serve(gateway: BenchGateway, url_of: Callable[[int], str]) -> None:
    """Have a gateway serve all clusters."""
    first = gateway.process.content["clusters"][0]
    more = [
        {"id": name, "flink": {"url": url_of(number)}} for number, name in enumerate(_keys()[1:], 1)
    ]
    limits = {**gateway.process.content["limits"], "connections_per_address": 1000}
    gateway.process.write(clusters=[first, *more], portal={}, limits=limits)


def _signed_in(gateway: BenchGateway) -> httpx.Client:
    browser = gateway.process.client("")
    form = Page(browser.get("/portal/sign-in").text).form("/portal/sign-in")
    answer = browser.post(
        form.action, data=form.filled(token=gateway.token), headers=_origin(gateway)
    )
    assert answer.status_code == 303, answer.text
    return browser


def _origin(gateway: BenchGateway) -> dict[str, str]:
    return {"Origin": gateway.process.url}


def _list(browser: httpx.Client) -> None:
    answer = browser.get("/portal/")
    assert answer.status_code == 200, answer.text
    assert f"{_JOBS}" in answer.text.replace(",", ""), answer.text[:2000]


def _median(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_CALLS):
        began = time.monotonic()
        work()
        taken.append(time.monotonic() - began)
    return median(taken)


class _Viewer:
    """A stream of the list, read as it comes.

    Attributes:
        last: The latest list.
    """

    def __init__(self, cookies: httpx.Cookies, url: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, cookies=cookies, timeout=None, trust_env=False
        )
        self.last = ""
        self._changed = asyncio.Event()

    async def follow(self) -> None:
        """Read until cancelled."""
        address = "/portal/events/jobs?sort=name"
        async with self._client, self._client.stream("GET", address) as answer:
            data: list[str] = []
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    data.append(line)
                elif not line and data:
                    self.last, data = "\n".join(data), []
                    self._changed.set()

    async def sees(self, row: str) -> None:
        """Wait until a pattern is found in the list."""
        async with asyncio.timeout(120):
            while not re.search(row, self.last, re.DOTALL):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def _viewers(cookies: list[httpx.Cookies], url: str) -> AsyncIterator[list[_Viewer]]:
    viewers = [_Viewer(each, url) for each in cookies]
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(each.follow()) for each in viewers]
        stack.callback(lambda: [task.cancel() for task in following])
        await asyncio.gather(*(each.sees("<tr") for each in viewers))
        yield viewers
        for task in following:
            task.cancel()


class _Seen:
    def __init__(self) -> None:
        self.comparisons: list[Comparison] = []
        self.facts: list[Fact] = []


async def _watched(gateway: BenchGateway, requests: Callable[[], int], rounds: int) -> _Seen:
    cookies = await asyncio.to_thread(_sign_all_in, gateway)
    updates: dict[int, list[float]] = {}
    asked: dict[int, list[float]] = {}
    seen = _Seen()
    number = -1
    for count in (1, _VIEWERS):
        async with _viewers(cookies[:count], gateway.process.url) as viewers:
            updates[count] = []
            asked[count] = []
            for _ in range(rounds + 1):
                number += 1
                updates[count].append(await _update(gateway, viewers, number))
            before = requests()
            await asyncio.sleep(_WATCHED_S)
            asked[count].append(requests() - before)
            if count == _VIEWERS:
                memory = [gateway.memory()]
                for _ in range(2):
                    for _ in range(_CHANGES):
                        number += 1
                        await _update(gateway, viewers, number)
                    memory.append(gateway.memory())
                grown = memory[2] - memory[1]
                seen.facts += [
                    Fact(f"memory with {_VIEWERS} viewers", f"{memory[0]:.0f} MiB"),
                    Fact(f"more of it after {_CHANGES} further updates", f"{grown:.1f} MiB"),
                ]
    seen.comparisons = [
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
    return seen


def _sign_all_in(gateway: BenchGateway) -> list[httpx.Cookies]:
    found = []
    for _ in range(_VIEWERS):
        with closing(_signed_in(gateway)) as browser:
            found.append(browser.cookies)
    return found


async def _update(gateway: BenchGateway, viewers: list[_Viewer], number: int) -> float:
    """Change a row that all see; return how long the last of them waited for it."""
    job = int(_FIRST[number].removeprefix("job-"))
    began = time.monotonic()
    answer = await asyncio.to_thread(
        gateway.client.post,
        f"{_keys()[job % _CLUSTERS]}/runJob",
        params=API,
        json={
            "properties": {
                "jobType": "FlinkJob",
                "jobName": _FIRST[number],
                "action": "LIST_SAVEPOINT",
            }
        },
    )
    assert answer.status_code == 202, answer.text
    row = rf">{_FIRST[number]}</a>(?:(?!</tr>).)*Look for savepoints"
    await asyncio.gather(*(each.sees(row) for each in viewers))
    return time.monotonic() - began


def _keys() -> list[str]:
    return [CLUSTER, *(f"{CLUSTER}-{number}" for number in range(1, _CLUSTERS))]
