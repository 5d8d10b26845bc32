"""Creating 20 jobs, against 20 calls of Flink's own command-line client."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import count
from pathlib import Path

from tests.bench.comparison import Aim, Comparison, Measured, in_turns
from tests.bench.counting_proxy import CountingProxy
from tests.bench.flink_client import FlinkClientProgram
from tests.bench.stacks import REAL, BenchStack
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.job_jars import COUNTING_JAR

JOBS = 20
_HOW = """
{jobs} counting jobs (parallelism 1) on an empty cluster with {jobs} free slots. Ours: `up` of a
new stack with the embedded engine, from the start of the command to its end: every job has then
all its tasks running, and its record is on disk. The second figure leaves the start and the end of
the engine out: it is taken from the first request to the cluster to the last. Baseline: as many
calls, one after the other, of the client that `bin/flink run -d` starts, with the same jar and
arguments; it returns when a job is accepted.
"""


class _Creation:
    """Both ways to create the jobs; each leaves the cluster empty again."""

    def __init__(self, cluster: FlinkCluster, proxy: CountingProxy, directory: Path) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._directory = directory
        self._client = FlinkClientProgram(cluster)
        self._numbers = count(1)
        self.without_engine: list[float] = []

    def ours(self) -> float:
        """Create by `up`; return the seconds it took."""
        stack = self._stack()
        with closing(stack):
            self._proxy.forget()
            taken = stack.seconds("up", "--yes", "--skip-preview")
            self.without_engine.append(self._proxy.busy_seconds())
        self._cluster.clear()
        return taken

    def baseline(self) -> float:
        """Create by the client; return the seconds it took."""
        number = next(self._numbers)
        began = time.monotonic()
        for index in range(JOBS):
            output = self._directory / "counts" / f"{number}-{index}"
            arguments = ["--output", str(output), "--rate", "1", "--checkpoint-interval", "0"]
            self._client.run(COUNTING_JAR, arguments)
        taken = time.monotonic() - began
        self._cluster.clear()
        return taken

    def _stack(self) -> BenchStack:
        # A name of its own: the cluster remembers the ended jobs of the rounds before.
        name = f"creation-{next(self._numbers)}"
        root = self._directory / name
        root.mkdir()
        stack = BenchStack(root, REAL, self._proxy.url, stack=name)
        stack.declare_counting_jobs(JOBS)
        return stack


def measure(directory: Path, rounds: int) -> Measured:
    """Measure."""
    with (
        closing(FlinkCluster(directory, FLINK_2, slots=JOBS)) as cluster,
        CountingProxy(cluster.url) as proxy,
    ):
        creation = _Creation(cluster, proxy, directory)
        ours, baseline = in_turns(rounds, creation.ours, creation.baseline)
        without = creation.without_engine[1:]
    aim = Aim("5 times faster (0.20)", ratio=0.2)
    return Measured(
        f"Creating {JOBS} jobs",
        _HOW.format(jobs=JOBS),
        [
            Comparison(f"`up` of {JOBS} jobs", ours, baseline, aim=aim),
            Comparison("the same without the engine's start", without, baseline),
        ],
    )
