"""Preview and refresh of many jobs of which none has changed, against a no-op provider."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from tests.bench.comparison import Aim, Comparison, Fact, Measured, in_turns
from tests.bench.counting_proxy import CountingProxy
from tests.bench.provider_memory import peak_mebibytes
from tests.bench.stacks import NOOP, REAL, BenchStack
from tests.flink_cluster import FLINK_2, FlinkCluster

FEW = 10
PREVIEW = ("preview", "--expect-no-changes")
REFRESH = ("preview", "--refresh", "--expect-no-changes")
UP = ("up", "--yes", "--skip-preview")
_ALIKE = 0.05
_HOW = """
{jobs} counting jobs (parallelism 1, one number a second, no checkpoints) that really run on one
cluster, created by one `up`. Timed is the whole command, with the start of engine, program and
provider; on few cores its time varies with what the jobs leave of them, and its CPU time does not.
Baseline: the same command on a stack of {jobs} resources of a dynamic provider whose
calls answer at once, with properties of the same names and sizes. Requests are counted by a proxy
between provider and cluster. Memory is the greatest resident size of the provider's process
(VmHWM) in a preview with refresh.
"""
#: Room for 1,000 jobs: a class loader, two tasks and a few threads each. The last three keep idle
#: jobs from keeping the machine busy, so that it is the command that is measured.
LARGE = {
    "jobmanager.memory.heap.size": "3g",
    "jobmanager.memory.off-heap.size": "256m",
    "jobmanager.memory.jvm-metaspace.size": "2g",
    "taskmanager.memory.task.heap.size": "2g",
    "taskmanager.memory.network.min": "512m",
    "taskmanager.memory.network.max": "512m",
    "taskmanager.memory.jvm-metaspace.size": "1g",
    "heartbeat.interval": "60000",
    "heartbeat.timeout": "600000",
    "execution.buffer-timeout.enabled": "false",
}
TASK_MANAGERS = 2


class _Pair:
    """A stack of real jobs that run, and a stack of the no-op provider that holds as much."""

    def __init__(self, directory: Path, proxy: CountingProxy, jobs: int) -> None:
        self.proxy = proxy
        self.jobs = jobs
        self.real = self._stack(directory / f"real-{jobs}", REAL)
        self.noop = self._stack(directory / f"noop-{jobs}", NOOP)
        proxy.forget()
        self.creation_s = self.real.seconds(*UP)
        self.noop.seconds(*UP)
        _refuse_unlike(self.real, self.noop)

    def _stack(self, root: Path, program: str) -> BenchStack:
        root.mkdir()
        stack = BenchStack(root, program, self.proxy.url, stack=f"jobs-{self.jobs}")
        stack.declare_counting_jobs(self.jobs)
        return stack

    def close(self) -> None:
        """End what runs of both."""
        self.real.close()
        self.noop.close()

    def requests(self, command: tuple[str, ...]) -> Fact:
        """Count the requests of a command."""
        self.proxy.forget()
        self.real.seconds(*command)
        words = " ".join(command)
        return Fact(f"requests of `{words}` with {self.jobs} jobs", self.proxy.counted())

    def compare(self, command: tuple[str, ...], rounds: int) -> list[Comparison]:
        """Time a command on both: as it takes, and as it computes."""
        computed: dict[str, list[float]] = {"ours": [], "baseline": []}

        def run(stack: BenchStack, whose: str) -> float:
            taken = stack.seconds(*command)
            computed[whose].append(stack.cpu_s)
            return taken

        ours, baseline = in_turns(
            rounds, lambda: run(self.real, "ours"), lambda: run(self.noop, "baseline")
        )
        what = f"`{' '.join(command)}`, {self.jobs} jobs"
        aim = Aim("at most 1.10", ratio=1.1)
        return [
            Comparison(what, ours, baseline, aim=aim),
            Comparison(f"{what}: CPU", computed["ours"][1:], computed["baseline"][1:], aim=aim),
        ]

    def memory(self, rounds: int) -> Comparison:
        """Compare the providers' memory in a refresh."""
        ours, baseline = in_turns(
            rounds,
            lambda: peak_mebibytes(self.real, *REFRESH),
            lambda: peak_mebibytes(self.noop, *REFRESH),
        )
        return Comparison(f"memory of the provider, {self.jobs} jobs", ours, baseline, "MiB")


def measure(directory: Path, rounds: int, jobs: int = 1000) -> Measured:
    """Measure."""
    cluster = FlinkCluster(
        directory,
        FLINK_2,
        slots=jobs + FEW,
        task_managers=TASK_MANAGERS,
        configuration=LARGE,
    )
    with ExitStack() as closing_all:
        closing_all.enter_context(closing(cluster))
        proxy = closing_all.enter_context(CountingProxy(cluster.url))
        few = closing_all.enter_context(closing(_Pair(directory, proxy, FEW)))
        many = closing_all.enter_context(closing(_Pair(directory, proxy, jobs)))
        facts = [pair.requests(command) for command in (PREVIEW, REFRESH) for pair in (few, many)]
        comparisons = [
            each for command in (PREVIEW, REFRESH) for each in many.compare(command, rounds)
        ]
        comparisons.append(many.memory(1))
    facts.append(Fact(f"creation of the {jobs} jobs by one `up`", f"{many.creation_s:.0f} s"))
    return Measured(f"{jobs} unchanged jobs", _HOW.format(jobs=jobs), comparisons, facts)


def _refuse_unlike(real: BenchStack, noop: BenchStack) -> None:
    """Raise where the two states do not hold as much: nothing could be compared."""
    for name, resource in real.recorded().items():
        other = noop.recorded()[name]
        for part in ("inputs", "outputs"):
            if resource[part].keys() != other[part].keys() or _apart(resource[part], other[part]):
                raise RuntimeError(
                    f"{part} of {name} are unlike: {resource[part]} and {other[part]}"
                )
        return


def _apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    sizes = sorted(len(json.dumps(each)) for each in (one, other))
    return sizes[1] > sizes[0] * (1 + _ALIKE)
