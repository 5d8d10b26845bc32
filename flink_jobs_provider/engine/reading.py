"""Read what the stack does not own: resources by their id, and other stacks' outputs."""

from collections.abc import Awaitable, Callable

from flink_jobs_provider.engine import urns
from flink_jobs_provider.engine.errors import EngineError, OperationCancelled, ResourceError
from flink_jobs_provider.engine.events import Step
from flink_jobs_provider.engine.execution import with_secret_outputs
from flink_jobs_provider.engine.goals import position_of, refuse_type
from flink_jobs_provider.engine.protocols import resource_pb2
from flink_jobs_provider.engine.registration import Registration
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.steps import Op
from flink_jobs_provider.engine.values import (
    UNKNOWN_STRING,
    PropertyMap,
    contains_secrets,
    from_struct,
    plain,
)

StackOutputs = Callable[[str], Awaitable[PropertyMap]]


class Reading:
    """Answer the program's reads in one run."""

    def __init__(self, run: Run, registration: Registration, stack_outputs: StackOutputs) -> None:
        """Take how another stack's outputs are found, by its name."""
        self._run = run
        self._registration = registration
        self._stack_outputs = stack_outputs
        self._olds = {record.state.urn: record for record in run.keeper.remaining}

    async def read(self, request: resource_pb2.ReadResourceRequest, root: str) -> ResourceState:
        """Read one resource; it is noted in the state as not this stack's own.

        A failure is told and stops the run before it is raised here.
        """
        refuse_type(request.type, request.name, custom=True)
        run = self._run
        urn = urns.make(
            run.stack.name, run.stack.project, request.parent, request.type, request.name
        )
        run.refuse_when_stopping()
        try:
            return await self._read(urn, request, root)
        except OperationCancelled:
            raise
        except EngineError as error:
            run.fail(urn, error)
            raise OperationCancelled("the run is stopping") from error

    async def _read(
        self, urn: str, request: resource_pb2.ReadResourceRequest, root: str
    ) -> ResourceState:
        run = self._run
        if urn in run.books.seen:
            raise ResourceError(f"two resources are named {request.name!r} ({request.type})")
        run.books.seen.add(urn)
        provider = await self._registration.default_provider(urns.package_of(request.type))
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
            provider=f"{provider.urn}::{provider.id}",
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
            run.books.settled[urn] = run.keeper.register(state, old)
        return state

    async def _filled(self, state: ResourceState) -> ResourceState:
        if state.type == urns.STACK_REFERENCE_TYPE:
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
        provider = await self._run.provider()
        found = await provider.read(state.urn, state.id, state.inputs, state.inputs)
        if not found.id:
            raise ResourceError(f"there is no {state.name!r} with the id {state.id!r}")
        return state.with_(id=found.id, outputs=found.outputs)
