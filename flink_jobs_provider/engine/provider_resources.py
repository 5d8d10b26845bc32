"""The providers' own resources: the engine's default instances, and those that a program declares.

Such a resource is configuration alone. It is compared by its provider, as any other is; nothing is
created, and it is configured when its place in the state is settled.
"""

import asyncio

from flink_jobs_provider.engine.goals import Goal
from flink_jobs_provider.engine.plugin import Provider
from flink_jobs_provider.engine.provider_processes import (
    checked_configuration,
    version_of,
    with_version,
)
from flink_jobs_provider.engine.resource_state import (
    BUILTIN_PACKAGE,
    PROVIDER_TYPE_PREFIX,
    ResourceState,
    is_default,
    provider_package,
)
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.snapshot_manager import Record
from flink_jobs_provider.engine.step_executor import StepExecutor
from flink_jobs_provider.engine.steps import (
    Decision,
    PropertyDiff,
    completed,
    decide,
    ignoring,
    property_diff,
)
from flink_jobs_provider.engine.values import equal


class ProviderResources:
    """Settles the providers' own resources, and tells what a change of provider means."""

    def __init__(self, run: Run, executor: StepExecutor) -> None:
        self._run = run
        self._executor = executor
        self._replacing: dict[tuple[str, str], asyncio.Task[bool]] = {}

    def default_goal(self, package: str, version: str) -> Goal:
        """Return the goal of a package's default instance."""
        suffix = "".join(each if each.isalnum() else "_" for each in version)
        return Goal(
            type=f"{PROVIDER_TYPE_PREFIX}{package}",
            name=f"default_{suffix}" if version else "default",
            custom=True,
            inputs={} if package == BUILTIN_PACKAGE else self._run.configurations.of(package),
            version=version,
        )

    async def settle(self, new: ResourceState, goal: Goal, old: Record | None) -> ResourceState:
        """Bring the resource of a plugin to its goal, and configure the plugin with it."""
        run, before = self._run, old.state if old else None
        package, olds = provider_package(new.urn), before.inputs if before else {}
        provider = await self._started(before, package, goal.version)
        news, _ = ignoring(goal.ignore_changes, olds, with_version(goal.inputs, goal.version))
        run.refuse_when_stopping()
        new = new.with_(inputs=await checked_configuration(provider, new.urn, olds, news))
        state = await self._step(new, goal, old, provider)
        if provider.configuration is not None and not equal(provider.configuration, state.inputs):
            provider = await run.providers.start(package, goal.version)
        if provider.configuration is None:
            await run.providers.configure(provider, state)
        run.providers.set(state.reference, provider)
        return state

    async def _started(self, before: ResourceState | None, package: str, version: str) -> Provider:
        """Return a process of a package's plugin: that of the state before, if it runs already."""
        providers = self._run.providers
        loaded = providers.loaded(before.reference) if before else None
        if loaded and before and version in ("", version_of(before.inputs)):
            return await asyncio.shield(loaded)
        return await providers.start(package, version)

    async def _step(
        self, new: ResourceState, goal: Goal, old: Record | None, provider: Provider
    ) -> ResourceState:
        if old is None:
            return await self._executor.create(new)
        before = old.state
        diff = property_diff(before.inputs, new.inputs)
        asked = await provider.diff_configuration(new.urn, before, new.inputs, goal.ignore_changes)
        answer = completed(asked, diff, goal.replace_on_changes)
        decision = decide(before, goal, answer)
        if decision is Decision.SAME:
            return self._executor.keep(new, old)
        if decision is Decision.UPDATE:
            return await self._executor.update(new, old, diff, goal.ignore_changes)
        # The order is of no importance: an instance is configuration alone.
        self._run.books.replaced.add(new.urn)
        return await self._executor.create(new, old, answer.replaces)

    async def replaces(self, old: ResourceState, new: ResourceState) -> bool:
        """Return whether a resource is replaced because its provider is another one."""
        if old.provider == new.provider or not old.provider:
            return False
        if old.provider_urn == new.provider_urn:
            return new.provider_urn in self._run.books.replaced
        packages = {provider_package(urn) for urn in (old.provider_urn, new.provider_urn)}
        both_default = is_default(old.provider_urn) and is_default(new.provider_urn)
        if both_default and len(packages) == 1:
            return False
        pair = (old.provider, new.provider)
        if pair not in self._replacing:
            self._replacing[pair] = self._run.begin(self._replaces(*pair))
        return await asyncio.shield(self._replacing[pair])

    async def _replaces(self, old: str, new: str) -> bool:
        """Ask the new provider what it means to come after the old one."""
        states = {record.state.reference: record.state for record in self._run.snapshots.records}
        before, after = states.get(old), states.get(new)
        if before is None or after is None:
            return False
        provider = await self._run.providers.get(new)
        asked = await provider.diff_configuration(after.urn, before, after.inputs)
        return bool(completed(asked, PropertyDiff(), ()).replaces)
