"""One CountingJob that a gateway process serves through a fault proxy, and what must hold of it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from flink_jobs_provider.gateway.principal import Role
from tests.counting_output import Counts, assert_counts_continuous
from tests.fault_proxy import FaultProxy, Verdict
from tests.faults.points import Point
from tests.flink_cluster import FlinkCluster
from tests.gateway_process import CLUSTER, GatewayProcess
from tests.job_jars import COUNTING_JAR, copy_with_other_bytes
from tests.waiting import wait_until

#: A name of its own for each: the cluster remembers the jobs of earlier tests.
_names = (f"served-{number}" for number in count(1))
_OVER = {"FINISHED", "FAILED", "CANCELED"}
_RETAINED = "execution.checkpointing.externalized-checkpoint-retention"
_STORAGE = "abfs://jobs@account"

#: The first version whose operations say how their actions ended, and that knows all actions.
_API = {"api-version": "2023-11-01-preview"}

#: Properties of a job, as a body has them.
Properties = dict[str, Any]


@dataclass(frozen=True)
class Before:
    """What there was before an action.

    Attributes:
        jobs: The ids of all jobs of the cluster, ended ones too.
        savepoints: The savepoints of the job.
        actions: The ids of the actions on record.
    """

    jobs: frozenset[str]
    savepoints: frozenset[Path]
    actions: frozenset[str]


@dataclass(frozen=True)
class Recorded:
    """An action on record."""

    id: str
    action: str
    result: str
    output: str


class ServedJob:
    """A gateway of its own before a cluster, and the one job that it has.

    Args:
        directory: For the gateway's files, jars and output; made here.
        proxy: What the gateway takes for the cluster.
        cluster: The cluster itself.
        command: What serves, if not the command itself.
        settings: Further settings of the cluster in the gateway's configuration.

    Attributes:
        gateway: The process.
        name: The job's name.
        settled: Whether the job was seen to be as it should, and nothing was done to it since.
    """

    def __init__(
        self,
        directory: Path,
        proxy: FaultProxy,
        cluster: FlinkCluster,
        command: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        self.directory = directory
        self.proxy = proxy
        self.cluster = cluster
        self.name = next(_names)
        self.settled = True
        self._version = 0
        (directory / "jars").mkdir(parents=True)
        entry = {
            "id": CLUSTER,
            "flink": {"url": proxy.url},
            "mounts": {_STORAGE: f"file://{directory / 'jars'}"},
            **settings,
        }
        self.gateway = GatewayProcess(directory, proxy.url, command=command, clusters=[entry])
        self._token = self.gateway.token("tester", Role.OPERATE)
        self.gateway.start()

    def close(self) -> None:
        """End the gateway."""
        self.gateway.close()

    # Versions

    @property
    def label(self) -> str:
        """What marks the lines of the present version."""
        return f"v{self._version}"

    def next_version(self, *, fresh_output: bool = False) -> Properties:
        """Return the properties of another version: other bytes in the same jar, another label."""
        self._version += 1
        if fresh_output or self._version == 1:
            self.output = self.directory / f"output-{self._version}"
        jar = self.directory / "jars" / COUNTING_JAR.name
        copy_with_other_bytes(COUNTING_JAR, jar, f"version {self._version}")
        words = {
            "--output": str(self.output),
            "--label": self.label,
            "--rate": "50",
            "--keys": "4",
            "--checkpoint-interval": "200",
        }
        return {
            "jobJarDirectory": f"{_STORAGE}/",
            "jarName": jar.name,
            "entryClass": "flinkjobs.counting.CountingJob",
            "args": " ".join(word for pair in words.items() for word in pair),
            "flinkConfiguration": {"parallelism": "1", _RETAINED: "RETAIN_ON_CANCELLATION"},
        }

    # Actions

    def ask(self, action: str, **properties: Any) -> str:
        """Ask for an action that must be accepted; return the path of its operation."""
        self.settled = False
        with self.gateway.client(self._token) as client:
            given = {"jobType": "FlinkJob", "jobName": self.name, "action": action, **properties}
            answer = client.post(f"{CLUSTER}/runJob", params=_API, json={"properties": given})
        assert answer.status_code == 202, answer.text
        return _operation(answer)

    def refused(self, action: str, **properties: Any) -> str:
        """Ask for an action that must be refused; return what the answer says."""
        with self.gateway.client(self._token) as client:
            given = {"jobType": "FlinkJob", "jobName": self.name, "action": action, **properties}
            answer = client.post(f"{CLUSTER}/runJob", params=_API, json={"properties": given})
        assert 400 <= answer.status_code < 500, answer.text
        return answer.text

    def operation(self, path: str) -> dict[str, Any]:
        """Return the properties of an operation; asking for it has no look at the cluster."""
        with self.gateway.client(self._token) as client:
            answer = client.get(path, params=_API)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["properties"]
        return found

    def ended(self, path: str, timeout: float = 90) -> dict[str, Any]:
        """Wait until an operation has ended, and return its properties."""

        def over() -> dict[str, Any]:
            found = self.operation(path)
            assert found["actionResult"] != "IN_PROGRESS", found
            return found

        return wait_until(over, timeout, "the action ended")

    def do(self, action: str, **properties: Any) -> dict[str, Any]:
        """Have an action succeed, and return its properties."""
        found = self.ended(self.ask(action, **properties))
        assert found["actionResult"] == "SUCCESS", found
        return found

    def row(self) -> dict[str, Any] | None:
        """Return the job's row; none where there is no job."""
        with self.gateway.client(self._token) as client:
            answer = client.get(f"{CLUSTER}/jobs", params=_API)
        assert answer.status_code == 200, answer.text
        found = [entry["properties"] for entry in answer.json()["value"]]
        assert len(found) <= 1, found
        return found[0] if found else None

    def bring_to(self, status: str | None) -> None:
        """Bring the job to a status, by as few actions as it takes; none where it is not to be."""
        row = self.row()
        now = row["status"] if row else None
        if now == status:
            return
        if status == "RUNNING":
            if row is None:
                self.do("NEW", **self.next_version(fresh_output=True))
            else:
                self.do("START" if now == "STOPPED" else "RE_LAUNCH")
            self.assert_runs()
        elif status is None:
            if now == "RUNNING":
                self.do("CANCEL")
            self.do("DELETE")
        else:
            self.bring_to("RUNNING")
            self.do("STOP" if status == "STOPPED" else "CANCEL")

    # Deaths

    def killed_at(self, point: Point, action: str, **properties: Any) -> None:
        """Ask for an action, and kill the gateway at one of its requests."""
        killed = threading.Event()

        def kill() -> None:
            self.gateway.kill()
            killed.set()

        self.proxy.begin(point.strike(then=kill, verdict=Verdict.DROP))
        with contextlib.suppress(httpx.TransportError):  # it may die before it has answered
            self.ask(action, **properties)
        reached = killed.wait(60)
        sent = [str(exchange) for exchange in self.proxy.exchanges]
        assert reached, f"{action} has no request such as {point.name}: {sent}"

    def end_once(self, before: Before, action: str, **properties: Any) -> Recorded:
        """Start the gateway again, and return the action's end: it is on record once.

        One that is not on record, as the gateway died before it could be, is asked for again: its
        caller was told nothing.
        """
        self.gateway.start()
        if not self._begun_since(before.actions):
            self.ask(action, **properties)
        recorded = self.end_of_new(before.actions)
        assert (recorded.action, recorded.result) == (action, "SUCCESS"), recorded
        return recorded

    def end_of_new(self, known: Collection[str]) -> Recorded:
        """Wait until the one action that is on record besides known ones has ended; return it."""

        def ended() -> Recorded:
            (recorded,) = self._begun_since(known)
            assert recorded.result != "IN_PROGRESS", recorded
            return recorded

        return wait_until(ended, 90, "the action has ended")

    def _begun_since(self, known: Collection[str]) -> list[Recorded]:
        return [recorded for recorded in self.actions() if recorded.id not in known]

    def actions(self) -> list[Recorded]:
        """Return all actions on record, in order; read by no code of the gateway's: it may run."""
        path = self.directory / "data" / "gateway.db"
        with closing(sqlite3.connect(path, timeout=30)) as database:
            rows = database.execute(
                "SELECT id, action, result, output FROM actions ORDER BY number"
            )
            return [Recorded(*row) for row in rows]

    # What must hold

    def active(self) -> list[str]:
        """Return the jobs that the cluster works on, ours or not."""
        return [id_ for id_, row in self.cluster.jobs().items() if row["state"] not in _OVER]

    def savepoints(self) -> frozenset[Path]:
        """Return the savepoints of the job that are whole."""
        return frozenset(self.cluster.savepoints.glob(f"{self.name}/**/_metadata"))

    def before(self) -> Before:
        """Note down what there is."""
        ids = frozenset(recorded.id for recorded in self.actions())
        return Before(frozenset(self.cluster.jobs()), self.savepoints(), ids)

    def assert_once(self, before: Before, *, jobs: int, savepoints: int) -> None:
        """Assert how many jobs were submitted and savepoints taken, and that none of these went."""
        submitted = set(self.cluster.jobs()) - before.jobs
        assert len(submitted) == jobs, f"submitted: {submitted}"
        there = self.savepoints()
        assert there >= before.savepoints, f"gone: {before.savepoints - there}"
        taken = there - before.savepoints
        assert len(taken) == savepoints, f"taken: {taken}"

    def assert_is(self, status: str | None) -> None:
        """Assert that the cluster and the job's row agree on its status; none for no job."""
        if status is None:
            self.assert_gone()
        elif status == "RUNNING":
            self.assert_runs()
        else:
            self.assert_ended(status)

    def assert_runs(self) -> Counts:
        """Assert that the present version alone runs, and as its row says, with all it counted."""
        row = self.row()
        assert row is not None
        assert row["status"] == "RUNNING", row
        assert self.active() == [row["jobId"]]
        before = assert_counts_continuous(self.output).labels[self.label]

        def committed() -> Counts:
            counts = assert_counts_continuous(self.output)
            assert counts.labels[self.label] > before, counts
            return counts

        counts = wait_until(committed, 30, f"{self.label} commits lines")
        assert self.active() == [row["jobId"]]
        self.settled = True
        return counts

    def assert_ended(self, status: str) -> None:
        """Assert that nothing runs, and that the row says how it ended."""
        row = self.row()
        assert row is not None
        assert row["status"] == status, row
        assert self.active() == []
        if status == "STOPPED":
            assert_counts_continuous(self.output, complete=True)
            last = Path(row["lastSavePoint"].removeprefix("file:"))
            assert (last / "_metadata").exists(), row
        self.settled = True

    def assert_gone(self) -> None:
        """Assert that neither a row, a job nor a jar is left."""
        assert self.row() is None
        assert self.active() == []
        assert self.cluster.get("/jars")["files"] == []
        self.settled = True

    def assert_listed(self) -> None:
        """Assert that the gateway lists every savepoint that was taken."""
        listed = self.listed()
        assert listed >= {savepoint.parent for savepoint in self.savepoints()}, listed

    def listed(self) -> set[Path]:
        """Return the savepoints that the gateway lists."""
        output = self.do("LIST_SAVEPOINT")["jobOutput"]
        lines = [line.split(" ", 1)[1] for line in output.splitlines() if "/" in line]
        return {Path(path.removeprefix("file:")) for path in lines}


def _operation(answer: httpx.Response) -> str:
    """Return the path of an operation: the gateway's port is another one after a restart."""
    return urlsplit(answer.headers["Location"]).path
