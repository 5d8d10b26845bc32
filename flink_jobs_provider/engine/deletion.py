"""Delete what left the program, and what was replaced."""

from collections.abc import Iterable

from flink_jobs_provider.engine.dependencies import deletion_waves
from flink_jobs_provider.engine.errors import EngineError, OperationCancelled
from flink_jobs_provider.engine.events import Severity
from flink_jobs_provider.engine.execution import Execution
from flink_jobs_provider.engine.run import Run
from flink_jobs_provider.engine.state_keeper import Record
from flink_jobs_provider.engine.steps import Op


async def delete_what_is_left(run: Run, execution: Execution) -> None:
    """Delete every resource that the run has not come to, dependents before what they need.

    A protected resource stays, with all that it needs, and fails the run; the others still go.
    """
    leftovers = run.keeper.remaining
    condemned = []
    for record in leftovers:
        if record.state.pending_replacement and not record.state.delete:
            execution.forget(record)
        else:
            condemned.append(record)
    run.books.deleted.update(record.state.urn for record in condemned)
    kept: set[str] = set()
    for wave in deletion_waves(condemned, run.keeper.records):
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
                going.append(run.begin(_delete(run, execution, record)))
        for task in going:
            await task


async def _delete(run: Run, execution: Execution, record: Record) -> None:
    op = Op.DELETE_REPLACED if record.state.delete else Op.DELETE
    if record.state.external:
        op = Op.READ_DISCARD
    try:
        await execution.delete(record, op)
    except OperationCancelled:
        return
    except EngineError as error:
        run.fail(record.state.urn, error)


def _needs(record: Record) -> Iterable[str]:
    state = record.state
    return state.all_dependencies() | {state.parent, state.provider_urn}


def _refuse(run: Run, record: Record) -> None:
    run.failed = True
    run.tell(
        Severity.ERROR,
        f"{record.state.name!r} is protected and cannot be deleted\n"
        "Take `protect` off it in the program and run `up` first.",
        record.state.urn,
    )
