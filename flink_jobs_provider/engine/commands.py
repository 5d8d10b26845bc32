"""The commands of the engine: up, preview, refresh, destroy and what goes with them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rich.console import Console

from flink_jobs_provider.engine.backend import hold_lock, locks_in, remove_lock
from flink_jobs_provider.engine.display import Display
from flink_jobs_provider.engine.errors import (
    ChangesFoundError,
    ConfirmationError,
    OperationCancelled,
    OperationFailed,
)
from flink_jobs_provider.engine.json_recorder import JsonRecorder
from flink_jobs_provider.engine.operations import Outcome, execute
from flink_jobs_provider.engine.run import Kind, Listener, Options
from flink_jobs_provider.engine.stacks import (
    OpenStack,
    Request,
    default_parallel,
    secret_texts,
    stack_name,
)
from flink_jobs_provider.engine.values import SECRET_TEXT
from flink_jobs_provider.model.redaction import Redactor

_TICK_S = 0.25
_TITLES = {
    Kind.UPDATE: ("Previewing update", "Updating", "update"),
    Kind.REFRESH: ("Previewing refresh", "Refreshing", "refresh"),
    Kind.DESTROY: ("Previewing destroy", "Destroying", "destroy"),
}


def preview(request: Request, console: Console) -> None:
    """Show what `up` would do.

    Raises OperationFailed after failures, and ChangesFoundError for changes where none were
    expected.
    """
    outcome = asyncio.run(
        _shown(request.open(), Kind.UPDATE, console, request, dry_run=True, last=True)
    )
    _raise_for(outcome, "preview")
    _refuse_changes(outcome, request)


def change(request: Request, kind: Kind, console: Console) -> None:
    """Preview, ask, and execute an update, a refresh or a destroy.

    In JSON there is one document: that of the run, or of the preview that it does not come past.
    Raises ConfirmationError unless it is confirmed, and otherwise as `preview` does.
    """
    if not (request.yes or (request.asks and not request.json)):
        raise ConfirmationError(
            "nobody is there to confirm", "Pass --yes to go ahead without being asked."
        )
    place, files = request.files()
    with hold_lock(files.locks, lambda text: console.print(f"warning: {text}", style="yellow")):
        shown = partial(_shown, OpenStack.open(place, files.stack), kind, console, request)
        with asyncio.Runner() as runner:
            if not request.skip_preview or request.expect_no_changes:
                outcome = runner.run(shown(dry_run=True, last=False))
                _raise_for(outcome, "preview")
                _refuse_changes(outcome, request)
                if not request.json:
                    console.print()
            if not request.yes:
                _confirm(kind, files.stack)
            outcome = runner.run(shown(dry_run=False, last=True))
    _raise_for(outcome, _TITLES[kind][2])


@dataclass(frozen=True)
class Unlocked:
    """A stack, and the locks that were removed from it."""

    stack: str
    locks: list[str]


def cancel(request: Request) -> Unlocked:
    """Remove the locks of a stack."""
    place = request.place()
    files = place.files(stack_name(request, place))
    found = locks_in(files.locks)
    for lock in found:
        remove_lock(lock)
    return Unlocked(files.stack, [str(lock) for lock in found])


async def _shown(
    stack: OpenStack, kind: Kind, console: Console, request: Request, *, dry_run: bool, last: bool
) -> Outcome:
    redactor = Redactor(secret_texts(stack), SECRET_TEXT)
    options = Options(kind, dry_run, request.refresh, request.parallel or default_parallel())
    if request.json:
        recorder = JsonRecorder(redactor)
        outcome = await _watched(stack, options, recorder, lambda: None)
        stops = outcome.failed or outcome.cancelled
        if last or stops or (request.expect_no_changes and outcome.changes):
            print(recorder.document(outcome))
        return outcome
    display = Display(
        console, redactor, show_diffs=request.diff, verbose=request.verbose, preview=dry_run
    )
    previewing, doing, _ = _TITLES[kind]
    display.begin(f"{previewing if dry_run else doing} ({stack.files.stack})")
    try:
        outcome = await _watched(stack, options, display, display.tick)
    finally:
        display.end()
    display.finish(outcome, dry_run=dry_run)
    return outcome


async def _watched(
    stack: OpenStack, options: Options, listener: Listener, tick: Callable[[], None]
) -> Outcome:
    async def ticking() -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            tick()

    ticker = asyncio.create_task(ticking())
    try:
        return await execute(stack, options, listener)
    finally:
        ticker.cancel()


def _raise_for(outcome: Outcome, name: str) -> None:
    if outcome.cancelled:
        raise OperationCancelled(f"{name} cancelled")
    if outcome.failed:
        raise OperationFailed(f"{name} failed")


def _refuse_changes(outcome: Outcome, request: Request) -> None:
    if request.expect_no_changes and outcome.changes:
        raise ChangesFoundError("no changes were expected, but there are changes")


def _confirm(kind: Kind, stack: str) -> None:
    answer = input(f"Perform this {_TITLES[kind][2]} on stack {stack}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise ConfirmationError("not confirmed; nothing was changed")
