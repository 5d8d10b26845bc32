"""One job of a stack, on the service in memory: as an engine goes about it."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import httpx
import pytest

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.dli.plane import DliPlane
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.model.target import DliTarget
from flink_jobs_provider.planning.plan import Plan, plan
from flink_jobs_provider.reconciling.dli.reconciler import StepReconciler
from tests.contract.dli.fake_dli import PROJECT, FakeDli, Killed
from tests.contract.stored_jars import STORED
from tests.one_loop import run
from tests.unit.model.made_up_jobs import DIGEST_1, OWNER
from tests.unit.reconciling.fake_clock import FakeClock

TARGET = {
    "kind": "dli",
    "region": "eu-west-101",
    "project_id": PROJECT,
    "queue": "streams",
    "token": "env:TOKEN",
}
JAR = "obs://jobs/jars/orders.jar"
NAMED = "obs://elsewhere/savepoints/savepoint-1"
BESIDE = "obs://bucket/beside"


def spec(entry_class: str = "Old", **changes: Any) -> JobSpec:
    """Return a version of the job, without a settle time."""
    return JobSpec.model_validate(
        {
            "target": TARGET,
            "job_name": "orders",
            "owner": OWNER,
            "jar": JAR,
            "jar_digest": DIGEST_1,
            "entry_class": entry_class,
            "args": ["--topic", "orders"],
            "settle_time": "0s",
            **changes,
        }
    )


class Stack:
    """One job.

    Attributes:
        dli: The service.
        record: What the state says; none before the job was created.
        said: The lines told while it happened.
    """

    def __init__(self, **service: Any) -> None:
        self.time = FakeClock()
        self.dli = FakeDli(self.time, **service)
        self.record: JobRecord | None = None
        self.said: list[str] = []

    @property
    def recorded(self) -> JobRecord:
        """What the state says of the job, which was created."""
        assert self.record is not None
        return self.record

    def alongside(self) -> Stack:
        """Return another run that knows the same, on the same service."""
        return copy(self)

    def plan(self, wanted: JobSpec) -> Plan:
        """Preview."""
        return plan(self.record, wanted)

    def up(self, wanted: JobSpec) -> JobRecord:
        """Plan, and carry it out if anything is needed; the record is kept when it succeeded."""
        if self.plan(wanted).needed or self.record is None:
            self.bring_about(wanted)
        return self.recorded

    def bring_about(self, wanted: JobSpec) -> JobRecord:
        """Carry out a change, needed or not."""
        assert wanted.jar_digest is not None
        jar = Jar(wanted.jar, Path(wanted.jar), wanted.jar_digest, "")
        STORED[wanted.jar] = wanted.jar_digest  # so it was read
        self.record = run(self._reconciler(wanted).bring_about(self.record, wanted, jar))
        return self.recorded

    def refresh(self) -> JobRecord:
        """Read the job back."""
        self.record = run(self._reconciler(self.recorded.spec).refresh(self.recorded))
        return self.recorded

    def destroy(self) -> str | None:
        """End the job for good."""
        removed = run(self._reconciler(self.recorded.spec).delete(self.recorded))
        self.record = None
        return removed.savepoint

    def _reconciler(self, wanted: JobSpec) -> StepReconciler:
        """Begin a new process: nothing of the one before is remembered."""
        target = wanted.target
        assert isinstance(target, DliTarget)
        client = httpx.AsyncClient(base_url=target.url, transport=self.dli.transport())
        plane = DliPlane(target, client, sleep=self.time.sleep)
        return StepReconciler(plane, self.said.append, self.time.clock())


def running(mode: str = "savepoint", **service: Any) -> Stack:
    """Return a stack whose job runs."""
    stack = Stack(**service)
    stack.up(spec(upgrade_mode=mode))
    return stack


def stopped(**service: Any) -> Stack:
    """Return a stack whose job was stopped."""
    stack = running(**service)
    stack.up(spec(desired_state="stopped"))
    return stack


def restored(stack: Stack) -> list[str | None]:
    """Return what each version was started from."""
    return [launch.restored_from for launch in stack.dli.launches]


def killed_at(stack: Stack, wanted: JobSpec, path: str, method: str = "POST") -> None:
    """Bring a version about, and be killed when a step was taken, before its answer came."""

    def unlike(request: httpx.Request) -> None:
        if request.method == method and request.url.path.endswith(path):
            stack.dli.unlike = lambda _request: None
            stack.dli.kill = (len(stack.dli.requests) - 1, "after")

    stack.dli.unlike = unlike
    with pytest.raises(Killed):
        stack.bring_about(wanted)
    stack.dli.kill = None
    stack.time.time += 60
