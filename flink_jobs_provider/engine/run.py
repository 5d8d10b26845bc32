"""One run on a stack: what is shared by everything that is done in it.

All of it lives on one event loop, which is what gives the state one owner: between two awaits
nothing else changes it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flink_jobs_provider.engine import urns
from flink_jobs_provider.engine.errors import EngineError, OperationCancelled, ProviderGoneError
from flink_jobs_provider.engine.events import Diagnostic, Listener, Severity, Step
from flink_jobs_provider.engine.plugin import DynamicProvider
from flink_jobs_provider.engine.resource_state import OperationKind, ResourceState
from flink_jobs_provider.engine.state_keeper import Record, StateKeeper
from flink_jobs_provider.engine.values import PropertyMap

T = TypeVar("T")
ProviderStarter = Callable[[], Coroutine[Any, Any, DynamicProvider]]


@dataclass(frozen=True)
class StackIdentity:
    """Name a stack."""

    project: str
    name: str

    @property
    def root_urn(self) -> str:
        """Name the stack's own resource."""
        name = f"{self.project}-{self.name}"
        return urns.make(self.name, self.project, "", urns.STACK_TYPE, name)


@dataclass
class Books:
    """Hold which resources the run has come to, and how.

    Of the `decided` it is clear what becomes of them; the `settled` are done with; the `replaced`
    get a new instance; the `deleted` are deleted or about to be, because they left the program or
    together with one that they need; the `refused` were declared when no new step might begin.
    `alias_of` leads from old names to new ones, `alias_used`
    back.
    """

    seen: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    settled: dict[str, Record] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    alias_of: dict[str, str] = field(default_factory=dict)
    alias_used: dict[str, str] = field(default_factory=dict)


class Run:
    """Hold the state, the provider and the course of one run."""

    def __init__(
        self,
        *,
        stack: StackIdentity,
        keeper: StateKeeper,
        start_provider: ProviderStarter,
        configuration: PropertyMap,
        listener: Listener,
        dry_run: bool,
        parallel: int,
    ) -> None:
        self.stack = stack
        self.keeper = keeper
        self.configuration = configuration
        self.listener = listener
        self.dry_run = dry_run
        self.books = Books()
        self.failed = False
        self.cancelled = False
        self.stopping = asyncio.Event()
        self.slots = asyncio.Semaphore(parallel)
        self._start_provider = start_provider
        self._provider: asyncio.Task[DynamicProvider] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin work that is seen to its end, whoever stops waiting for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Fetched here, since a request that has gone away fetches it no more.
            task.exception()

    async def settle(self) -> None:
        """Wait until nothing is in flight."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def fail(self, urn: str, error: EngineError) -> None:
        """Tell of a failure, and begin no new step after it."""
        self.failed = True
        self.stopping.set()
        self.tell(Severity.ERROR, str(error), urn, getattr(error, "details", ""))

    def cancel(self) -> None:
        """Begin no new step."""
        self.cancelled = True
        self.stopping.set()

    def abandon(self) -> None:
        """Kill the provider: what is in flight ends at once, and stays pending in the state."""
        self.cancel()
        if self._provider is not None and self._provider.done() and not self._provider.exception():
            self._provider.result().kill()

    def refuse_when_stopping(self) -> None:
        """Raise OperationCancelled when no new step may begin."""
        if self.stopping.is_set():
            raise OperationCancelled("the run is stopping")

    def tell(self, severity: Severity, message: str, urn: str = "", details: str = "") -> None:
        """Tell the user something about a resource, or about the stack."""
        self.listener.diagnostic(Diagnostic(severity, message, urn, details))

    async def provider(self) -> DynamicProvider:
        """Give the dynamic provider, started at its first use."""
        if self._provider is None:
            self._provider = self.begin(self._start_provider())
        return await asyncio.shield(self._provider)

    async def close(self) -> None:
        """End the provider's process; nothing may be in flight."""
        if self._provider is not None and not self._provider.exception():
            await self._provider.result().close()

    @asynccontextmanager
    async def step(
        self, step: Step, kind: OperationKind | None, state: ResourceState
    ) -> AsyncIterator[None]:
        """Frame one step; with a `kind` it is on disk as pending before it begins.

        What the body does to the state after its last await and the end of the operation become
        visible together, and are on disk when the frame is left.
        """
        async with self.slots:
            self.refuse_when_stopping()
            self.listener.step_started(step)
            token: Record | None = None
            failed = True
            try:
                if kind is not None and not self.dry_run:
                    token = await self.keeper.begin(kind, state)
                yield
                failed = False
            except ProviderGoneError:
                # Nobody knows how far the operation came: it stays pending.
                token = None
                raise
            finally:
                if token is not None:
                    self.keeper.end(token)
                if kind is not None:
                    await self.keeper.saved()
                self.listener.step_ended(step, failed=failed)
