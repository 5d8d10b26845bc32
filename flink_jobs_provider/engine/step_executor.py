"""The steps of a run, carried out one by one: create, update, keep, delete."""

import uuid
from collections.abc import Iterable

from flink_jobs_provider.engine.checkpoint import now
from flink_jobs_provider.engine.errors import InitFailedError
from flink_jobs_provider.engine.events import Step
from flink_jobs_provider.engine.resource_state import OperationKind, ResourceState
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.snapshot_manager import Record
from flink_jobs_provider.engine.steps import Op, PropertyDiff, must_be_saved, property_diff
from flink_jobs_provider.engine.values import PropertyMap, Secret, marked_like


class StepExecutor:
    """Carries out the steps of a run; in a preview the provider is not asked."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def keep(self, new: ResourceState, old: Record) -> ResourceState:
        """Leave a resource as it is."""
        run, before = self._run, old.state
        new = with_secret_outputs(
            new.with_(
                id=before.id,
                outputs=before.outputs,
                created=before.created,
                modified=before.modified,
            )
        )
        step = Step(Op.SAME, new.urn, before, new, shown=not new.is_provider)
        run.listener.step_started(step)
        if must_be_saved(before, new):
            record = run.snapshots.register(new, old)
        else:
            record = run.snapshots.register_unchanged(new, old)
        run.books.settled[new.urn] = record
        run.listener.step_ended(step, failed=False)
        return new

    async def create(self, new: ResourceState) -> ResourceState:
        """Create a resource that was not there before."""
        step = Step(
            Op.CREATE,
            new.urn,
            None,
            new,
            property_diff({}, new.inputs),
            shown=not new.is_provider,
        )
        async with self._run.step(step, _kind(OperationKind.CREATING, new), new):
            try:
                new = await self._created(new)
            except InitFailedError as error:
                self._settle(_begun(new, error), None)
                raise
            self._settle(new, None)
        return new

    async def replace(
        self, new: ResourceState, old: Record, replaces: Iterable[str]
    ) -> ResourceState:
        """Create the new instance of a resource.

        The old one is taken out of the state if it was deleted before, else marked to be deleted
        once everything that needs it has moved on.
        """
        before = old.state
        step = Step(
            Op.REPLACE,
            new.urn,
            before,
            new,
            property_diff(before.inputs, new.inputs),
            tuple(replaces),
        )
        async with self._run.step(step, _kind(OperationKind.CREATING, new), new):
            try:
                new = await self._created(new)
            except InitFailedError as error:
                self._settle_replacement(_begun(new, error), old)
                raise
            self._settle_replacement(new, old)
        return new

    async def update(
        self, new: ResourceState, old: Record, diff: PropertyDiff, ignored: Iterable[str] = ()
    ) -> ResourceState:
        """Update a resource in its place."""
        before = old.state
        new = new.with_(id=before.id, created=before.created, modified=before.modified)
        step = Step(Op.UPDATE, new.urn, before, new, diff, shown=not new.is_provider)
        async with self._run.step(step, _kind(OperationKind.UPDATING, new), new):
            outputs: PropertyMap = {}
            if new.custom:
                try:
                    outputs = await self._updated(new, before, ignored)
                except InitFailedError as error:
                    self._settle(_begun(new.with_(inputs=before.inputs), error), old)
                    raise
                new = new.with_(modified=now())
            new = with_secret_outputs(new.with_(outputs=outputs))
            self._settle(new, old)
        return new

    async def delete(self, old: Record, op: Op, *, pending_replacement: bool = False) -> None:
        """Delete a resource.

        With `pending_replacement` it stays in the state as one that is still to be created again.
        """
        run, state = self._run, old.state
        step = Step(op, state.urn, state, None, shown=not state.is_provider)
        kind = _kind(OperationKind.DELETING, state) if self._is_deleted_for_real(state) else None
        async with run.step(step, kind, state):
            if kind is not None and not run.dry_run:
                provider = await run.provider()
                await provider.delete(state.urn, state.id, state.inputs, state.outputs)
            if pending_replacement:
                run.snapshots.change(old, state.with_(pending_replacement=True))
            else:
                run.snapshots.remove(old)

    def forget(self, old: Record) -> None:
        """Remove a resource from the state that an earlier run deleted for a replacement."""
        step = Step(Op.REMOVE_PENDING_REPLACE, old.state.urn, old.state, shown=False)
        self._run.listener.step_started(step)
        self._run.snapshots.remove(old)
        self._run.listener.step_ended(step, failed=False)

    def _is_deleted_for_real(self, state: ResourceState) -> bool:
        return (
            state.custom
            and not state.is_provider
            and not state.external
            and not state.retain_on_delete
            and state.deleted_with not in self._run.books.deleted
        )

    def _settle(self, new: ResourceState, old: Record | None) -> None:
        self._run.books.settled[new.urn] = self._run.snapshots.register(new, old)

    def _settle_replacement(self, new: ResourceState, old: Record) -> None:
        if old.state.pending_replacement:
            self._settle(new, old)
        else:
            self._run.snapshots.change(old, old.state.with_(delete=True))
            self._settle(new, None)

    async def _created(self, new: ResourceState) -> ResourceState:
        id_, outputs = "", {}
        if new.is_provider:
            id_, outputs = str(uuid.uuid4()), new.inputs
        elif new.custom and self._run.dry_run:
            # As the real engine shows what a dynamic provider will create: the inputs alone.
            outputs = new.inputs
        elif new.custom:
            provider = await self._run.provider()
            id_, outputs = await provider.create(new.urn, new.inputs)
        moment = now()
        return with_secret_outputs(
            new.with_(id=id_, outputs=outputs, created=moment, modified=moment)
        )

    async def _updated(
        self, new: ResourceState, before: ResourceState, ignored: Iterable[str]
    ) -> PropertyMap:
        if new.is_provider or self._run.dry_run:
            return new.inputs
        provider = await self._run.provider()
        return await provider.update(
            new.urn,
            before.id,
            old_inputs=before.inputs,
            old_outputs=before.outputs,
            new_inputs=new.inputs,
            ignore_changes=tuple(ignored),
        )


def _begun(new: ResourceState, error: InitFailedError) -> ResourceState:
    """Return a resource that was begun and did not come up, for the next run to go on with."""
    moment = now()
    return with_secret_outputs(
        new.with_(
            id=error.id,
            outputs=marked_like(error.outputs, new.inputs),
            init_errors=(error.message,),
            created=new.created or moment,
            modified=moment,
        )
    )


def with_secret_outputs(state: ResourceState) -> ResourceState:
    """Mark the outputs that are to be secret: those named, and those of secret inputs."""
    outputs = dict(state.outputs)
    for key, value in outputs.items():
        named = key in state.additional_secret_outputs
        if not isinstance(value, Secret) and (named or isinstance(state.inputs.get(key), Secret)):
            outputs[key] = Secret(value)
    return state.with_(outputs=outputs)


def _kind(kind: OperationKind, state: ResourceState) -> OperationKind | None:
    """Return the operation to record as pending, or None where no provider is asked."""
    return kind if state.custom and not state.is_provider else None
