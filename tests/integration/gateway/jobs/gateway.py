"""A gateway over a real Flink, called as its faces call it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flink_jobs_provider.control_planes.connection import Clusters
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    JobRow,
    JobsOfCluster,
)
from flink_jobs_provider.gateway.jobs import Intervals, Jobs, guard
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.store import Store
from flink_jobs_provider.model.action import Action
from tests.counting_output import Counts, assert_counts_continuous
from tests.flink_cluster import FlinkCluster
from tests.job_jars import COUNTING_JAR, TEST_JOBS_JAR, copy_with_other_bytes, entry_class
from tests.unit.gateway.jobs.gateway import CLUSTER, configuration
from tests.waiting import PATIENCE

#: Quicker than in production, so that tests need not wait.
QUICK = Intervals(observe=0.3, fresh=0, lease=3, renew=0.5, relaunch_after=1, relaunch_pause=1)


class RealGateway:
    """A gateway with one cluster.

    Attributes:
        output: Where the counting jobs write to.

    The cluster is reached at `url` where one is given, such as that of a proxy; `cluster` holds
    further settings of it.
    """

    jobs: Jobs
    monitors: Monitors
    store: Store

    def __init__(
        self,
        directory: Path,
        flink: FlinkCluster,
        database: str = "",
        intervals: Intervals = QUICK,
        url: str = "",
        cluster: Mapping[str, Any] | None = None,
    ) -> None:
        self.directory = directory
        self.flink = flink
        self.output = directory / "output"
        self._url = database or f"sqlite:///{directory / 'gateway.db'}"
        self._intervals = intervals
        settings = {"flink": {"url": url or flink.url}, **(cluster or {})}
        self._configuration = configuration(directory, cluster=settings)

    async def start(self) -> None:
        """Start a process."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.store = Store(self._url)
        self._clusters = Clusters(lambda name: os.environ[name], guard)
        self.monitors = Monitors(self._configuration.clusters, self._clusters)
        self.jobs = Jobs(
            self._configuration,
            self.store,
            self._clusters,
            intervals=self._intervals,
            monitors=self.monitors,
        )
        await self.jobs.start()

    async def stop(self, timeout: float = 60) -> None:
        """Stop the process."""
        await self.jobs.stop(timeout)
        await self._clusters.close()
        self.store.close()

    def version(self, label: str, **changes: Any) -> dict[str, Any]:
        """Return the inputs of a version of the counting job, whose lines have a label."""
        jar = self.directory / f"jars-{label}" / "counting.jar"
        jar.parent.mkdir(parents=True, exist_ok=True)
        args = ["--output", str(self.output), "--label", label, "--rate", "50", "--keys", "4"]
        return {
            "jar": str(copy_with_other_bytes(COUNTING_JAR, jar, label)),
            "args": [*args, "--checkpoint-interval", "200"],
            "parallelism": 1,
            **changes,
        }

    def unusual(self, label: str, *args: str, **changes: Any) -> dict[str, Any]:
        """Return the inputs of a version with another `main`, which these arguments are for."""
        usual = self.version(label)
        program = {"jar": str(TEST_JOBS_JAR), "entry_class": entry_class("UnusualMain")}
        return {**usual, **program, "args": [*usual["args"], *args], **changes}

    async def submit(self, action: str, job: str = "counted", **changes: Any) -> ActionRow:
        """Ask for an action."""
        request = ActionRequest(CLUSTER, job, Action(action), changes, {}, "tester")
        return await self.jobs.submit(request)

    async def ended(self, action_id: str) -> ActionRow:
        """Wait for the end of an action."""
        async with asyncio.timeout(120 * PATIENCE):
            while True:
                row = await self.jobs.operation(action_id)
                assert row is not None
                if row.finished_at is not None:
                    return row
                await asyncio.sleep(0.02)

    async def do(self, action: str, job: str = "counted", **changes: Any) -> ActionRow:
        """Ask for an action, and wait for its end."""
        return await self.ended((await self.submit(action, job, **changes)).id)

    async def done(self, action: str, job: str = "counted", **changes: Any) -> JobRow:
        """Have an action succeed, and return the job's row."""
        row = await self.do(action, job, **changes)
        assert row.result == "SUCCESS", row.output
        return await self.row(job)

    async def row(self, job: str = "counted") -> JobRow:
        """Return a job's row."""
        (row,) = await self.jobs.jobs(JobsOfCluster(CLUSTER, job_name=job))
        return row

    async def row_that(
        self, condition: Callable[[JobRow], bool], job: str = "counted", timeout: float = 120
    ) -> JobRow:
        """Wait until a job's row is as it should be, and return it."""
        async with asyncio.timeout(timeout * PATIENCE):
            while not condition(row := await self.row(job)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            return row

    def active(self) -> list[str]:
        """Return the jobs that the cluster works on."""
        over = {"FINISHED", "FAILED", "CANCELED"}
        return [id_ for id_, row in self.flink.jobs().items() if row["state"] not in over]

    async def counts(self, label: str) -> Counts:
        """Wait until a version commits lines, and check that no number was lost or repeated."""
        before = assert_counts_continuous(self.output).labels[label]
        await until(lambda: assert_counts_continuous(self.output).labels[label] > before)
        return assert_counts_continuous(self.output)


async def until(condition: Callable[[], bool], timeout: float = 60) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(timeout * PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is nothing that would tell
            await asyncio.sleep(0.05)
