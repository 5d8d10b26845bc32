"""The provider processes of one run, each started at its first use.

A resource in the state refers to its provider's own resource, by URN and id. A plugin's instance is
configured as the program declares it, or the stack's configuration has it now; until the program
has used it in a run, and in a refresh or a destroy, as the state has it. So does the CLI. The
dynamic provider is one process, configured as the stack is now.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from flink_jobs_provider.engine.errors import ResourceError
from flink_jobs_provider.engine.plugin import Provider
from flink_jobs_provider.engine.provider_answers import refused
from flink_jobs_provider.engine.resource_state import (
    DYNAMIC_PACKAGE,
    ResourceState,
    is_default,
    provider_package,
)
from flink_jobs_provider.engine.values import PropertyMap


class Launcher(Protocol):
    """Starts providers."""

    async def start(self, package: str, version: str) -> Provider:
        """Start a provider, which is not configured yet.

        Raises ProviderError when it does not come up.
        """
        ...


@dataclass(frozen=True)
class Configurations:
    """The configuration of each package's default provider, by package."""

    every: PropertyMap
    """All of the stack's, by full name: the dynamic provider gets it."""

    def of(self, package: str) -> PropertyMap:
        """Return the inputs of a package's default provider."""
        if package == DYNAMIC_PACKAGE:
            return self.every
        prefix = f"{package}:"
        return {
            key.removeprefix(prefix): value
            for key, value in self.every.items()
            if key.startswith(prefix)
        }


Begin = Callable[[Coroutine[Any, Any, Provider]], "asyncio.Task[Provider]"]


class Providers:
    """The providers of a run, by the reference to their own resource."""

    def __init__(
        self,
        launcher: Launcher,
        configurations: Configurations,
        states: Callable[[], Iterable[ResourceState]],
        begin: Begin,
    ) -> None:
        """Look for explicit instances in `states`; `begin` starts work that nothing cuts short."""
        self._configurations = configurations
        self._launcher = launcher
        self._states = states
        self._begin = begin
        self._configured: dict[str, asyncio.Future[Provider]] = {}
        self._started: list[Provider] = []
        self._dynamic: asyncio.Task[Provider] | None = None
        self._cancelled = False

    async def get(self, reference: str) -> Provider:
        """Return the provider that a resource refers to, configured."""
        return await asyncio.shield(self.begin(reference))

    def begin(self, reference: str) -> "asyncio.Future[Provider]":
        """Start the provider that a resource refers to, unless it has been."""
        urn, _, id_ = reference.rpartition("::")
        if not urn or provider_package(urn) == DYNAMIC_PACKAGE:
            if self._dynamic is None:
                self._dynamic = self._begin(self._start_dynamic(urn, id_))
            return self._dynamic
        if reference not in self._configured:
            self._configured[reference] = self._begin(self._load(reference))
        return self._configured[reference]

    def loaded(self, reference: str) -> "asyncio.Future[Provider] | None":
        """Return a provider that was started for a reference, or None."""
        return self._configured.get(reference)

    async def start(self, package: str, version: str) -> Provider:
        """Start another process for a package, which is not configured yet."""
        provider = await self._launcher.start(package, version)
        self._started.append(provider)
        if self._cancelled:
            await provider.cancel()
        return provider

    def set(self, reference: str, provider: Provider) -> None:
        """Let a configured provider serve a reference from now on."""
        self._configured[reference] = asyncio.get_running_loop().create_future()
        self._configured[reference].set_result(provider)

    async def configure(self, provider: Provider, state: ResourceState) -> None:
        """Configure a provider with the inputs of its own resource."""
        package = provider_package(state.urn)
        await provider.configure(state.urn, state.id, state.inputs, package)

    async def cancel(self) -> None:
        """Ask every plugin to end what is in flight; later ones are asked at once."""
        self._cancelled = True
        await asyncio.gather(*(each.cancel() for each in self._started if each.is_plugin))

    def kill(self) -> None:
        """Kill every provider: what is in flight ends at once."""
        for provider in self._started:
            provider.kill()

    async def close(self) -> None:
        """End every provider; nothing may be in flight."""
        await asyncio.gather(*(each.close() for each in self._started))

    async def _start_dynamic(self, urn: str, id_: str) -> Provider:
        provider = await self.start(DYNAMIC_PACKAGE, "")
        inputs = self._configurations.of(DYNAMIC_PACKAGE)
        await provider.configure(urn, id_, inputs, DYNAMIC_PACKAGE)
        return provider

    async def _load(self, reference: str) -> Provider:
        """Start a provider whose resource the program has not declared in this run."""
        urn, _, id_ = reference.rpartition("::")
        package = provider_package(urn)
        state = next((each for each in self._states() if each.reference == reference), None)
        if state is not None:
            provider = await self.start(package, version_of(state.inputs))
            await self.configure(provider, state)
            return provider
        if not is_default(urn):
            raise ResourceError(f"the provider {urn} is not in the stack's state")
        provider = await self.start(package, "")
        news = self._configurations.of(package)
        inputs = await checked_configuration(provider, urn, {}, news)
        await provider.configure(urn, id_, inputs, package)
        return provider


async def checked_configuration(
    provider: Provider, urn: str, olds: PropertyMap, news: PropertyMap
) -> PropertyMap:
    """Return a configuration as its provider has checked and completed it.

    Raises ResourceError with everything that is invalid.
    """
    inputs, failures = await provider.check_configuration(urn, olds, news)
    if failures:
        raise ResourceError("\n".join(refused(failure, inputs or news) for failure in failures))
    return inputs


def with_version(inputs: PropertyMap, version: str) -> PropertyMap:
    """Return a provider's inputs with the version of its package, as the CLI records it."""
    return {**inputs, "version": version} if version else inputs


def version_of(inputs: PropertyMap) -> str:
    """Return the version that is recorded in a provider's inputs, or an empty text."""
    version = inputs.get("version")
    return version if isinstance(version, str) else ""
