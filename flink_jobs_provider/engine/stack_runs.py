"""What every run on a stack is framed by, whoever asks for it: the lock, the end, its errors."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flink_jobs_provider.engine.backend import hold_lock
from flink_jobs_provider.engine.errors import (
    ChangesFoundError,
    OperationCancelled,
    OperationFailed,
)
from flink_jobs_provider.engine.operations import Outcome, execute
from flink_jobs_provider.engine.policy_pack_configuration import find_policy_packs
from flink_jobs_provider.engine.run import Kind, Listener, Options
from flink_jobs_provider.engine.stacks import OpenStack, Request, default_parallel

_TICK_S = 0.25
_NAMES = {Kind.UPDATE: "update", Kind.REFRESH: "refresh", Kind.DESTROY: "destroy"}


@contextmanager
def locked(request: Request, warn: Callable[[str], None]) -> Iterator[OpenStack]:
    """Open the stack that is meant, and hold its lock for the duration of the block.

    Raises LockedError while another run holds it.
    """
    place, files = request.files()
    with hold_lock(files.locks, warn):
        yield OpenStack.open(place, files.stack)


def run_options(request: Request, kind: Kind, *, dry_run: bool) -> Options:
    """Return the options of a run as they were asked for.

    Raises OptionError, and the like, where a policy pack or its configuration is none.
    """
    return Options(
        kind,
        dry_run,
        request.refresh,
        request.parallel or default_parallel(),
        find_policy_packs(request.policy_pack or (), request.policy_pack_config or ()),
    )


async def watched(
    stack: OpenStack, options: Options, listener: Listener, tick: Callable[[], None]
) -> Outcome:
    """Execute a run, and call `tick` four times a second meanwhile."""

    async def ticking() -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            tick()

    ticker = asyncio.create_task(ticking())
    try:
        return await execute(stack, options, listener)
    finally:
        ticker.cancel()


def raise_for(outcome: Outcome, options: Options) -> None:
    """Raise OperationFailed or OperationCancelled for a run that ended so."""
    name = "preview" if options.dry_run else _NAMES[options.kind]
    if outcome.cancelled:
        raise OperationCancelled(f"{name} cancelled")
    if outcome.failed:
        raise OperationFailed(f"{name} failed")


def refuse_changes(outcome: Outcome, request: Request) -> None:
    """Raise ChangesFoundError for changes where none were expected."""
    if request.expect_no_changes and outcome.changes:
        raise ChangesFoundError("no changes were expected, but there are changes")
