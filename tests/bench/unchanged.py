"""Preview and refresh of many jobs of which none has changed, by both faces and a no-op."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.comparison import Aim, Comparison, Fact, Measured, all_in_turns
from tests.bench.counting_proxy import CountingProxy
from tests.bench.provider_memory import peak_mebibytes
from tests.bench.stacks import NOOP, PLUGIN, REAL, BenchStack
from tests.flink_cluster import FLINK_2, FlinkCluster

FEW = 10
PREVIEW = ("preview", "--expect-no-changes")
REFRESH = ("preview", "--refresh", "--expect-no-changes")
UP = ("up", "--yes", "--skip-preview")
_ALIKE = 0.05
_LIKE_NOOP = Aim("at most 1.10", ratio=1.1)
_LIKE_DYNAMIC = Aim("at most 1.00", ratio=1.0)
_PLUGIN_MEMORY = Aim("at most 150 MiB", ours=150)
_HOW = """
{jobs} jobs of one task that really run on one cluster, created by one `up`. Their source has
nothing to emit, so that the machine is left to what is measured. Timed is the whole command, with
the start of engine, program and provider.
Baseline: the same command on a stack of {jobs} resources of a dynamic provider whose
calls answer at once, with properties of the same names and sizes. The native plugin has taken the
same jobs over, by an `up` that changed nothing; its baseline is the dynamic provider. Requests are
counted by a proxy between provider and cluster. Memory is the greatest resident size of the
provider's process (VmHWM) in a preview with refresh.
"""
#: Room for 1,000 jobs: a class loader, two tasks and a few threads each. The last four keep what
#: does little from keeping the machine busy, so that it is the command that is measured.
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
    "pipeline.auto-watermark-interval": "0",
}
TASK_MANAGERS = 2


class _Stacks:
    """A stack of real jobs that run, the same by the plugin, and one of the no-op provider."""

    def __init__(self, directory: Path, proxy: CountingProxy, jobs: int) -> None:
        self.proxy = proxy
        self.jobs = jobs
        self.real = self._stack(directory / f"real-{jobs}", REAL)
        self.plugin = self._stack(directory / f"plugin-{jobs}", PLUGIN)
        self.noop = self._stack(directory / f"noop-{jobs}", NOOP)
        proxy.forget()
        creation_s = self.real.seconds(*UP)
        self.creation = (
            Fact(f"creation of the {jobs} jobs by one `up`", f"{creation_s:.0f} s"),
            Fact("requests of that `up`", proxy.counted()),
        )
        self.noop.seconds(*UP)
        _refuse_unlike(self.real, self.noop)
        self.plugin.jobs = self.real.jobs
        shutil.copyfile(self.real.checkpoint, self.plugin.checkpoint)
        self.plugin.seconds(*UP, "--expect-no-changes")

    def _stack(self, root: Path, program: str) -> BenchStack:
        root.mkdir()
        stack = BenchStack(root, program, self.proxy.url, stack=f"jobs-{self.jobs}")
        stack.declare_idle_jobs(self.jobs)
        return stack

    def close(self) -> None:
        """End what runs of them."""
        for stack in (self.plugin, self.real, self.noop):
            stack.close()

    def requests(self, command: tuple[str, ...]) -> Fact:
        """Count the requests of a command."""
        self.proxy.forget()
        self.real.seconds(*command)
        words = " ".join(command)
        return Fact(f"requests of `{words}` with {self.jobs} jobs", self.proxy.counted())

    def compare(self, command: tuple[str, ...], rounds: int) -> list[Comparison]:
        """Time a command on all: as it takes, and as it computes."""
        stacks = (self.real, self.noop, self.plugin)
        computed: list[list[float]] = [[] for _ in stacks]

        def run(stack: BenchStack, used: list[float]) -> float:
            taken = stack.seconds(*command)
            used.append(stack.cpu_s)
            return taken

        turns = [partial(run, *each) for each in zip(stacks, computed, strict=True)]
        real, noop, plugin = all_in_turns(rounds, *turns)
        real_cpu, noop_cpu, plugin_cpu = (used[1:] for used in computed)
        what = f"`{' '.join(command)}`, {self.jobs} jobs"
        by_plugin = f"{what}, by the plugin"
        return [
            Comparison(what, real, noop, aim=_LIKE_NOOP),
            Comparison(f"{what}: CPU", real_cpu, noop_cpu, aim=_LIKE_NOOP),
            Comparison(by_plugin, plugin, real, aim=_LIKE_DYNAMIC),
            Comparison(f"{by_plugin}: CPU", plugin_cpu, real_cpu, aim=_LIKE_DYNAMIC),
        ]

    def memory(self) -> list[Comparison]:
        """Compare the providers' memory in a refresh."""
        stacks = (self.real, self.noop, self.plugin)
        real, noop, plugin = ([peak_mebibytes(stack, *REFRESH)] for stack in stacks)
        what = f"memory of the provider, {self.jobs} jobs"
        return [
            Comparison(what, real, noop, "MiB"),
            Comparison(f"{what}: the plugin", plugin, real, "MiB", aim=_PLUGIN_MEMORY),
        ]


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
        few = closing_all.enter_context(closing(_Stacks(directory, proxy, FEW)))
        many = closing_all.enter_context(closing(_Stacks(directory, proxy, jobs)))
        facts = [each.requests(command) for command in (PREVIEW, REFRESH) for each in (few, many)]
        comparisons = [
            each for command in (PREVIEW, REFRESH) for each in many.compare(command, rounds)
        ]
        comparisons += many.memory()
    facts += many.creation
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
