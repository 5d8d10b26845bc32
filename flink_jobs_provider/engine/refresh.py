"""Reads of what exists: the stack's resources, others by id, other stacks' outputs."""

from collections.abc import Awaitable, Callable

from flink_jobs_provider.engine.checkpoint import now
from flink_jobs_provider.engine.errors import EngineError, OperationCancelled, ResourceError
from flink_jobs_provider.engine.goals import position_of, refuse_type
from flink_jobs_provider.engine.protocols import resource_pb2
from flink_jobs_provider.engine.resource_state import (
    STACK_REFERENCE_TYPE,
    ResourceState,
    make_urn,
    package_of,
)
from flink_jobs_provider.engine.run import Run, Severity, Step
from flink_jobs_provider.engine.step_executor import with_secret_outputs
from flink_jobs_provider.engine.step_generator import StepGenerator
from flink_jobs_provider.engine.steps import (
    Op,
    PropertyDiff,
    completed,
    ignoring,
    property_diff,
)
from flink_jobs_provider.engine.values import (
    UNKNOWN_STRING,
    PropertyMap,
    contains_secrets,
    from_struct,
    plain,
    strictly_equal,
)


async def refresh(run: Run) -> None:
    """Read every resource; the state becomes what was found, and what is gone leaves it.

    A resource counts as drifted when its provider, asked what it would take to bring what was
    found back to the old inputs, sees a change.
    """
    records = run.snapshots.remaining
    tasks = {
        record: run.begin(_found(run, record.state)) for record in records if _is_read(record.state)
    }
    found: list[ResourceState] = []
    for record in records:
        if record not in tasks:
            found.append(record.state)
            continue
        try:
            state = await tasks[record]
        except OperationCancelled:
            state = record.state
        except EngineError as error:
            run.fail(record.state.urn, error)
            state = record.state
        if state is not None:
            found.append(state)
    run.snapshots.rebase(_without_what_is_gone(found))
    await run.snapshots.saved()


def _is_read(state: ResourceState) -> bool:
    return (
        state.custom
        and not state.is_provider
        and not state.external
        and not state.delete
        and not state.pending_replacement
    )


async def _found(run: Run, old: ResourceState) -> ResourceState | None:
    provider = await run.providers.get(old.provider)
    async with run.slots:
        run.refuse_when_stopping()
        started = Step(Op.REFRESH, old.urn, old, old)
        run.listener.step_started(started)
        ended, failed = started, True
        try:
            answer = await provider.read(old)
            if not answer.id:
                ended, failed = Step(Op.REFRESH, old.urn, old, None), False
                return None
            new = with_secret_outputs(
                old.with_(
                    id=answer.id,
                    outputs=answer.outputs,
                    inputs=old.inputs if answer.inputs is None else answer.inputs,
                    init_errors=answer.problems,
                )
            )
            for problem in answer.problems:
                run.report(Severity.WARNING, f"it is not as it should be: {problem}", old.urn)
            diff_answer = await provider.diff(new, new.urn, old.inputs, old.ignore_changes)
            wanted, _ = ignoring(old.ignore_changes, new.inputs, old.inputs)
            drift = property_diff(new.inputs, wanted)
            drifted = completed(diff_answer, drift, ()).changes
            if not (
                strictly_equal(new.inputs, old.inputs) and strictly_equal(new.outputs, old.outputs)
            ):
                new = new.with_(modified=now())
            shown = _shown_drift(old, new) if drifted else PropertyDiff()
            ended = Step(Op.REFRESH, old.urn, old, new, shown, drifted=bool(drifted))
            failed = False
            return new
        finally:
            run.listener.step_ended(ended, failed=failed)


def _shown_drift(old: ResourceState, new: ResourceState) -> PropertyDiff:
    """Return the differences of the inputs or, where those are equal, of the outputs."""
    return property_diff(old.inputs, new.inputs) or property_diff(old.outputs, new.outputs)


def _without_what_is_gone(states: list[ResourceState]) -> list[ResourceState]:
    """Remove references to resources that no longer exist."""
    there = {state.urn for state in states}
    return [
        state
        if state.all_dependencies() <= there and (not state.parent or state.parent in there)
        else state.with_references(lambda urn: urn if urn in there else "")
        for state in states
    ]


StackOutputs = Callable[[str], Awaitable[PropertyMap]]


class Reads:
    """Answers the program's reads in one run."""

    def __init__(self, run: Run, generator: StepGenerator, stack_outputs: StackOutputs) -> None:
        """Use `stack_outputs` to find another stack's outputs by its name."""
        self._run = run
        self._generator = generator
        self._stack_outputs = stack_outputs
        self._olds = {record.state.urn: record for record in run.snapshots.remaining}

    async def read(
        self, request: resource_pb2.ReadResourceRequest, root: str, version: str = ""
    ) -> ResourceState:
        """Read one resource; the state records it as external.

        `version` is that of the package that the request refers to.
        A failure is reported, and stops the run, before it is raised here.
        """
        refuse_type(request.type, request.name, custom=True)
        run = self._run
        urn = make_urn(
            run.stack.name, run.stack.project, request.parent, request.type, request.name
        )
        with run.failures_of(urn):
            return await self._read(urn, request, root, version)

    async def _read(
        self, urn: str, request: resource_pb2.ReadResourceRequest, root: str, version: str
    ) -> ResourceState:
        run = self._run
        if urn in run.books.seen:
            raise ResourceError(f"two resources are named {request.name!r} ({request.type})")
        run.books.seen.add(urn)
        reference = await self._generator.provider_reference(
            package_of(request.type), version or request.version, request.provider
        )
        old = self._olds.get(urn)
        if old is not None and not old.state.external:
            raise ResourceError(
                f"{request.name!r} is a resource of this stack and cannot become one that is read",
                "Give the one that is read another name.",
            )
        state = ResourceState(
            urn=urn,
            type=request.type,
            custom=True,
            id=request.id,
            external=True,
            inputs=from_struct(request.properties),
            parent=request.parent,
            provider=reference,
            dependencies=tuple(sorted(request.dependencies)),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            source_position=position_of(request.sourcePosition, root),
            stack_trace=tuple(position_of(frame.pc, root) for frame in request.stackTrace.frames),
            created=old.state.created if old else "",
            modified=old.state.modified if old else "",
        )
        step = Step(Op.READ, urn, old.state if old else None, state, shown=False)
        async with run.step(step, None, state):
            if request.id != UNKNOWN_STRING:
                state = with_secret_outputs(await self._filled(state))
            run.books.settled[urn] = run.snapshots.register(state, old)
        return state

    async def _filled(self, state: ResourceState) -> ResourceState:
        if state.type == STACK_REFERENCE_TYPE:
            name = str(plain(state.inputs.get("name", state.id)))
            outputs = await self._stack_outputs(name)
            return state.with_(
                outputs={
                    "name": name,
                    "outputs": outputs,
                    "secretOutputNames": sorted(
                        key for key, value in outputs.items() if contains_secrets(value)
                    ),
                }
            )
        provider = await self._run.providers.get(state.provider)
        found = await provider.read(state.with_(outputs=state.inputs))
        if not found.id:
            raise ResourceError(f"there is no {state.name!r} with the id {state.id!r}")
        return state.with_(id=found.id, outputs=found.outputs)
