"""Provider processes within this one: each run has clients of its own, and can be killed.

A killed process does nothing more, and knows nothing more. So a run is killed by cancelling its
task, and from that moment the proxy lets none of its requests through, whatever its handlers of
errors still try. `tests.contract.kills` shows the same of services in memory; the page's rows of
killed processes, and tests/faults/test_killed_*.py, kill real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flink_jobs_provider.artifacts import open_jar
from flink_jobs_provider.control_planes.connection import Clusters, environment
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.control_planes.http import open_http
from flink_jobs_provider.model.errors import EngineGone, JobError, PermanentError
from flink_jobs_provider.model.record import JobRecord, Removed
from flink_jobs_provider.model.spec import JobSpec
from flink_jobs_provider.planning.move import is_move
from flink_jobs_provider.planning.plan import plan
from flink_jobs_provider.provider.job_operations import carry_over
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.reconciling.flink.savepoint_disposal import SavepointDisposal
from flink_jobs_provider.reconciling.flink.state_directories import StateDirectories
from flink_jobs_provider.reconciling.waiter import Clock
from tests.fault_proxy import RUN_HEADER

T = TypeVar("T")


class Killed(Exception):
    """The run was killed."""


class _Clusters(Clusters):
    """The clusters of one run, by the address of the proxy before each."""

    def __init__(self, planes: Mapping[str, FlinkRest]) -> None:
        super().__init__(environment)
        self._by_url = planes

    def of(self, target: Any) -> Any:
        """Return the control plane of a target."""
        return self._by_url[target.url]


@dataclass
class ProviderRun:
    """One run of an engine with its provider process, on one job.

    Attributes:
        urls: Of the proxies of all clusters that the job may be on.
        name: By which the proxies know its requests.
        answers_within: How long its client waits for an answer, in seconds.
        said: The lines that it printed.
    """

    urls: Sequence[str]
    name: str
    answers_within: float
    said: list[str] = field(default_factory=list)
    _orphaned: bool = False
    _killed: bool = False
    _loop: asyncio.AbstractEventLoop | None = None
    _task: asyncio.Task[object] | None = None

    async def up(
        self, record: JobRecord | None, wanted: JobSpec, *, refresh: bool = False
    ) -> JobRecord:
        """Refresh where asked to, plan, and bring about what is needed."""

        async def work(clusters: _Clusters) -> JobRecord:
            recorded = record
            if refresh and recorded:
                reconciler = self._reconciler(clusters, recorded.spec)
                recorded = await reconciler.refresh_for_plan(recorded)
            decided = plan(recorded, wanted)
            if decided.refusal:
                raise PermanentError(decided.refusal)
            if recorded and not decided.needed:
                return recorded
            jar = open_jar(wanted.jar)
            if recorded and is_move(recorded, wanted):
                return await carry_over(clusters, recorded, wanted, jar, self.said.append)
            done = await self._reconciler(clusters, wanted).bring_about(recorded, wanted, jar)
            plane = clusters.of(wanted.target)
            directories = StateDirectories(plane, _local_paths=True)
            disposal = SavepointDisposal(plane, directories, Clock(), self.said.append)
            return await disposal.after_action(recorded, done)

        return await self._to_its_end(work)

    async def destroy(self, record: JobRecord) -> Removed:
        """End the job for good."""
        return await self._to_its_end(
            lambda clusters: self._reconciler(clusters, record.spec).delete(record)
        )

    def kill(self) -> None:
        """Kill it, as `kill -9` does; from any thread."""
        self._killed = True
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def orphan(self) -> None:
        """End its engine: it begins nothing more."""
        self._orphaned = True

    def _guard(self) -> None:
        if self._orphaned:
            raise EngineGone("its engine has ended")

    async def _to_its_end(self, work: Callable[[_Clusters], Awaitable[T]]) -> T:
        return await asyncio.to_thread(self._alone, work)

    def _alone(self, work: Callable[[_Clusters], Awaitable[T]]) -> T:
        """Work in an event loop of its own; what is still under way ends with it."""
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            try:
                return runner.run(self._working(work))
            except asyncio.CancelledError:
                raise Killed from None
            finally:
                self._loop = None

    async def _working(self, work: Callable[[_Clusters], Awaitable[T]]) -> T:
        self._task = asyncio.current_task()
        async with AsyncExitStack() as stack:
            planes = {}
            for url in self.urls:
                http = open_http(
                    f"{url}/",
                    None,
                    environment,
                    transport=None,
                    timeout=self.answers_within,
                    connections=32,
                    headers={RUN_HEADER: self.name},
                )
                planes[url] = FlinkRest(await stack.enter_async_context(http), self._guard)
            return await work(_Clusters(planes))

    def _reconciler(self, clusters: _Clusters, spec: JobSpec) -> Reconciler:
        return Reconciler(clusters.of(spec.target), local_paths=True, say=self.said.append)


def recorded_after(error: BaseException, record: JobRecord | None) -> JobRecord | None:
    """Return what an engine has on record when a run has failed."""
    partial = getattr(error, "partial", None)
    return partial if isinstance(error, JobError) and isinstance(partial, JobRecord) else record
