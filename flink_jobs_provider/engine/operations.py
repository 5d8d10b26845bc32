"""The runs on a stack: preview, update, refresh, destroy."""

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flink_jobs_provider.engine.backend import write_durably
from flink_jobs_provider.engine.child_process import Declared, Program
from flink_jobs_provider.engine.deletion import delete_what_is_left
from flink_jobs_provider.engine.errors import EngineError, PluginNotFoundError, UnsupportedError
from flink_jobs_provider.engine.plugin_search import PluginSearch
from flink_jobs_provider.engine.policy_packs import Policies, start_policies
from flink_jobs_provider.engine.provider_launch import ProjectLauncher
from flink_jobs_provider.engine.provider_processes import Configurations, version_of
from flink_jobs_provider.engine.refresh import Reads, refresh
from flink_jobs_provider.engine.resource_monitor import (
    EngineServicer,
    MonitorServer,
    ResourceMonitor,
)
from flink_jobs_provider.engine.resource_state import (
    BUILTIN_PACKAGE,
    DYNAMIC_PACKAGE,
    STACK_REFERENCE_TYPE,
    ResourceState,
    is_default,
    package_of,
    provider_package,
)
from flink_jobs_provider.engine.run import (
    Diagnostic,
    Kind,
    Listener,
    Options,
    Run,
    Severity,
    StackIdentity,
    Step,
)
from flink_jobs_provider.engine.snapshot_manager import SnapshotManager
from flink_jobs_provider.engine.stack_configuration import as_provider_inputs
from flink_jobs_provider.engine.stacks import OpenStack
from flink_jobs_provider.engine.step_executor import Begun, StepExecutor
from flink_jobs_provider.engine.step_generator import StepGenerator
from flink_jobs_provider.engine.steps import Op
from flink_jobs_provider.engine.values import PropertyMap


@dataclass
class Outcome:
    """The result of a run."""

    counts: Counter[Op] = field(default_factory=Counter)
    changes: int = 0
    outputs: PropertyMap | None = None
    failed: bool = False
    cancelled: bool = False
    seconds: float = 0.0
    declared: Declared | None = None


class _Counting(Listener):
    """Counts steps, and passes them on to what shows them."""

    def __init__(self, shown: Listener, outcome: Outcome, begun: Begun) -> None:
        self._shown = shown
        self._outcome = outcome
        self._begun = begun

    def step_started(self, step: Step) -> None:
        self._begun.step_started(step)
        self._shown.step_started(step)

    def step_ended(self, step: Step, *, failed: bool) -> None:
        if not failed:
            if step.shown:
                self._outcome.counts[step.op] += 1
            self._outcome.changes += step.is_change
        self._shown.step_ended(step, failed=failed)

    def phase(self, text: str) -> None:
        self._shown.phase(text)

    def notice(self, text: str) -> None:
        self._shown.notice(text)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        self._begun.diagnostic(diagnostic)
        self._shown.diagnostic(diagnostic)

    def status(self, urn: str, message: str) -> None:
        self._shown.status(urn, message)


async def execute(stack: OpenStack, options: Options, listener: Listener) -> Outcome:
    """Execute one run; failures are reported to the listener and marked in the outcome.

    The stack's lock must be held, unless it is a dry run. Raises UnsupportedError, before
    anything was done, when the state holds what only the CLI can handle, and PluginNotFoundError
    when there is no plugin for what it holds.
    """
    _refuse_foreign_state(stack)
    started = time.monotonic()
    outcome = Outcome()
    server = MonitorServer()
    begun = Begun(refreshing=options.kind is Kind.REFRESH)
    run = _new_run(stack, options, _Counting(listener, outcome, begun), server.address)
    listener.stoppable_by(run.stop)
    policies = Policies(run)
    monitor = ResourceMonitor(run, root=str(stack.place.project.root), parallel=options.parallel)
    if not options.dry_run:
        stack.files.keep_backup()
    try:
        with _interruptible(run):
            _warn_of_pending_operations(run, reads=_reads(options))
            await server.start(monitor, EngineServicer(run))
            policies = await start_policies(run, stack, options.policy_packs, server.address)
            await _go(stack, options, run, server, policies, outcome)
            await run.settle()
            if not (run.failed or run.cancelled):
                run.snapshots.forget_inherited_operations()
            await run.snapshots.saved()
    except EngineError as error:
        run.fail("", error)
    finally:
        await run.settle()
        await asyncio.gather(run.providers.close(), policies.close())
        await server.stop()
    if (run.failed or run.cancelled) and not options.dry_run:
        begun.report_others(run, outcome.declared)
    outcome.failed, outcome.cancelled = run.failed, run.cancelled
    outcome.seconds = time.monotonic() - started
    return outcome


async def _go(
    stack: OpenStack,
    options: Options,
    run: Run,
    server: MonitorServer,
    policies: Policies,
    outcome: Outcome,
) -> None:
    if _reads(options):
        run.listener.phase("reading what really runs")
        await refresh(run)
    if options.kind is Kind.REFRESH or run.stopping.is_set():
        return
    executor = StepExecutor(run)
    generator = StepGenerator(run, executor, policies)
    if options.kind is Kind.UPDATE:
        run.listener.phase("running the program")
        server.monitor.answer_with(generator, Reads(run, generator, stack.outputs_of_another))
        outcome.declared = await _run_program(stack, options, run, server.address)
        if not run.stopping.is_set():
            _warn_of_many_deletions(stack, run)
    if not run.stopping.is_set():
        run.listener.phase("deleting what the program no longer declares")
        await delete_what_is_left(run, executor)
    if not run.stopping.is_set():
        await policies.judge_stack()
    outcome.outputs = generator.finish_stack_outputs()


