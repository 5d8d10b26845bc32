"""Ask the provider about a resource, within the bounds of the run."""

from typing import Any

from flink_jobs_provider.engine.errors import ResourceError
from flink_jobs_provider.engine.plugin import CheckFailure, DiffAnswer
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.values import PropertyMap, masked
from flink_jobs_provider.model.redaction import mask_foreign


class Questions:
    """Ask what changes nothing: at most as many at once as the run allows, none when it stops."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def check(
        self, new: ResourceState, olds: PropertyMap, news: PropertyMap
    ) -> ResourceState:
        """Let the provider validate inputs; give the resource with what it made of them.

        Raises ResourceError with everything that is wrong.
        """
        provider = await self._run.provider()
        async with self._run.slots:
            self._run.refuse_when_stopping()
            inputs, failures = await provider.check(new.urn, olds, news)
        if failures:
            raise ResourceError("\n".join(refused(failure, inputs) for failure in failures))
        return new.with_(inputs=inputs)

    async def diff(
        self, old: ResourceState, urn: str, inputs: PropertyMap, ignored: tuple[str, ...]
    ) -> DiffAnswer:
        """Let the provider say what new inputs mean to a resource."""
        provider = await self._run.provider()
        async with self._run.slots:
            self._run.refuse_when_stopping()
            return await provider.diff(
                urn,
                old.id,
                old_inputs=old.inputs,
                old_outputs=old.outputs,
                new_inputs=inputs,
                ignore_changes=ignored,
            )


def refused(failure: CheckFailure, inputs: PropertyMap) -> str:
    """Say what is wrong with a property: its value without credentials, and the reason."""
    if not failure.property:
        return failure.reason
    value: Any = inputs.get(failure.property)
    whole = isinstance(value, dict | list)  # the reason names the part that is wrong
    shown = f" value {mask_foreign(repr(masked(value)))}" if value is not None and not whole else ""
    return f"property {failure.property}{shown} has a problem: {failure.reason}"
