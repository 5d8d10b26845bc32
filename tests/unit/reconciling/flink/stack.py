"""A stack with one job: what an engine does with the core, without an engine.

As an engine would, it plans first, changes nothing when nothing is needed, and keeps what is
recorded only when an operation has returned.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.control_planes.protocol import ControlPlane
from flink_jobs_provider.model.errors import JarError, PermanentError
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.model.savepoint import iso_time
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.plan import Plan, plan
from flink_jobs_provider.reconciling import IsCancelled, never
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from tests.one_loop import run
from tests.unit.model.made_up_jobs import spec
from tests.unit.reconciling.fake_clock import FakeClock
from tests.unit.reconciling.flink.fake_flink import FakeFlink

T = TypeVar("T")


class Stack:
    """One job on a fake Flink.

    Attributes:
        flink: The cluster.
        record: What the state says; none before the job was created.
        said: The lines told while it happened.
        find: The previous versions' jars that are still found somewhere, by digest.
        find_error: What is said where a jar is searched for and not found.
        is_cancelled: Whether its engine has cancelled the run.

    """

    def __init__(self, readable: bool = True, slots: int = 24) -> None:
        self.time = FakeClock(float(int(time.time())))
        self.flink = FakeFlink(self.time, readable, slots)
        self.record: JobRecord | None = None
        self.said: list[str] = []
        self.find: dict[str, Jar] = {}
        self.find_error = "it is nowhere"
        self.is_cancelled: IsCancelled = never

    @property
    def recorded(self) -> JobRecord:
        """What the state says of the job, which was created."""
        assert self.record is not None
        return self.record

    def plan(self, wanted: JobSpec) -> Plan:
        """Preview."""
        return plan(self.record, wanted, self.time.now())

    def up(self, wanted: JobSpec | None = None, **changes: Any) -> JobRecord:
        """Plan, and carry it out if anything is needed; the record is kept when it succeeded."""
        wanted = wanted or spec(**changes)
        decided = self.plan(wanted)
        if decided.refusal:
            raise PermanentError(decided.refusal)
        if decided.needed or self.record is None:
            self.record = self._run(self.bring_about(wanted))
        return self.recorded

    async def bring_about(self, wanted: JobSpec) -> JobRecord:
        """Return the record of the job once it is as it is wanted; nothing is kept of it."""
        return await self._reconciler().bring_about(self.record, wanted, jar(wanted))

    def refresh(self) -> JobRecord:
        """Read the job back."""
        self.record = self._run(self._reconciler().refresh_for_plan(self.recorded))
        return self.record

    def destroy(self) -> str | None:
        """End the job for good."""
        removed = self._run(self._reconciler().delete(self.recorded))
        self.record = None
        return removed.savepoint

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something, at the clock's time."""
        with patch("flink_jobs_provider.reconciling.record_updates.now_text", self._now_text):
            return run(work)

    def _now_text(self) -> str:
        return iso_time(self.time.now() * 1000)

    def _reconciler(self) -> Reconciler:
        plane: ControlPlane = self.flink
        return Reconciler(
            plane,
            say=self.said.append,
            clock=self.time.clock(),
            find_jar=self._find_jar,
            is_cancelled=self.is_cancelled,
        )

    async def _find_jar(self, _uri: str, digest: str) -> Jar:
        if digest not in self.find:
            raise JarError(self.find_error)
        return self.find[digest]


def jar(wanted: JobSpec) -> Jar:
    """Return the opened jar of a spec."""
    assert wanted.jar_digest is not None
    return Jar(wanted.jar, Path(wanted.jar), wanted.jar_digest, "")
