"""A gateway over a Flink in memory, that can be killed and started again on the same records."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import event

from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.gateway.configuration import GatewayConfiguration
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    DraftRequest,
    InputChange,
    JobRow,
    JobsOfCluster,
)
from flink_jobs_provider.gateway.jobs import Intervals, Jobs
from flink_jobs_provider.gateway.monitors import Monitors
from flink_jobs_provider.gateway.store import Store
from flink_jobs_provider.model.action import Action
from flink_jobs_provider.model.errors import ClusterUnreachable
from flink_jobs_provider.model.target import FlinkTarget
from tests.unit.gateway.records import make_tables, open_records
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink

CLUSTER = (
    "/subscriptions/s/resourcegroups/g/providers/microsoft.hdinsight/clusterpools/p/clusters/c"
)
#: Nothing happens by itself but what a test asks for.
STILL = Intervals(
    observe=3600,
    fresh=3600,
    renew=3600,
    slots=0,
    relaunch_after=0,
    relaunch_pause=0,
    sample=3600,
    patience=60,
)


def configuration(directory: Path, **more: Any) -> GatewayConfiguration:
    """Return the configuration of a gateway with one cluster, without a settle time."""
    (directory / "data").mkdir(parents=True, exist_ok=True)
    cluster = {"id": CLUSTER, "flink": {"url": "http://flink:8081"}, **more.pop("cluster", {})}
    return GatewayConfiguration.model_validate(
        {
            "clusters": [cluster],
            "access": {"tokens_file": str(directory / "tokens.yaml"), **more.pop("access", {})},
            "data_directory": str(directory / "data"),
            "settle_time": "0s",
            **more,
        }
    )


def make_jar(path: Path, note: str = "") -> Path:
    """Write a jar whose content depends on the note."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), "Main-Class: Main\n")
        archive.writestr(zipfile.ZipInfo("note.txt"), note)
    return path


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(180):
        while not condition():  # noqa: ASYNC110 - there is nothing that would tell
            await asyncio.sleep(0.005)


async def told(number: int, *gateways: Gateway) -> list[ActionRow]:
    """Wait until gateways have told of so many ends: just after the records have them."""
    await until(lambda: sum(len(gateway.finished) for gateway in gateways) >= number)
    return [row for gateway in gateways for row in gateway.finished]


class OneFlink:
    """Opens the same cluster, whatever the target."""

    def __init__(self, flink: ControlPlane) -> None:
        self._flink = flink

    def of(self, _target: FlinkTarget) -> ControlPlane:
        """Return the cluster."""
        return self._flink


class NoClients:
    """Opens no cluster for those who only look: the one in memory has no REST API."""

    def of(self, _target: FlinkTarget) -> FlinkRest:
        """Refuse."""
        raise ClusterUnreachable("there is no REST API")


