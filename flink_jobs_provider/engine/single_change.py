"""The change of one resource of a stack outside a run, recorded as a run's update is.

The operation is pending on disk while it is under way, and the program is not run. What changes the
resource is the caller's.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flink_jobs_provider.engine.backend import hold_lock, write_durably
from flink_jobs_provider.engine.checkpoint import now
from flink_jobs_provider.engine.errors import StackError
from flink_jobs_provider.engine.resource_state import OperationKind, ResourceState
from flink_jobs_provider.engine.snapshot_manager import Record, SnapshotManager
from flink_jobs_provider.engine.stacks import OpenStack, Request
from flink_jobs_provider.engine.step_executor import with_secret_outputs
from flink_jobs_provider.engine.values import PropertyMap, Secret, contains_secrets, plain

Say = Callable[[str], None]
_KILLED = 130


@dataclass(frozen=True)
class Changed:
    """How a resource is after a change.

    Attributes:
        outputs: Its outputs.
        inputs: Its inputs; None where they stay as they are, since the change failed.
        secret: The names of the inputs that are secret, besides those that are it already.
        secret_outputs: The names of the outputs that are always secret.
    """

    outputs: Mapping[str, Any]
    inputs: Mapping[str, Any] | None = None
    secret: frozenset[str] = frozenset()
    secret_outputs: frozenset[str] = frozenset()


@contextmanager
def locked(request: Request, warn: Say) -> Iterator[OpenStack]:
    """Open the stack that is meant, locked for the duration of the block."""
    place, files = request.files()
    with hold_lock(files.locks, warn):
        yield OpenStack.open(place, files.stack)


def find_resource(stack: OpenStack, output: str, value: str) -> ResourceState:
    """Return the one resource of a stack that has an output of a value, or that name.

    Raises:
        StackError: None has, or more than one.
    """
    there = [state for state in stack.snapshot.resources if state.custom and not state.delete]
    having = {state.urn: state for state in there if plain(state.outputs.get(output)) == value}
    found = list(having.values()) or [
        state for state in there if state.name == value and output in state.outputs
    ]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted(state.name for state in found))
        raise StackError(
            f"stack {stack.files.stack!r} has several resources whose {output} is {value!r}: "
            f"{names}",
            "Give the name of the resource.",
        )
    known = sorted(str(plain(state.outputs[output])) for state in there if output in state.outputs)
    raise StackError(
        f"stack {stack.files.stack!r} has no resource whose {output} is {value!r}",
        f"It has: {', '.join(known) or 'none'}.",
    )


def apply(
    stack: OpenStack, state: ResourceState, change: Callable[[], Changed], say: Say
) -> ResourceState:
    """Change a resource, and record how it is then; the stack's lock must be held.

    The first Ctrl-C waits for the change; the second leaves it pending, as a kill does.
    """
    return asyncio.run(_apply(stack, state, change, say))


async def _apply(
    stack: OpenStack, state: ResourceState, change: Callable[[], Changed], say: Say
) -> ResourceState:
    snapshots = SnapshotManager(
        stack.snapshot,
        stack.checkpoint,
        lambda text: write_durably(stack.files.checkpoint, text),
    )
    record = _record_of(snapshots, state)
    stack.files.keep_backup()
    token = await snapshots.begin(OperationKind.UPDATING, state)
    with _waiting_at_first_interrupt(say):
        try:
            changed = await asyncio.to_thread(change)
        except BaseException:
            snapshots.end(token)
            await snapshots.saved()
            raise
    new = _with(state, changed)
    snapshots.change(record, new)
    snapshots.settle(state.urn)
    snapshots.end(token)
    await snapshots.saved()
    return new


def _record_of(snapshots: SnapshotManager, state: ResourceState) -> Record:
    return next(record for record in snapshots.records if record.state is state)


def _with(state: ResourceState, changed: Changed) -> ResourceState:
    """Return a resource as it is recorded after a change."""
    inputs = state.inputs
    if changed.inputs is not None:
        hidden = {name: value for name, value in inputs.items() if name.startswith("__")}
        secret = {name for name, value in inputs.items() if contains_secrets(value)}
        inputs = {**hidden, **_marked(changed.inputs, changed.secret | secret, inputs)}
    secret = {name for name, value in inputs.items() if contains_secrets(value)}
    hidden = {name: value for name, value in state.outputs.items() if name.startswith("__")}
    always = {*state.additional_secret_outputs, *changed.secret_outputs}
    return with_secret_outputs(
        state.with_(
            inputs=inputs,
            outputs={**hidden, **_marked(changed.outputs, secret, inputs)},
            additional_secret_outputs=tuple(sorted(always)),
            modified=now(),
        )
    )


def _marked(
    values: Mapping[str, Any], secret: set[str] | frozenset[str], known: PropertyMap
) -> PropertyMap:
    """Return values with the secret ones marked; one that is known already keeps its marks."""
    marked: PropertyMap = {}
    for name, value in values.items():
        if name in known and plain(known[name]) == value:
            marked[name] = known[name]
        else:
            marked[name] = Secret(value) if name in secret else value
    return marked


@contextmanager
def _waiting_at_first_interrupt(say: Say) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    seen: list[None] = []

    def interrupted() -> None:
        if seen:
            os._exit(_KILLED)  # the change is left pending, as if this process were killed
        seen.append(None)
        say("interrupted: waiting for what is in flight (again: stop at once)")

    for number in numbers:
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