async def _run_program(stack: OpenStack, options: Options, run: Run, address: str) -> Declared:
    """Run the program, or a part of it where the run ends early; return what it had declared."""
    project = stack.place.project
    for reference in _providers_in_use(stack):
        # They will be needed, and take as long to start as the program.
        run.providers.begin(reference)
    program = await Program.start(
        project,
        stack.files.stack,
        stack.configuration,
        address=address,
        options=options,
        on_line=lambda line: run.report(Severity.INFO, line),
    )
    ended = asyncio.create_task(program.wait())
    stopping = asyncio.create_task(run.stopping.wait())
    try:
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await run.settle()
    finally:
        stopping.cancel()
        await program.stop()
    code = await ended
    await run.settle()
    if code and not run.stopping.is_set():
        if not run.failed:
            run.report(Severity.ERROR, f"the program ended with exit code {code}")
        run.failed = True
        run.stopping.set()
    return program.declared()


def _new_run(stack: OpenStack, options: Options, listener: Listener, address: str) -> Run:
    snapshots = SnapshotManager(
        stack.snapshot,
        stack.checkpoint,
        None if options.dry_run else lambda text: write_durably(stack.files.checkpoint, text),
    )
    run = Run(
        stack=StackIdentity(stack.files.project, stack.files.stack),
        snapshots=snapshots,
        launcher=ProjectLauncher(stack, address, lambda line: run.report(Severity.INFO, line)),
        configurations=Configurations(as_provider_inputs(stack.configuration)),
        listener=listener,
        options=options,
    )
    return run


def _providers_in_use(stack: OpenStack) -> Iterable[str]:
    """Return the references to providers that the state's resources are managed by."""
    return dict.fromkeys(
        state.provider
        for state in stack.snapshot.resources
        if state.provider and not state.external
    )


def _refuse_foreign_state(stack: OpenStack) -> None:
    plugins = PluginSearch(stack.place.project, os.environ)
    states = stack.snapshot.resources
    versions = {state.reference: version_of(state.inputs) for state in states if state.is_provider}
    found = set()
    for state in states:
        if what := _foreign(state):
            raise UnsupportedError(f"{what}, which the stack's state holds ({state.urn})")
        needed = (package_of(state.type), versions.get(state.provider, ""))
        if not _is_of_a_plugin(state) or needed in found:
            continue
        try:
            plugins.find(*needed)
        except PluginNotFoundError as error:
            message = f"{error.message}; the stack's state holds {state.urn}"
            raise PluginNotFoundError(message, error.hint) from None
        found.add(needed)


def _is_of_a_plugin(state: ResourceState) -> bool:
    no_plugin = state.is_provider or state.type == STACK_REFERENCE_TYPE
    return state.custom and not no_plugin and package_of(state.type) != DYNAMIC_PACKAGE


def _foreign(state: ResourceState) -> str:
    if state.is_provider:
        dynamic = provider_package(state.urn) == DYNAMIC_PACKAGE
        explicit = not is_default(state.urn)
        return "explicit instances of the dynamic provider" if dynamic and explicit else ""
    if "viewOf" in state.other:
        return "views"
    if "resourceHooks" in state.other:
        return "resource hooks"
    if not _is_of_a_plugin(state):
        return ""
    if package_of(state.type) == BUILTIN_PACKAGE:
        return f"resources of the package `{BUILTIN_PACKAGE}`"
    return "" if state.provider else "resources without a provider"


def _reads(options: Options) -> bool:
    """Whether a run reads all resources before it does anything else."""
    return options.refresh_first or options.kind is Kind.REFRESH


def _warn_of_pending_operations(run: Run, *, reads: bool) -> None:
    advice = (
        ". This run reads what runs now"
        if reads
        else ". Run up --refresh, which reads what runs now, also where the program is as it was "
        "before that run"
    )
    for operation in run.snapshots.inherited_operations:
        run.report(
            Severity.WARNING,
            f"an earlier run was interrupted while {operation.kind}"
            f" {operation.resource.name!r}; how far it came is not known{advice}",
            operation.resource.urn,
        )


def _warn_of_many_deletions(stack: OpenStack, run: Run) -> None:
    """Warn where more than half of a stack's resources have left the program."""
    before = sum(_is_deletable(state) for state in stack.snapshot.resources)
    going = [record.state.name for record in run.snapshots.remaining if _is_deletable(record.state)]
    if 2 * len(going) > before:
        deletes = "would delete" if run.dry_run else "deletes"
        run.report(
            Severity.WARNING,
            f"the program no longer declares {len(going)} of the stack's {before} resources, so "
            f"this run {deletes} more than half of them: {', '.join(sorted(going))}",
        )


def _is_deletable(state: ResourceState) -> bool:
    gone = state.delete or state.pending_replacement
    return state.custom and not (state.external or state.is_provider or gone)


@contextmanager
def _interruptible(run: Run) -> Iterator[None]:
    """Stop in good order at the first Ctrl-C, and at once at the second.

    At the first no new step begins; those in flight end and are saved, and plugins are asked to
    end them soon. At the second the providers are killed: the state has what was in flight as
    pending, since before it began. Signals are for a process's main thread alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if run.cancelled:
            run.listener.notice("stopping at once: what is in flight is left pending")
            run.abandon()
            return
        run.cancel()
        run.listener.notice("interrupted: waiting for what is in flight (again: stop at once)")

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
