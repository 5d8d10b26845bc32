"""One run on a stack: what is shared by everything that is done in it, and its events.

All of it lives on one event loop, which is what gives the state one owner: between two awaits
nothing else changes it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, TypeVar

from flink_jobs_provider.engine.errors import (
    EngineError,
    OperationCancelled,
    ProviderGoneError,
    ResourceError,
)
from flink_jobs_provider.engine.plugin_process import PluginProcess
from flink_jobs_provider.engine.policy_pack_configuration import PolicyPack
from flink_jobs_provider.engine.provider_answers import refused
from flink_jobs_provider.engine.provider_processes import Configurations, Launcher, Providers
from flink_jobs_provider.engine.resource_state import (
    STACK_TYPE,
    OperationKind,
    ResourceState,
    make_urn,
)
from flink_jobs_provider.engine.snapshot_manager import Record, SnapshotManager
from flink_jobs_provider.engine.steps import Change, DiffAnswer, Op, PropertyDiff
from flink_jobs_provider.engine.values import PropertyMap


class Severity(StrEnum):
    """The severity of a diagnostic."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Diagnostic:
    """A message about a resource, or about the stack where `urn` is empty."""

    severity: Severity
    message: str
    urn: str = ""
    details: str = ""


@dataclass(frozen=True, eq=False)
class Step:
    """One operation on one resource.

    `shown` is False for what only serves the engine, such as default providers. `drifted` marks a
    refresh that found a difference from the state. `detail` is how the properties change, where
    the provider has said so.
    """

    op: Op
    urn: str
    old: ResourceState | None = None
    new: ResourceState | None = None
    diff: PropertyDiff = field(default_factory=PropertyDiff)
    replaces: tuple[str, ...] = ()
    shown: bool = True
    drifted: bool = False
    detail: tuple[Change, ...] = ()

    @property
    def is_change(self) -> bool:
        """Return whether the step is a change that `--expect-no-changes` counts."""
        if self.op is Op.REFRESH:
            return self.drifted or self.new is None
        return self.shown and self.op not in (Op.SAME, Op.READ)


class Listener:
    """Receives a run's events; this one ignores them. None of its methods may raise."""

    def stoppable_by(self, stop: Callable[[], None]) -> None:
        """Receive what ends the run early: no new step begins, and those in flight end."""

    def step_started(self, step: Step) -> None:
        """Receive the start of a step."""

    def step_ended(self, step: Step, *, failed: bool) -> None:
        """Receive the end of a step."""

    def phase(self, text: str) -> None:
        """Receive the name of the phase that begins."""

    def notice(self, text: str) -> None:
        """Receive a message that is to be shown at once."""

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Receive a diagnostic."""

    def status(self, urn: str, message: str) -> None:
        """Receive what is being done to a resource just now."""


T = TypeVar("T")


class Kind(Enum):
    """The purpose of a run."""

    UPDATE = "update"
    REFRESH = "refresh"
    DESTROY = "destroy"


@dataclass(frozen=True)
class Options:
    """The options of a run."""

    kind: Kind
    dry_run: bool = False
    refresh_first: bool = False
    parallel: int = 16
    policy_packs: tuple[PolicyPack, ...] = ()


@dataclass(frozen=True)
class StackIdentity:
    """A project and a stack of it."""

    project: str
    name: str

    @property
    def root_urn(self) -> str:
        """Return the URN of the stack's own resource."""
        name = f"{self.project}-{self.name}"
        return make_urn(self.name, self.project, "", STACK_TYPE, name)


@dataclass
class Books:
    """The resources that the run has reached, by what was decided on them.

    The step of the `decided` is chosen; the `settled` are done; the `replaced` get a new instance;
    the `deleted` are deleted or about to be, because they left the program or together with one
    that they need; the `imported` were read into the state; the `refused` were declared when no new
    step might begin. `alias_of` leads from old names to new ones, `alias_used` back.
    """

    seen: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    settled: dict[str, Record] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    alias_of: dict[str, str] = field(default_factory=dict)
    alias_used: dict[str, str] = field(default_factory=dict)


