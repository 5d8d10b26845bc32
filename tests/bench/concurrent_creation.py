"""Creating many jobs at once, by the native plugin and by the dynamic provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from tests.bench.activity_relay import ActivityRelay
from tests.bench.comparison import Aim, Comparison, Measured, in_turns
from tests.bench.stacks import PLUGIN, REAL, BenchStack
from tests.bench.unchanged import LARGE, UP
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.job_jars import COUNTING_JAR

_CREATED, _AT_ONCE, _SETTLE_S = 100, 20, 2
#: How many operations a dynamic provider has at once, and submissions the plugin on one cluster.
_DYNAMIC, _SUBMISSIONS = 4, 8
_PAUSE_S = 0.02
_HOW = """
Created are counting jobs (parallelism 1, no checkpoints) by one `up`, with the native plugin or
the dynamic provider, in the embedded engine. Timed is from the first request to the cluster to the
last, as a relay between them sees it. Baseline of the {created} jobs: plain requests, as many jobs
at a time; each is uploaded and run, and is done when a list of the jobs, which is asked for every
{pause:.0f} ms for all of them, shows it RUNNING with all its tasks. Baseline of the {at_once} jobs,
which have a settle time of {settle} s and `--parallel {at_once}`: one such job.
"""


class _Creating:
    """Creates jobs on a cluster with room for them, which is empty again after each turn."""

    def __init__(self, cluster: FlinkCluster, relay: ActivityRelay, directory: Path) -> None:
        self._cluster = cluster
        self._relay = relay
        self._directory = directory
        self._numbers = count(1)

    def by_up(self, program: str, jobs: int, *options: str, **inputs: Any) -> float:
        """Create jobs by one `up` of a new stack; return from its first request to its last."""
        name = f"faces-{next(self._numbers)}"
        root = self._directory / name
        root.mkdir()
        with closing(BenchStack(root, program, self._relay.url, stack=name)) as stack:
            stack.declare_counting_jobs(jobs, **inputs)
            self._relay.forget()
            stack.seconds(*UP, *options)
            taken = self._relay.busy_seconds()
        self._cluster.clear()
        return taken

    def by_requests(self, jobs: int, at_once: int) -> float:
        """Create jobs by plain requests; return the seconds it took."""
        counts = self._directory / f"plain-{next(self._numbers)}"
        taken = asyncio.run(_plain(self._relay.url, counts, jobs, at_once))
        self._cluster.clear()
        return taken


async def _plain(url: str, counts: Path, jobs: int, at_once: int) -> float:
    running: dict[str, asyncio.Event] = {}

    async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False) as http:

        async def watch() -> None:
            while True:
                answer = (await http.get("/jobs/overview")).raise_for_status().json()
                for job in answer["jobs"]:
                    tasks = job["tasks"]
                    if job["jid"] in running and tasks["running"] == tasks["total"] > 0:
                        running[job["jid"]].set()
                await asyncio.sleep(_PAUSE_S)

        turns = asyncio.Semaphore(at_once)

        async def create(number: int) -> None:
            async with turns:
                content = {"jarfile": (COUNTING_JAR.name, COUNTING_JAR.read_bytes())}
                uploaded = (await http.post("/jars/upload", files=content)).raise_for_status()
                jar = uploaded.json()["filename"].rsplit("/", 1)[-1]
                output = str(counts / str(number))
                args = ["--output", output, "--rate", "1", "--checkpoint-interval", "0"]
                body = {"programArgsList": args, "parallelism": 1}
                accepted = (await http.post(f"/jars/{jar}/run", json=body)).raise_for_status()
                shown = running.setdefault(accepted.json()["jobid"], asyncio.Event())
                await shown.wait()

        began = time.monotonic()
        watching = asyncio.create_task(watch())
        done = asyncio.gather(*map(create, range(jobs)))
        either: list[asyncio.Future[Any]] = [watching, done]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        taken = time.monotonic() - began
        watching.cancel()
        await done
    return taken


def measure(directory: Path, rounds: int) -> Measured:
    """Measure."""
    how = _HOW.format(created=_CREATED, pause=_PAUSE_S * 1000, at_once=_AT_ONCE, settle=_SETTLE_S)
    return Measured("Creating jobs at once", how, _creations(directory, rounds))


def _creations(directory: Path, rounds: int) -> list[Comparison]:
    with ExitStack() as closing_all:
        cluster = FlinkCluster(directory, FLINK_2, slots=_CREATED, configuration=LARGE)
        closing_all.enter_context(closing(cluster))
        relay = closing_all.enter_context(ActivityRelay(cluster.url))
        creating = _Creating(cluster, relay, directory)

        def compare(
            what: str, aim: Aim, ours: Callable[[], float], baseline: Callable[[], float]
        ) -> Comparison:
            return Comparison(what, *in_turns(rounds, ours, baseline), aim=aim)

        settling = {"settle_time": f"{_SETTLE_S}s"}
        return [
            compare(
                f"{_AT_ONCE} jobs by the plugin, against one",
                Aim("at most 1.50", ratio=1.5),
                lambda: creating.by_up(PLUGIN, _AT_ONCE, "--parallel", str(_AT_ONCE), **settling),
                lambda: creating.by_up(PLUGIN, 1, **settling),
            ),
            compare(
                f"{_CREATED} jobs by the plugin, {_SUBMISSIONS} at once",
                Aim("at most 1.30", ratio=1.3),
                lambda: creating.by_up(PLUGIN, _CREATED, "--parallel", str(_SUBMISSIONS)),
                lambda: creating.by_requests(_CREATED, _SUBMISSIONS),
            ),
            compare(
                f"{_CREATED} jobs by the dynamic provider, {_DYNAMIC} at once",
                Aim("at most 1.30", ratio=1.3),
                lambda: creating.by_up(REAL, _CREATED),
                lambda: creating.by_requests(_CREATED, _DYNAMIC),
            ),
        ]
