"""The step that each resource needs that the program registers.

The provider is asked in the order of the real engine: check; diff, where there is an old state;
check again with nothing carried over, where the resource is replaced; then the operation.
"""

import asyncio
from dataclasses import fields

from flink_jobs_provider.engine.deletion import EarlyDeletion
from flink_jobs_provider.engine.errors import ResourceError
from flink_jobs_provider.engine.goals import Goal
from flink_jobs_provider.engine.policy_packs import Policies
from flink_jobs_provider.engine.provider_resources import ProviderResources
from flink_jobs_provider.engine.resource_state import (
    BUILTIN_PACKAGE,
    DYNAMIC_PACKAGE,
    PROVIDER_TYPE_PREFIX,
    Declaration,
    ResourceState,
    make_urn,
    name_of,
    provider_package,
    type_of,
)
from flink_jobs_provider.engine.run import Run, Severity
from flink_jobs_provider.engine.snapshot_manager import Record
from flink_jobs_provider.engine.step_executor import StepExecutor
from flink_jobs_provider.engine.steps import (
    Decision,
    DiffAnswer,
    completed,
    decide,
    ignoring,
    property_diff,
    trigger_fires,
)
from flink_jobs_provider.engine.values import (
    PropertyMap,
    contains_unknowns,
    strictly_equal,
)

#: The fields of a state that a program declares.
_DECLARED = [each.name for each in fields(Declaration)]


