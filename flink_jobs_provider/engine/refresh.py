"""Compare the state with what is really there, and take over what is."""

from flink_jobs_provider.engine.checkpoint import now
from flink_jobs_provider.engine.errors import EngineError, OperationCancelled
from flink_jobs_provider.engine.events import Step
from flink_jobs_provider.engine.execution import with_secret_outputs
from flink_jobs_provider.engine.resource_state import ResourceState
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.steps import (
    Op,
    PropertyDiff,
    completed,
    ignoring,
    property_diff,
)
from flink_jobs_provider.engine.values import strictly_equal


async def refresh(run: Run) -> None:
    """Read every resource; the state becomes what was found, and what is gone leaves it.

    A resource counts as drifted when its provider, asked what it would take to bring what was
    found back to the old inputs, sees a change.
    """
    records = run.keeper.remaining
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
    run.keeper.rebase(_without_what_is_gone(found))
    await run.keeper.saved()


def _is_read(state: ResourceState) -> bool:
    return (
        state.custom
        and not state.is_provider
        and not state.external
        and not state.delete
        and not state.pending_replacement
    )


async def _found(run: Run, old: ResourceState) -> ResourceState | None:
    provider = await run.provider()
    async with run.slots:
        run.refuse_when_stopping()
        started = Step(Op.REFRESH, old.urn, old, old)
        run.listener.step_started(started)
        ended, failed = started, True
        try:
            answer = await provider.read(old.urn, old.id, old.inputs, old.outputs)
            if not answer.id:
                ended, failed = Step(Op.REFRESH, old.urn, old, None), False
                return None
            new = with_secret_outputs(
                old.with_(
                    id=answer.id,
                    outputs=answer.outputs,
                    inputs=old.inputs if answer.inputs is None else answer.inputs,
                    init_errors=(),
                )
            )
            diff_answer = await provider.diff(
                new.urn,
                new.id,
                old_inputs=new.inputs,
                old_outputs=new.outputs,
                new_inputs=old.inputs,
                ignore_changes=old.ignore_changes,
            )
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
    """Name what differs: among the inputs, or where they are alike, among the outputs."""
    return property_diff(old.inputs, new.inputs) or property_diff(old.outputs, new.outputs)


def _without_what_is_gone(states: list[ResourceState]) -> list[ResourceState]:
    """Take references to resources that are gone out of those that stay."""
    there = {state.urn for state in states}
    cleaned = []
    for state in states:
        if state.all_dependencies() <= there and (not state.parent or state.parent in there):
            cleaned.append(state)
            continue
        dependencies = state.property_dependencies
        cleaned.append(
            state.with_(
                parent=state.parent if state.parent in there else "",
                dependencies=tuple(urn for urn in state.dependencies if urn in there),
                replace_with=tuple(urn for urn in state.replace_with if urn in there),
                deleted_with=state.deleted_with if state.deleted_with in there else "",
                property_dependencies=dependencies
                and {
                    key: tuple(urn for urn in urns if urn in there)
                    for key, urns in dependencies.items()
                },
            )
        )
    return cleaned
