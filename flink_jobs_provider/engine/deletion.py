"""Deletions of what left the program and what was replaced, dependents first.

A resource can also be deleted before its replacement is created. What needs it, and would be
replaced by a change of it, has to be deleted before it. That is found as the real engine finds it:
the properties that come from the resource are made unknown, and the provider is asked whether that
replaces.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from flink_jobs_provider.engine.errors import EngineError, OperationCancelled, ResourceError
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.run import Run, Severity
from flink_jobs_provider.engine.snapshot_manager import Record
from flink_jobs_provider.engine.step_executor import StepExecutor
from flink_jobs_provider.engine.steps import Op, completed, ignoring, property_diff
from flink_jobs_provider.engine.values import UNKNOWN


def dependents_of(
    root: Record, records: Sequence[Record], ignored: Collection[str]
) -> list[Record]:
    """Return the dependents of `root`, direct and indirect, in order of dependency.

    `records` are in order of dependency. Children alone do not need their parent here.
    """
    needing = {root.state.urn}
    dependents = []
    for record in records[records.index(root) + 1 :]:
        state = record.state
        if state.urn in ignored:
            continue
        if needing & state.all_dependencies() or state.provider_urn in needing:
            needing.add(state.urn)
            dependents.append(record)
    return dependents


def deletion_waves(condemned: Sequence[Record], records: Sequence[Record]) -> list[list[Record]]:
    """Group what is to be deleted so that each group can go at once, dependents first.

    `records` is everything there is, in order of dependency: a resource that a condemned one needs
    through others that stay is found as well.
    """
    doomed = set(condemned)
    depth: dict[Record, int] = {}
    by_urn: dict[str, list[Record]] = {}
    children: dict[str, list[Record]] = {}
    for record in records:
        if record in doomed:
            needed = _needed(record, by_urn, children)
            depth[record] = max(
                (depth[other] + 1 for other in needed if other in doomed), default=0
            )
        by_urn.setdefault(record.state.urn, []).append(record)
        if record.state.parent:
            children.setdefault(record.state.parent, []).append(record)
    waves: list[list[Record]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for record, level in depth.items():
        waves[level].append(record)
    return waves[::-1]


def _needed(
    record: Record, by_urn: dict[str, list[Record]], children: dict[str, list[Record]]
) -> set[Record]:
    """Find what a resource needs among those before it.

    Needing a component means needing what is in it.
    """
    state = record.state
    needed: set[Record] = set()
    for urn in state.all_dependencies() | {state.provider_urn}:
        for dependency in by_urn.get(urn, ()):
            needed.add(dependency)
            if not dependency.state.custom:
                needed.update(_descendants(urn, children))
    needed.update(by_urn.get(state.parent, ()))
    return needed


def _descendants(urn: str, children: dict[str, list[Record]]) -> set[Record]:
    found: set[Record] = set()
    open_urns = [urn]
    while open_urns:
        for child in children.get(open_urns.pop(), ()):
            if child not in found:
                found.add(child)
                open_urns.append(child.state.urn)
    return found


async def delete_what_is_left(run: Run, executor: StepExecutor) -> None:
    """Delete every resource that the run has not come to, dependents before what they need.

    A protected resource stays, with all that it needs, and fails the run; the others still go.
    """
    leftovers = run.snapshots.remaining
    condemned = []
    for record in leftovers:
        if record.state.pending_replacement and not record.state.delete:
            executor.forget(record)
        else:
            condemned.append(record)
    run.books.deleted.update(record.state.urn for record in condemned)
    kept: set[str] = set()
    for wave in deletion_waves(condemned, run.snapshots.records):
        if run.stopping.is_set():
            return
        going = []
        for record in wave:
            if record.state.urn in kept and not record.state.delete:
                kept.update(_needs(record))
            elif record.state.protect and not record.state.delete:
                _refuse(run, record)
                kept.update(_needs(record))
            else:
                going.append(run.begin(_delete(run, executor, record)))
        for task in going:
            await task


async def _delete(run: Run, executor: StepExecutor, record: Record) -> None:
    op = Op.DELETE_REPLACED if record.state.delete else Op.DELETE
    if record.state.external:
        op = Op.READ_DISCARD
    try:
        await executor.delete(record, op)
    except OperationCancelled:
        return
    except EngineError as error:
        run.fail(record.state.urn, error)


def _needs(record: Record) -> Iterable[str]:
    state = record.state
    return state.all_dependencies() | {state.parent, state.provider_urn}


def _refuse(run: Run, record: Record) -> None:
    run.failed = True
    run.report(
        Severity.ERROR,
        f"{record.state.name!r} is protected and cannot be deleted\n"
        "Take `protect` off it in the program and run `up` first.",
        record.state.urn,
    )


class EarlyDeletion:
    """Deletes resources before their replacements, one with its dependents after the other."""

    def __init__(self, run: Run, executor: StepExecutor, base: Sequence[Record]) -> None:
        """Start from `base`, the state's resources in order of dependency."""
        self._run = run
        self._executor = executor
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
                await self._executor.delete(
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
        # Read last, since the run went on while the provider was asked.
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
        answer = await self._run.diff(state, state, inputs, state.ignore_changes)
        diff = property_diff(state.inputs, ignoring(state.ignore_changes, state.inputs, inputs)[0])
        return bool(completed(answer, diff, state.replace_on_changes).replaces)