def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    """Make tests quick: a killed process loses nothing that it wrote, only a power cut does."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def _nothing(_step: str) -> None:
    """Note no step."""


class Gateway:
    """A gateway, its records and its cluster.

    Attributes:
        flink: The cluster; it outlives the gateway's processes.
        jobs: The present process.
        finished: The actions whose end it told.
    """

    jobs: Jobs
    store: Store

    def __init__(
        self, directory: Path, url: str = "", intervals: Intervals = STILL, **config: Any
    ) -> None:
        self.directory = directory
        self.url = url or f"sqlite:///{directory / 'gateway.db'}"
        self.intervals = intervals
        self._config = config
        self.configuration = configuration(directory, **config)
        self.time = FakeClock()
        self.flink = FakeFlink(self.time)
        self.jar = make_jar(directory / "storage/orders.jar")
        self.finished: list[ActionRow] = []

    async def start(self) -> None:
        """Start a process."""
        make_tables(self.url)
        self.store = open_records(self.url)
        event.listen(self.store._database.engine, "connect", _without_waiting_for_the_disk)
        self.jobs = Jobs(
            self.configuration,
            self.store,
            OneFlink(self.flink),
            intervals=self.intervals,
            clock=self.time.clock(),
            monitors=Monitors(self.configuration.clusters, NoClients(), patience=60),
        )
        self.jobs.on_finished(self.finished.append)
        await self.jobs.start()

    async def kill(self) -> None:
        """End the process as kill -9 does: nothing is handed over."""
        jobs = self.jobs
        for task in (*jobs._loops, jobs._beat, *jobs._workers._tasks.values()):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await jobs._process.threads.close(30)
        await jobs._process.claims.close(30)
        await jobs._process.opener.close(30)
        self.store.close()

    def left_by_a_kill(self, directory: Path) -> Gateway:
        """Return what would be there, were the process killed now, in a directory of its own.

        Its records and files are copied, and so is the cluster. No process of it runs.
        """
        left = copy(self)
        left.directory, left.url = directory, f"sqlite:///{directory / 'gateway.db'}"
        shutil.copytree(self.directory / "data", directory / "data")
        with (
            closing(sqlite3.connect(self.directory / "gateway.db")) as records,
            closing(sqlite3.connect(directory / "gateway.db")) as copied,
        ):
            records.backup(copied)
        left.configuration = configuration(directory, **self._config)
        memo: dict[int, object] = {id(one): one for one in self.flink.submissions}
        memo[id(self.flink.on_step)] = _nothing
        left.time, left.flink = deepcopy((self.time, self.flink), memo)
        left.finished = list(self.finished)
        return left

    async def stop(self, timeout: float = 10) -> None:
        """Stop the process gracefully."""
        await self.jobs.stop(timeout)
        self.store.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gateway]:
        """Run a process for a while."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    def request(
        self,
        action: str,
        job: str = "orders",
        *,
        run_id: str | None = None,
        cancels_first: bool = False,
        releases: bool = False,
        **changes: Any,
    ) -> ActionRequest:
        """Return a request; NEW has a jar without being told, but for one of a draft."""
        if action == "NEW" and run_id is None:
            changes = {"jar": str(self.jar), "entry_class": "Old", **changes}
        given: Mapping[str, Any] = {"asked": action}
        request = ActionRequest(
            CLUSTER, job, Action(action), changes, given, "tester", run_id, cancels_first
        )
        return replace(request, releases=releases)

    async def draft(self, job: str = "orders", **inputs: Any) -> JobRow:
        """Put a job on record without starting it."""
        inputs = {"jar": str(self.jar), "entry_class": "Old", **inputs}
        return await self.jobs.draft(DraftRequest(CLUSTER, job, inputs, {"by": "draft"}, "tester"))

    async def change(
        self,
        job: str = "orders",
        *,
        restore_from: str | None = None,
        while_it_runs: bool = False,
        **inputs: Any,
    ) -> JobRow:
        """Change what counts from a job's next start on."""
        row = await self.row(job)
        given = {"by": "change"}
        return await self.jobs.change(
            InputChange(
                CLUSTER,
                row.number,
                row.revision,
                inputs,
                given,
                "tester",
                restore_from,
                while_it_runs,
            )
        )

    async def submit(self, action: str, job: str = "orders", **changes: Any) -> ActionRow:
        """Ask for an action."""
        return await self.jobs.submit(self.request(action, job, **changes))

    async def ended(self, action_id: str) -> ActionRow:
        """Wait for the end of an action."""
        async with asyncio.timeout(180):
            while True:
                row = await self.jobs.operation(action_id)
                assert row is not None
                if row.finished_at is not None:
                    return row
                await asyncio.sleep(0.002)

    async def do(self, action: str, job: str = "orders", **changes: Any) -> ActionRow:
        """Ask for an action, and wait for its end."""
        return await self.ended((await self.submit(action, job, **changes)).id)

    async def done(self, action: str, job: str = "orders", **changes: Any) -> JobRow:
        """Have an action succeed, and return the job's row."""
        row = await self.do(action, job, **changes)
        assert row.result == "SUCCESS", row.output
        return await self.row(job)

    async def forget_finished(self) -> None:
        """Forget the actions whose end it told, once it has told of all that have ended."""
        await until(lambda: not self.jobs.in_progress)
        self.finished.clear()

    async def row(self, job: str = "orders") -> JobRow:
        """Return a job's row."""
        (row,) = await self.jobs.jobs(JobsOfCluster(CLUSTER, job_name=job))
        return row

    async def rows(self) -> list[JobRow]:
        """Return the rows of all jobs."""
        return list(await self.jobs.jobs(JobsOfCluster(CLUSTER)))

    async def look(self) -> None:
        """Have the gateway look at the cluster."""
        await self.jobs.observe(CLUSTER)