class Run:
    """The state, the provider and the progress of one run."""

    def __init__(
        self,
        *,
        stack: StackIdentity,
        snapshots: SnapshotManager,
        launcher: Launcher,
        configurations: Configurations,
        listener: Listener,
        options: Options,
    ) -> None:
        self.stack = stack
        self.snapshots = snapshots
        self.configurations = configurations
        self.listener = listener
        self.dry_run = options.dry_run
        self.books = Books()
        self.failed = False
        self.cancelled = False
        self.stopping = asyncio.Event()
        self.slots = asyncio.Semaphore(options.parallel)
        self.providers = Providers(
            launcher,
            configurations,
            lambda: (record.state for record in snapshots.records),
            self.begin,
        )
        #: The processes of policy packs, which may be busy for long.
        self.packs: list[PluginProcess] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that is carried to its end even if its caller goes away."""
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
        """Report a failure, and begin no new step after it."""
        self.failed = True
        self.stopping.set()
        self.report(Severity.ERROR, str(error), urn, getattr(error, "details", ""))

    def stop(self) -> None:
        """Begin no new step, and let what is in flight go on to its end; the run has failed."""
        self.failed = True
        self.stopping.set()

    def cancel(self) -> None:
        """Begin no new step; a plugin is asked to end what is in flight in good order."""
        self.cancelled = True
        self.stopping.set()
        self.begin(self.providers.cancel())

    def abandon(self) -> None:
        """Kill the providers: what is in flight ends at once, and stays pending in the state.

        Policy packs are killed, too: what they were asked about has not begun.
        """
        self.providers.kill()
        for pack in self.packs:
            pack.kill()

    def refuse_when_stopping(self) -> None:
        """Raise OperationCancelled when no new step may begin."""
        if self.stopping.is_set():
            raise OperationCancelled("the run is stopping")

    @contextmanager
    def failures_of(self, urn: str) -> Iterator[None]:
        """Report a failure of a resource, which stops the run; raise OperationCancelled for it."""
        self.refuse_when_stopping()
        try:
            yield
        except OperationCancelled:
            raise
        except EngineError as error:
            self.fail(urn, error)
            raise OperationCancelled("the run is stopping") from error

    def report(self, severity: Severity, message: str, urn: str = "", details: str = "") -> None:
        """Report a message about a resource, or about the stack."""
        self.listener.diagnostic(Diagnostic(severity, message, urn, details))

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
            self.refuse_when_stopping()  # the listener may have had enough
            token: Record | None = None
            failed = True
            try:
                if kind is not None and not self.dry_run:
                    token = await self.snapshots.begin(kind, state)
                yield
                failed = False
            except ProviderGoneError:
                # Nobody knows how far the operation came: it stays pending.
                token = None
                raise
            finally:
                if token is not None:
                    self.snapshots.end(token)
                if kind is not None:
                    await self.snapshots.saved()
                self.listener.step_ended(step, failed=failed)

    async def check(
        self, new: ResourceState, olds: PropertyMap, news: PropertyMap
    ) -> ResourceState:
        """Return a resource with its inputs as the provider has checked and completed them.

        Raises ResourceError with everything that is invalid.
        """
        provider = await self.providers.get(new.provider)
        async with self.slots:
            self.refuse_when_stopping()
            inputs, failures = await provider.check(new.urn, olds, news)
        if failures:
            raise ResourceError("\n".join(refused(failure, inputs) for failure in failures))
        return new.with_(inputs=inputs)

    async def diff(
        self,
        old: ResourceState,
        new: ResourceState,
        inputs: PropertyMap,
        ignored: tuple[str, ...],
    ) -> DiffAnswer:
        """Ask the new state's provider what inputs mean to a resource."""
        provider = await self.providers.get(new.provider)
        async with self.slots:
            self.refuse_when_stopping()
            return await provider.diff(old, new.urn, inputs, ignored)