class StepGenerator:
    """Decides on the step for each resource that the program registers."""

    def __init__(self, run: Run, executor: StepExecutor, policies: Policies) -> None:
        self._run = run
        self._policies = policies
        self._books = run.books
        self._executor = executor
        self._defaults: dict[tuple[str, str], asyncio.Task[ResourceState]] = {}
        self._provider_resources = ProviderResources(run, executor)
        base = run.snapshots.remaining
        self._olds = {record.state.urn: record for record in base if not record.state.delete}
        self._early_deletion = EarlyDeletion(run, executor, base)
        self._stack_outputs: PropertyMap | None = None

    async def register(self, goal: Goal) -> ResourceState:
        """Bring one resource to its goal; return its state.

        A failure is reported, and stops the run, before it is raised here.
        """
        run = self._run
        urn = make_urn(run.stack.name, run.stack.project, goal.parent, goal.type, goal.name)
        if run.stopping.is_set():
            self._books.refused.add(urn)
        with run.failures_of(urn):
            return await self._register(urn, goal)

    def register_outputs(self, urn: str, outputs: PropertyMap) -> None:
        """Record a component's outputs; the stack's are held until the end of the run.

        Raises ResourceError for a resource that was not registered.
        """
        if urn == self._run.stack.root_urn:
            self._stack_outputs = outputs
            return
        record = self._books.settled.get(urn)
        if record is None:
            raise ResourceError(f"outputs of a resource that was not registered: {urn}")
        self._set_outputs(record, outputs)

    def finish_stack_outputs(self) -> PropertyMap | None:
        """Record the stack's outputs; return them, or None where the program exported none.

        After a failure those of before stay where there are no new ones.
        """
        record = self._books.settled.get(self._run.stack.root_urn)
        if record is None or self._stack_outputs is None:
            return None
        outputs = self._stack_outputs
        if self._run.failed or self._run.cancelled:
            outputs = record.state.outputs | outputs
        self._set_outputs(record, outputs)
        return outputs

    def _set_outputs(self, record: Record, outputs: PropertyMap) -> None:
        if not strictly_equal(record.state.outputs, outputs):
            self._run.snapshots.change(record, record.state.with_(outputs=outputs))

    async def provider_reference(self, package: str, version: str, explicit: str) -> str:
        """Return the reference to the provider of a resource.

        Without an explicit one it is the package's default, which is registered at its first use.
        """
        if explicit:
            if explicit.rpartition("::")[0] not in self._books.settled:
                raise ResourceError(f"the provider {explicit} was not registered")
            return explicit
        key = (package, version)
        if key not in self._defaults:
            goal = self._provider_resources.default_goal(package, version)
            self._defaults[key] = self._run.begin(self.register(goal))
        return (await asyncio.shield(self._defaults[key])).reference

    # -- one resource -------------------------------------------------------------------------

    async def _register(self, urn: str, goal: Goal) -> ResourceState:
        if goal.parent and goal.parent not in self._books.seen:
            raise ResourceError(f"the parent of {goal.name!r} was not registered: {goal.parent}")
        if urn in self._books.seen:
            raise ResourceError(
                f"two resources are named {goal.name!r} ({goal.type})",
                "Names must be unique among the resources of one type and parent.",
            )
        self._books.seen.add(urn)
        old = self._find_old(urn, goal)
        reference = ""
        if goal.custom and not goal.type.startswith(PROVIDER_TYPE_PREFIX):
            reference = await self.provider_reference(goal.package, goal.version, goal.provider)
        new = _wanted(urn, goal, reference)
        if not goal.custom or new.is_provider:
            await self._policies.judge(new, goal)
        if new.is_provider and provider_package(urn) not in (DYNAMIC_PACKAGE, BUILTIN_PACKAGE):
            return await self._provider_resources.settle(new, goal, old)
        if not goal.custom or new.is_provider:
            return await self._settle_without_provider(new, goal, old)
        return await self._settle(new, goal, old)

    def _find_old(self, urn: str, goal: Goal) -> Record | None:
        books = self._books
        if urn in books.alias_of:
            raise ResourceError(f"{goal.name!r} is also an alias of {books.alias_of[urn]}")
        if urn in self._olds:
            return self._olds[urn]
        for alias in (*goal.alias_urns, *self._inherited_aliases(goal)):
            if alias not in self._olds:
                continue
            taken_by = alias if alias in books.seen else books.alias_of.get(alias)
            if taken_by:
                raise ResourceError(f"the alias {alias} of {goal.name!r} is taken by {taken_by}")
            books.alias_of[alias] = urn
            books.alias_used[urn] = alias
            return self._olds[alias]
        return None

    def _inherited_aliases(self, goal: Goal) -> list[str]:
        """Return the URNs that a resource had while its parent had its old name.

        A child named after its parent is taken to have been named after it then as well.
        """
        old_parent = self._books.alias_used.get(goal.parent)
        if old_parent is None:
            return []
        new_name, old_name = name_of(goal.parent), name_of(old_parent)
        wanted = [(goal.type, goal.name)]
        wanted += [(type_of(alias), name_of(alias)) for alias in goal.alias_urns]
        return [
            make_urn(
                self._run.stack.name,
                self._run.stack.project,
                old_parent,
                type_,
                old_name + name.removeprefix(new_name) if name.startswith(new_name) else name,
            )
            for type_, name in wanted
        ]

    async def _settle_without_provider(
        self, new: ResourceState, goal: Goal, old: Record | None
    ) -> ResourceState:
        """Settle a component, or what stands for the dynamic provider: no provider is asked."""
        if old is None:
            return await self._executor.create(new)
        if old.state.custom != new.custom:
            self._books.replaced.add(new.urn)
            return await self._executor.create(new, old, ("provider",))
        inputs, _ = ignoring(goal.ignore_changes, old.state.inputs, new.inputs)
        new = new.with_(inputs=inputs)
        if diff := property_diff(old.state.inputs, new.inputs):
            return await self._executor.update(new, old, diff)
        return self._executor.keep(new, old)

    async def _settle(self, new: ResourceState, goal: Goal, old: Record | None) -> ResourceState:
        if goal.import_id and _is_to_be_imported(goal, old):
            old = await self._executor.import_(new, old)
        if old is None:
            return await self._executor.create(await self._checked(new, goal, {}, goal.inputs))
        if old.state.urn in self._books.deleted:
            return await self._create_again(new, goal, old)
        before = old.state
        if before.external:
            self._books.replaced.add(new.urn)
            new = await self._checked(new, goal, {}, goal.inputs)
            return await self._executor.create(new, old)
        inputs = self._with_ignored(new.urn, goal, before)
        tainted = bool(before.other.get("taint"))
        new = await self._checked(new, goal, {} if tainted else before.inputs, inputs)
        diff = property_diff(
            before.inputs, ignoring(goal.ignore_changes, before.inputs, new.inputs)[0]
        )
        answer = completed(await self._diff(new, goal, before), diff, goal.replace_on_changes)
        if before.urn in self._books.deleted:
            # Meanwhile one that this one needs was replaced, and took it along.
            return await self._create_again(new, goal, old)
        self._books.decided.add(before.urn)
        decision = decide(before, goal, answer)
        if decision is Decision.SAME:
            return self._executor.keep(new, old)
        if decision is Decision.UPDATE:
            return await self._executor.update(new, old, diff, goal.ignore_changes, answer.detail)
        self._refuse_if_protected(new, before)
        self._books.replaced.add(new.urn)
        if not tainted:
            # What check filled in was carried over from the old one; the new one starts afresh.
            new = await self._run.check(new, {}, goal.inputs)
        if decision is Decision.REPLACE_DELETE_FIRST:
            await self._early_deletion.delete(old)
        return await self._executor.create(new, old, answer.replaces, answer.detail)

    async def _create_again(self, new: ResourceState, goal: Goal, old: Record) -> ResourceState:
        """Create a resource that was deleted because one that it needs was replaced."""
        self._books.deleted.discard(old.state.urn)
        self._books.decided.add(old.state.urn)
        self._books.replaced.add(new.urn)
        new = await self._checked(new, goal, {}, goal.inputs)
        return await self._executor.create(new, old)

    async def _checked(
        self, new: ResourceState, goal: Goal, olds: PropertyMap, news: PropertyMap
    ) -> ResourceState:
        """Return a resource as its provider has checked it, which the policies permit."""
        new = await self._run.check(new, olds, news)
        await self._policies.judge(new, goal)
        return new

    def _with_ignored(self, urn: str, goal: Goal, before: ResourceState) -> PropertyMap:
        inputs, impossible = ignoring(goal.ignore_changes, before.inputs, goal.inputs)
        if impossible:
            self._run.report(
                Severity.INFO,
                "changes in added or removed elements cannot be ignored: " + ", ".join(impossible),
                urn,
            )
        return inputs

    async def _diff(self, new: ResourceState, goal: Goal, old: ResourceState) -> DiffAnswer:
        trigger = new.replacement_trigger
        if not self._run.dry_run and contains_unknowns(trigger):
            raise ResourceError(f"the replacement trigger of {new.name!r} is not known")
        if trigger_fires(old.replacement_trigger, trigger):
            return DiffAnswer(changes=True, replaces=("replacementTrigger",))
        if old.other.get("taint"):
            return DiffAnswer(changes=True, replaces=("id",))
        if self._books.replaced.intersection(new.replace_with):
            return DiffAnswer(changes=True, replaces=("replaceWith",))
        if new.deleted_with in self._books.replaced:
            return DiffAnswer(changes=True, replaces=("deletedWith",))
        if not old.custom:
            return DiffAnswer(changes=True, replaces=("provider",))
        if await self._provider_resources.replaces(old, new):
            return DiffAnswer(changes=True, replaces=("provider",))
        return await self._run.diff(old, new, new.inputs, goal.ignore_changes)

    def _refuse_if_protected(self, new: ResourceState, old: ResourceState) -> None:
        if not (new.protect and old.protect):
            return
        error = ResourceError(
            f"{new.name!r} is protected and cannot be replaced",
            "Take `protect` off it in the program first.",
        )
        if not self._run.dry_run:
            raise error
        # A preview goes on, so that what leads to it is seen.
        self._run.failed = True
        self._run.report(Severity.ERROR, str(error), new.urn)


def _wanted(urn: str, goal: Goal, provider: str) -> ResourceState:
    declared = {name: getattr(goal, name) for name in _DECLARED}
    return ResourceState(urn=urn, provider=provider, **declared)


def _is_to_be_imported(goal: Goal, old: Record | None) -> bool:
    """Whether what a resource's option `import_` names is not in the state yet.

    Raises ResourceError where another one is, which the CLI would replace, and so delete.
    """
    if old is None or old.state.external:
        return True
    known = old.state.import_id or old.state.id
    if known == goal.import_id:
        return False
    raise ResourceError(
        f"{goal.name!r} is in the stack's state, with the id {known!r}; the option `import_` names "
        f"another resource, {goal.import_id!r}",
        "Take `import_` out of the program; or import the other one under another name.",
    )
