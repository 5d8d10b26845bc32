"""The steps of a run, executed one by one; and which resources none was begun for."""

import uuid
from collections.abc import Iterable

from flink_jobs_provider.engine.checkpoint import now
from flink_jobs_provider.engine.child_process import Declared
from flink_jobs_provider.engine.errors import InitFailedError, ResourceError
from flink_jobs_provider.engine.resource_state import (
    DYNAMIC_PACKAGE,
    PROVIDER_TYPE_PREFIX,
    STACK_TYPE,
    OperationKind,
    ResourceState,
    is_default,
    name_of,
    package_of,
    type_of,
)
from flink_jobs_provider.engine.run import Diagnostic, Run, Severity, Step
from flink_jobs_provider.engine.snapshot_manager import Record
from flink_jobs_provider.engine.steps import (
    Change,
    Op,
    PropertyDiff,
    detailed,
    must_be_saved,
    property_diff,
)
from flink_jobs_provider.engine.values import UNKNOWN_STRING, PropertyMap, Secret, marked_like

#: What a dynamic resource names its provider by, in the SDK.
_PROVIDER = "__provider"


class StepExecutor:
    """Executes the steps of a run; in a preview a plugin is asked what would come of them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def keep(self, new: ResourceState, old: Record) -> ResourceState:
        """Leave a resource as it is."""
        run, before = self._run, old.state
        new = with_secret_outputs(
            new.with_(
                id=before.id,
                outputs=_dynamic_outputs(new, before),
                created=before.created,
                modified=before.modified,
            )
        )
        shown = _is_shown(new) and new.urn not in run.books.imported
        step = Step(Op.SAME, new.urn, before, new, shown=shown)
        run.listener.step_started(step)
        if must_be_saved(before, new):
            record = run.snapshots.register(new, old)
        else:
            record = run.snapshots.register_unchanged(new, old)
        run.books.settled[new.urn] = record
        run.listener.step_ended(step, failed=False)
        return new

    async def create(
        self,
        new: ResourceState,
        old: Record | None = None,
        replaces: Iterable[str] = (),
        detail: tuple[Change, ...] = (),
    ) -> ResourceState:
        """Create a resource, or the new instance of one that is replaced.

        The old one is taken out of the state if it was deleted before, else marked to be deleted
        once everything that needs it has moved on.
        """
        before = old.state if old else None
        step = Step(
            Op.REPLACE if old else Op.CREATE,
            new.urn,
            before,
            new,
            detailed(detail, property_diff(before.inputs if before else {}, new.inputs)),
            tuple(replaces),
            shown=_is_shown(new),
            detail=detail,
        )
        async with self._run.step(step, _kind(OperationKind.CREATING, new), new):
            try:
                new = await self._created(new)
            except InitFailedError as error:
                self._settle_created(_begun(new, error), old)
                raise
            self._settle_created(new, old)
        return new

    async def update(
        self,
        new: ResourceState,
        old: Record,
        diff: PropertyDiff,
        ignored: Iterable[str] = (),
        detail: tuple[Change, ...] = (),
    ) -> ResourceState:
        """Update a resource in its place."""
        before = old.state
        new = new.with_(id=before.id, created=before.created, modified=before.modified)
        step = Step(
            Op.UPDATE,
            new.urn,
            before,
            new,
            detailed(detail, diff),
            shown=_is_shown(new),
            detail=detail,
        )
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

    async def import_(self, new: ResourceState, old: Record | None) -> Record:
        """Read the resource that the option `import_` names into the state.

        Its inputs are those that the provider answers; what the program declares is compared with
        them, as with those of any resource that is in the state.
        """
        run, wanted = self._run, new.import_id
        step = Step(Op.IMPORT, new.urn, None, new)
        async with run.step(step, None, new):
            provider = await run.providers.get(new.provider)
            # As of a resource of others: there are no inputs, and no outputs, to be told of it.
            found = await provider.read(new.with_(id=wanted, external=True))
            if not found.outputs:
                raise ResourceError(f"there is no {new.name!r} with the id {wanted!r} to import")
            if found.inputs is None:
                package = package_of(new.type)
                raise ResourceError(f"the provider {package} does not import resources")
            moment = now()
            imported = new.with_(
                id=found.id or wanted,
                inputs=found.inputs,
                outputs=found.outputs,
                init_errors=found.problems,
                created=moment,
                modified=moment,
            )
            record = run.snapshots.register(with_secret_outputs(imported), old)
            run.books.imported.add(new.urn)
        return record

    async def delete(self, old: Record, op: Op, *, pending_replacement: bool = False) -> None:
        """Delete a resource.

        With `pending_replacement` it stays in the state as one that is still to be created again.
        """
        run, state = self._run, old.state
        step = Step(op, state.urn, state, None, shown=_is_shown(state))
        kind = _kind(OperationKind.DELETING, state) if self._is_deleted_for_real(state) else None
        async with run.step(step, kind, state):
            if kind is not None and not run.dry_run:
                provider = await run.providers.get(state.provider)
                await provider.delete(state)
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

    def _settle_created(self, new: ResourceState, old: Record | None) -> None:
        if old is not None and not old.state.pending_replacement:
            self._run.snapshots.change(old, old.state.with_(delete=True))
            old = None
        self._settle(new, old)

    async def _created(self, new: ResourceState) -> ResourceState:
        id_, outputs = "", {}
        if new.is_provider:
            preview = self._run.dry_run and not is_default(new.urn)
            id_, outputs = UNKNOWN_STRING if preview else str(uuid.uuid4()), new.inputs
        elif new.custom:
            provider = await self._run.providers.get(new.provider)
            id_, outputs = await provider.create(new, preview=self._run.dry_run)
        moment = now()
        return with_secret_outputs(
            new.with_(id=id_, outputs=outputs, created=moment, modified=moment)
        )

    async def _updated(
        self, new: ResourceState, before: ResourceState, ignored: Iterable[str]
    ) -> PropertyMap:
        if new.is_provider:
            return new.inputs
        provider = await self._run.providers.get(new.provider)
        return await provider.update(before, new, ignored, preview=self._run.dry_run)


def _begun(new: ResourceState, error: InitFailedError) -> ResourceState:
    """Return a resource that was begun and did not come up, for the next run to go on with."""
    moment = now()
    return with_secret_outputs(
        new.with_(
            id=error.left.id or new.id,
            outputs=marked_like(error.left.outputs, new.inputs),
            init_errors=error.left.reasons or (error.message,),
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


def _dynamic_outputs(new: ResourceState, before: ResourceState) -> PropertyMap:
    """Return the outputs of an unchanged resource, with what a dynamic one is read and deleted by.

    One that an alias brings back from a plugin has it among its inputs alone.
    """
    if package_of(new.type) != DYNAMIC_PACKAGE or _PROVIDER not in new.inputs:
        return before.outputs
    return {_PROVIDER: new.inputs[_PROVIDER], **before.outputs}


def _is_shown(state: ResourceState) -> bool:
    """Return whether a resource is the user's, and not a default provider's own."""
    return not (state.is_provider and is_default(state.urn))


def _kind(kind: OperationKind, state: ResourceState) -> OperationKind | None:
    """Return the operation to record as pending, or None where no provider is asked."""
    return kind if state.custom and not state.is_provider else None


class Begun:
    """Notes which resources steps were begun with, and of which failures were reported.

    To refresh a resource is not to begin it, unless the run only refreshes.
    """

    def __init__(self, *, refreshing: bool) -> None:
        self._refreshing = refreshing
        self._urns: set[str] = set()

    def step_started(self, step: Step) -> None:
        """Note a step."""
        if step.op is not Op.REFRESH or self._refreshing:
            self._urns.add(step.urn)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Note a failure."""
        if diagnostic.severity is Severity.ERROR:
            self._urns.add(diagnostic.urn)

    def report_others(self, run: Run, declared: Declared | None) -> None:
        """Report every known resource that was not begun, if there are any.

        What the program had declared is None where it was not started.
        """
        known = self._known(run)
        begun = self._begun(run)
        names = sorted(name_of(urn) for urn in known if urn not in begun)
        if declared:
            names += _not_registered(declared, known)
        if declared and not declared.complete:
            names.append("what the program had not declared by then")
        if names:
            run.report(Severity.WARNING, f"the run ended early; not begun: {', '.join(names)}")

    def _known(self, run: Run) -> list[str]:
        in_state = [
            record.state.urn for record in run.snapshots.remaining if _is_a_users(record.state)
        ]
        declared = [*run.books.seen, *run.books.refused]
        return list(dict.fromkeys([*in_state, *filter(_is_named, declared)]))

    def _begun(self, run: Run) -> set[str]:
        renamed = run.books.alias_of
        return self._urns | {old for old, new in renamed.items() if new in self._urns}


def _not_registered(declared: Declared, known: Iterable[str]) -> list[str]:
    """Return the names of declared resources that never came to the run."""
    names = {(type_of(urn), name_of(urn)) for urn in known}
    return [
        name
        for type_, name in dict.fromkeys(declared.resources)
        if _is_users_type(type_) and (type_, name) not in names
    ]


def _is_a_users(state: ResourceState) -> bool:
    return state.custom and not state.is_provider and not state.external


def _is_named(urn: str) -> bool:
    return _is_users_type(type_of(urn))


def _is_users_type(type_: str) -> bool:
    return not type_.startswith(PROVIDER_TYPE_PREFIX) and type_ != STACK_TYPE
