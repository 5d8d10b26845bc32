"""The commands of the engine: up, preview, refresh, destroy and what goes with them."""

import asyncio
from dataclasses import dataclass

from rich.console import Console

from flink_jobs_provider.engine.backend import locks_in, remove_lock
from flink_jobs_provider.engine.display import Display
from flink_jobs_provider.engine.errors import ConfirmationError
from flink_jobs_provider.engine.json_recorder import JsonRecorder
from flink_jobs_provider.engine.operations import Outcome
from flink_jobs_provider.engine.run import Kind, Options
from flink_jobs_provider.engine.stack_runs import (
    locked,
    raise_for,
    refuse_changes,
    run_options,
    watched,
)
from flink_jobs_provider.engine.stacks import OpenStack, Request, secret_texts, stack_name
from flink_jobs_provider.engine.values import SECRET_TEXT
from flink_jobs_provider.model.redaction import Redactor

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
    options = run_options(request, Kind.UPDATE, dry_run=True)
    outcome = asyncio.run(_shown(request.open(), options, console, request, last=True))
    raise_for(outcome, options)
    refuse_changes(outcome, request)


def change(request: Request, kind: Kind, console: Console) -> None:
    """Preview, ask, and execute an update, a refresh or a destroy.

    In JSON there is one document: that of the run, or of the preview that it does not come past.
    There is a preview in any case where policies are to judge all of a run before it begins.
    Raises ConfirmationError unless it is confirmed, and otherwise as `preview` does.
    """
    if not (request.yes or (request.asks and not request.json)):
        raise ConfirmationError(
            "nobody is there to confirm", "Pass --yes to go ahead without being asked."
        )

    def warn(text: str) -> None:
        console.print(f"warning: {text}", style="yellow")

    with locked(request, warn) as stack, asyncio.Runner() as runner:
        if not request.skip_preview or request.expect_no_changes or request.policy_pack:
            options = run_options(request, kind, dry_run=True)
            outcome = runner.run(_shown(stack, options, console, request, last=False))
            raise_for(outcome, options)
            refuse_changes(outcome, request)
            if not request.json:
                console.print()
        if not request.yes:
            _confirm(kind, stack.files.stack)
        options = run_options(request, kind, dry_run=False)
        outcome = runner.run(_shown(stack, options, console, request, last=True))
    raise_for(outcome, options)


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
    stack: OpenStack, options: Options, console: Console, request: Request, *, last: bool
) -> Outcome:
    redactor = Redactor(secret_texts(stack), SECRET_TEXT)
    if request.json:
        recorder = JsonRecorder(redactor)
        outcome = await watched(stack, options, recorder, lambda: None)
        stops = outcome.failed or outcome.cancelled
        if last or stops or (request.expect_no_changes and outcome.changes):
            print(recorder.document(outcome))
        return outcome
    dry_run = options.dry_run
    display = Display(
        console, redactor, show_diffs=request.diff, verbose=request.verbose, preview=dry_run
    )
    previewing, doing, _ = _TITLES[options.kind]
    display.begin(f"{previewing if dry_run else doing} ({stack.files.stack})")
    try:
        outcome = await watched(stack, options, display, display.tick)
    finally:
        display.end()
    display.finish(outcome, dry_run=dry_run)
    return outcome


def _confirm(kind: Kind, stack: str) -> None:
    answer = input(f"Perform this {_TITLES[kind][2]} on stack {stack}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise ConfirmationError("not confirmed; nothing was changed")
