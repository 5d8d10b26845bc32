"""Delete a resource before its replacement is created.

What needs it, and would be replaced by a change of it, has to be deleted before it. That is found
as the real engine finds it: the properties that come from the resource are made unknown, and the
provider is asked whether that replaces.
"""

import asyncio
from collections.abc import Sequence

from flink_jobs_provider.engine.dependencies import dependents_of
from flink_jobs_provider.engine.errors import ResourceError
from flink_jobs_provider.engine.execution import Execution
from flink_jobs_provider.engine.questions import Questions
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.state_keeper import Record
from flink_jobs_provider.engine.steps import Op, completed, ignoring, property_diff
from flink_jobs_provider.engine.values import UNKNOWN


class EarlyDeletion:
    """Delete first in one run, one resource with its dependents after the other."""

    def __init__(
        self, run: Run, execution: Execution, questions: Questions, base: Sequence[Record]
    ) -> None:
        """Take the resources of before, in order of dependency."""
        self._run = run
        self._execution = execution
        self._questions = questions
        self._base = base
        self._one_at_a_time = asyncio.Lock()

    async def delete(self, old: Record) -> None:
        """Delete a resource, after what is replaced along with it; all stay to be created again.

        Raises ResourceError, with nothing deleted, when one of them is protected.
        """
        async with self._one_at_a_time:
            doomed = await self._replaced_along(old)
            books = self._run.books
            for record in doomed:
                if record.state.protect and not record.state.delete:
                    raise ResourceError(
                        f"{record.state.name!r} is protected, and would have to be replaced along"
                        f" with {old.state.name!r}",
                        "Take `protect` off it in the program first.",
                    )
            going = [*reversed(doomed), old]
            going = [record for record in going if not record.state.pending_replacement]
            books.deleted.update(record.state.urn for record in going)
            for record in going:
                await self._execution.delete(
                    record, Op.DELETE_REPLACED, pending_replacement=not record.state.delete
                )

    async def _replaced_along(self, root: Record) -> list[Record]:
        """Find what a replacement of `root` replaces too, in order of dependency.

        What the run has decided on does not need the new instance: it would have had to wait for
        it.
        """
        books = self._run.books
        replaced = {root.state.urn}
        along = []
        for record in dependents_of(root, self._base, books.decided | books.deleted):
            if await self._is_replaced_along(record.state, replaced):
                along.append(record)
                replaced.add(record.state.urn)
        for record in self._base:
            state = record.state
            bound = root.state.urn in state.replace_with or state.deleted_with == root.state.urn
            if bound and not state.delete and record not in along:
                along.append(record)
        # Looked at last, since the run went on while the provider was asked.
        return [
            record
            for record in along
            if record.state.urn not in books.decided and record.state.urn not in books.deleted
        ]

    async def _is_replaced_along(self, state: ResourceState, replaced: set[str]) -> bool:
        if not state.custom or state.external or state.is_provider:
            return False
        if state.deleted_with in replaced:
            return True
        dependencies = state.property_dependencies or {}
        inputs = {
            key: UNKNOWN if replaced.intersection(dependencies.get(key, ())) else value
            for key, value in state.inputs.items()
        }
        if UNKNOWN not in inputs.values():
            return False
        answer = await self._questions.diff(state, state.urn, inputs, state.ignore_changes)
        diff = property_diff(state.inputs, ignoring(state.ignore_changes, state.inputs, inputs)[0])
        return bool(completed(answer, diff, state.replace_on_changes).replaces)
