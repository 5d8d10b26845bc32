"""A gateway that is killed (`kill -9`) at a request of a Data Lake Insight call's work.

One job goes through all of it, in the order of its life: created, run, stopped with a savepoint,
run on from it, and deleted while it runs. Its counts are whole at each end.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.counting_output import assert_counts_continuous
from tests.dli_gateway import DliGateway
from tests.fault_proxy import FaultProxy, Moment, Verdict
from tests.faults.gateway.steps import left_out
from tests.faults.points import (
    CANCEL,
    CHECKPOINT,
    FORGET,
    FULL,
    RUN,
    STOP,
    STOP_POLL,
    UPLOAD,
    Point,
)
from tests.flink_cluster import FlinkCluster
from tests.waiting import wait_until

_OVER = {"FINISHED", "FAILED", "CANCELED"}
_names = (f"dli-{number}" for number in count(1))


@dataclass(frozen=True)
class Call:
    """A call, and what it does.

    Attributes:
        name: Names it in the test's name.
        begins: The status that the job must have.
        ends: The status that it leaves; none for no job.
        points: Its requests to the cluster.
        chosen: That at which the gateway is killed in every test run.
        jobs: How many jobs it submits.
        savepoints: How many savepoints it takes.
    """

    name: str
    begins: str
    ends: str | None
    points: tuple[Point, ...]
    chosen: Point
    jobs: int = 0
    savepoints: int = 0

    def __str__(self) -> str:
        return self.name


def _before(point: Point) -> Point:
    return replace(point, moment=Moment.BEFORE)


CALLS = [
    Call("run", "job_init", "job_running", (UPLOAD, RUN, CHECKPOINT), RUN, jobs=1),
    Call("stop", "job_running", "job_cancel_success", (STOP, STOP_POLL), STOP, savepoints=1),
    Call("resume", "job_cancel_success", "job_running", (RUN, CHECKPOINT), _before(RUN), jobs=1),
    Call("delete", "job_running", None, (CANCEL, FORGET), CANCEL),
]


def _steps() -> list[Any]:
    found = []
    for call in CALLS:
        for point in (moment for each in call.points for moment in (_before(each), each)):
            if FULL or point == call.chosen:
                name = f"{call.name}-{point.moment.name.lower()}-{point.name}"
                found.append(pytest.param(call, point, id=name))
            else:
                left_out.append((call, point))
    return found


class _Job:
    """A gateway before a proxy, and its only job."""

    def __init__(self, directory: Path, proxy: FaultProxy, cluster: FlinkCluster) -> None:
        self.proxy = proxy
        self.cluster = cluster
        self.dli = DliGateway(directory, proxy.url)
        self.dli.start()
        self._new()

    def _new(self) -> None:
        name = next(_names)
        self.output = self.dli.storage / name
        self.number = self.dli.create(name, self.output)

    def send(self, call: Call) -> httpx.Response:
        """Send a call."""
        ids = {"job_ids": [self.number]}
        if call.name == "delete":
            return self.dli.send("DELETE", f"/jobs/{self.number}")
        if call.name == "stop":
            return self.dli.send("POST", "/jobs/stop", json={**ids, "trigger_savepoint": True})
        resume = {"resume_savepoint": call.name == "resume"}
        return self.dli.send("POST", "/jobs/run", json={**ids, **resume})

    def settled(self) -> str | None:
        """Wait until nothing is in progress; return the job's status, none where it is gone."""

        def status() -> tuple[str | None]:
            answer = self.dli.send("GET", f"/jobs/{self.number}")
            if answer.status_code == 400:
                assert answer.json()["error_code"] == "DLI.16001"
                return (None,)
            found = answer.json()["job_detail"]["status"]
            assert found not in ("job_submitting", "job_canceling"), answer.text
            return (found,)

        return wait_until(status, 90, "nothing is in progress")[0]

    def bring_to(self, status: str) -> None:
        """Bring the job to a status."""
        now = self.settled()
        if now == status:
            return
        if now is None or status == "job_init":
            if now is not None:
                self.send(CALLS[3])
                assert self.settled() is None
            self._new()
            now = "job_init"
        for call in CALLS[:3]:
            if now == call.begins and now != status:
                assert self.send(call).status_code == 200
                now = self.settled()
        assert now == status

    def killed_at(self, point: Point, call: Call) -> None:
        """Send a call, and kill the gateway at one of its requests."""
        killed = threading.Event()

        def kill() -> None:
            self.dli.process.kill()
            killed.set()

        self.proxy.begin(point.strike(then=kill, verdict=Verdict.DROP))
        with contextlib.suppress(httpx.TransportError):  # it may die before it has answered
            self.send(call)
        assert killed.wait(60), f"{call} has no request such as {point.name}"
        self.proxy.begin()

    def active(self) -> list[str]:
        return [id_ for id_, row in self.cluster.jobs().items() if row["state"] not in _OVER]

    def close(self) -> None:
        self.dli.close()


@pytest.fixture(scope="module")
def job(
    flink_2_session: FlinkCluster, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[_Job]:
    """Return the job that one test leaves for the next."""
    flink_2_session.clear()
    proxy.begin()
    made = _Job(tmp_path_factory.mktemp("dli"), proxy, flink_2_session)
    yield made
    made.close()
    flink_2_session.clear()


@pytest.mark.parametrize(("call", "point"), _steps())
def test_the_call_ends_once(job: _Job, call: Call, point: Point) -> None:
    """Shows it by jobs and savepoints on the cluster, the job's status, and its own counts."""
    job.bring_to(call.begins)
    jobs, savepoints = set(job.cluster.jobs()), job.dli.savepoints()
    job.killed_at(point, call)
    job.dli.start()
    status = job.settled()
    if status == call.begins:  # it died before the call was on record
        assert job.send(call).status_code == 200
        status = job.settled()
    assert status == call.ends
    assert len(set(job.cluster.jobs()) - jobs) == call.jobs
    assert len(job.dli.savepoints() - savepoints) == call.savepoints
    assert savepoints <= job.dli.savepoints()
    if call.ends == "job_running":
        assert job.active() == [job.dli.job_id(job.number)]
        before = assert_counts_continuous(job.output).total
        wait_until(
            lambda: assert_counts_continuous(job.output).total > before, 30, "it commits lines"
        )
    else:
        assert job.active() == []
        assert_counts_continuous(job.output, complete=call.savepoints > 0)
    if call.ends is None:
        assert job.cluster.get("/jars")["files"] == []
