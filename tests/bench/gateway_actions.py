"""Actions through a gateway, against the same on the same cluster without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.control_planes.flink.client import open_client
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.gateway.principal import Role
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import FlinkTarget
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.bench.comparison import SHORT, Aim, Comparison, Measured, in_turns
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.gateway_process import (
    CLUSTER,
    GatewayProcess,
    new_job,
    run_job,
)
from tests.job_jars import COUNTING_JAR
from tests.processes import command_of
from tests.waiting import wait_until

_PAUSE_S = 0.01
_LONGEST_S = 120.0
_HOW = """
A gateway as a process of its own (SQLite, plain HTTP on the loopback interface) and a client that
sends NEW or UPDATE and lists the job every {pause:.0f} ms until the action has ended. Baseline: the
provider's own reconciler on the same cluster in this process, which is what the gateway carries
actions out with. Both see all tasks run and one checkpoint complete before they say so; the
counting job of examples/ (parallelism 1, a checkpoint every 200 ms).
"""


class BenchGateway:
    """A gateway, and one client of it.

    Args:
        directory: Where its files are.
        flink_url: Its cluster.
        command: What serves, if not the command itself.
    """

    def __init__(self, directory: Path, flink_url: str, command: Sequence[str] = ()) -> None:
        directory.mkdir()
        limits = {
            "requests_per_second": 100_000,
            "burst": 100_000,
            "concurrent_actions": 64,
        }
        self.process = GatewayProcess(
            directory, flink_url, preloaded=False, command=command, limits=limits
        )
        self.token = self.process.token("bench", Role.OPERATE)
        self.process.start()
        self.client = self.process.client(self.token)

    def ended(self, answer: httpx.Response, name: str) -> dict[str, Any]:
        """Wait until an action has ended; it must succeed."""
        assert answer.status_code == 202, answer.text
        deadline = time.monotonic() + _LONGEST_S
        params = {"api-version": "2023-11-01-preview", "$filter": f"jobName eq {name}"}
        while True:
            [row] = self.client.get(f"{CLUSTER}/jobs", params=params).json()["value"]
            properties: dict[str, Any] = row["properties"]
            if properties["actionResult"] == "SUCCESS":
                return properties
            if properties["actionResult"] == "FAILED" or time.monotonic() > deadline:
                raise RuntimeError(f"{name}: {properties}")
            time.sleep(_PAUSE_S)

    def refill(self, fill: Callable[[Path], None]) -> None:
        """Stop it, have its records written, and start it again."""
        self.client.close()
        self.process.stop()
        fill(self.process.directory / "data/gateway.db")
        self.process.start()
        self.client = self.process.client(self.token)

    def memory(self) -> float:
        """Return its resident size in MiB."""
        return self._measured.memory_info().rss / 2**20

    def cpu_time(self) -> float:
        """Return the seconds of CPU that it has taken, which other load does not count into."""
        times = self._measured.cpu_times()
        return times.user + times.system

    @property
    def _measured(self) -> psutil.Process:
        children = psutil.Process().children()
        [gateway] = [child for child in children if str(self.process.config) in command_of(child)]
        return gateway

    def await_idle(self) -> None:
        """Wait until no action is in progress."""
        wait_until(lambda: self._in_progress() == 0, _LONGEST_S, "all actions have ended")

    def _in_progress(self) -> float:
        lines = self.client.get("/metrics").text.splitlines()
        [line] = [
            line for line in lines if line.startswith("flink_jobs_gateway_actions_in_progress")
        ]
        return float(line.rpartition(" ")[2])

    def close(self) -> None:
        """End it."""
        self.client.close()
        self.process.close()


class _Direct:
    """The reconciler alone."""

    def __init__(self, url: str) -> None:
        self._target = FlinkTarget(url=url)
        self._loop = asyncio.new_event_loop()
        self._plane = FlinkRest(open_client(self._target, lambda _reference: ""))
        self._record: JobRecord | None = None

    def bring_about(self, name: str, args: list[str], trigger: str) -> None:
        """Create the job, or update it."""
        spec = JobSpec(
            target=self._target,
            job_name=name,
            owner="organization/bench/dev",
            jar=str(COUNTING_JAR),
            jar_digest=open_jar(str(COUNTING_JAR)).digest,
            entry_class="flinkjobs.counting.CountingJob",
            args=args,
            parallelism=1,
            settle_time="0s",
            restart_trigger=trigger,
        )
        if self._record and self._record.spec.job_name != name:
            self._record = None
        work = Reconciler(self._plane, local_paths=True).bring_about(
            self._record, spec, open_jar(spec.jar)
        )
        self._record = self._loop.run_until_complete(work)

    def close(self) -> None:
        """Close the connections."""
        self._loop.run_until_complete(self._plane.close())
        self._loop.close()


def measure(directory: Path, rounds: int) -> Measured:
    """Measure NEW and UPDATE, several times in each of the `rounds`."""
    rounds *= SHORT
    numbers = count(1)
    comparisons = []
    with (
        closing(FlinkCluster(directory, FLINK_2)) as cluster,
        closing(BenchGateway(directory / "actions", cluster.url)) as gateway,
        closing(_Direct(cluster.url)) as direct,
    ):

        def args(name: str) -> list[str]:
            output = str(directory / "counts" / name)
            return ["--output", output, "--rate", "10", "--checkpoint-interval", "200"]

        def through(name: str) -> None:
            gateway.ended(new_job(gateway.client, name, *args(name)), name)

        def new_through() -> float:
            name = f"through-{next(numbers)}"
            taken = _timed(lambda: through(name))
            gateway.ended(run_job(gateway.client, name, "CANCEL"), name)
            return taken

        def new_directly() -> float:
            name = f"directly-{next(numbers)}"
            taken = _timed(lambda: direct.bring_about(name, args(name), ""))
            cluster.clear()
            return taken

        aim = Aim("at most 1.20", ratio=1.2)
        comparisons.append(Comparison("NEW", *in_turns(rounds, new_through, new_directly), aim=aim))
        through("updated")
        direct.bring_about("updated-directly", args("updated-directly"), "0")

        def update() -> None:
            gateway.ended(run_job(gateway.client, "updated", "UPDATE"), "updated")

        def update_through() -> float:
            return _timed(update)

        def update_directly() -> float:
            trigger, name = str(next(numbers)), "updated-directly"
            return _timed(lambda: direct.bring_about(name, args(name), trigger))

        comparisons.append(
            Comparison("UPDATE", *in_turns(rounds, update_through, update_directly), aim=aim)
        )
    return Measured("Actions through a gateway", _HOW.format(pause=_PAUSE_S * 1000), comparisons)


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
