"""The owner of a stack's state during a run, which writes it to disk.

One event loop owns the state; nothing else reads or changes it. The rules are:

1. Before a provider is asked to change anything, the operation is on disk as pending.
2. After it, the new state is on disk before it is reported: to the program, and with it to
   every resource that depends on this one.
3. A write takes in every change made until it begins. Changes that come while one is under way
   share the next. So many operations at once cost few writes, and none is reported too early.
4. A resource found unchanged is not waited for: its state is on disk already.

A write replaces the checkpoint as a whole, so that a kill at any moment leaves the last whole
one, in which everything under way is pending.
"""

import asyncio
from collections.abc import Callable

from flink_jobs_provider.engine.checkpoint import CheckpointFormat
from flink_jobs_provider.engine.resource_state import (
    OperationKind,
    PendingOperation,
    ResourceState,
    Snapshot,
)

Save = Callable[[str], None]


class Record:
    """The current state of one resource, with its JSON cached until it changes."""

    __slots__ = ("_json", "_state")

    def __init__(self, state: ResourceState) -> None:
        self._state = state
        self._json: str | None = None

    @property
    def state(self) -> ResourceState:
        """Return the current state."""
        return self._state

    @state.setter
    def state(self, state: ResourceState) -> None:
        self._state = state
        self._json = None

    def json(self, checkpoint: CheckpointFormat) -> str:
        """Return the state as JSON."""
        if self._json is None:
            self._json = checkpoint.resource_json(self._state)
        return self._json


class SnapshotManager:
    """The resources and the pending operations of one run.

    Resources that were registered come first, in the order in which they were done, which is an
    order of dependency; then those of before that the run has not come to. Without a place to
    save to, as in a preview, everything happens in memory alone.
    """

    def __init__(self, snapshot: Snapshot, checkpoint: CheckpointFormat, save: Save | None) -> None:
        self._checkpoint = checkpoint
        self._save = save
        self._remaining = dict.fromkeys(map(Record, snapshot.resources))
        self._registered: dict[Record, None] = {}
        self._inherited_operations = list(snapshot.pending_operations)
        self._operations: dict[Record, str] = {}
        self._other = snapshot.other
        self._version = 0
        self._saved = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def remaining(self) -> list[Record]:
        """Return the earlier resources that the run has not reached."""
        return list(self._remaining)

    @property
    def records(self) -> list[Record]:
        """Return every resource, in order of dependency."""
        return [*self._registered, *self._remaining]

    @property
    def inherited_operations(self) -> list[PendingOperation]:
        """Return the pending operations of an earlier run."""
        return list(self._inherited_operations)

    def forget_inherited_operations(self) -> None:
        """Drop the pending operations of an earlier run, once they were reported."""
        if self._inherited_operations:
            self._inherited_operations = []
            self.touch()

    async def begin(self, kind: OperationKind, state: ResourceState) -> Record:
        """Note that an operation is about to begin, and bring that to disk first.

        The record stands for the operation until `end`.
        """
        token = Record(state)
        if self._save:
            operation = PendingOperation(kind, state)
            self._operations[token] = self._checkpoint.operation_json(operation)
            self.touch()
            await self.saved()
        return token

    def end(self, token: Record) -> None:
        """Note that an operation has ended, well or not."""
        if self._operations.pop(token, None) is not None:
            self.touch()

    def register(self, state: ResourceState, old: Record | None = None) -> Record:
        """Add a resource that is done, in the place of its old state."""
        record = self.register_unchanged(state, old)
        self.settle(state.urn)
        return record

    def settle(self, urn: str) -> None:
        """Drop what an earlier run left pending of a resource, which is done now."""
        self._inherited_operations = [
            operation for operation in self._inherited_operations if operation.resource.urn != urn
        ]
        self.touch()

    def register_unchanged(self, state: ResourceState, old: Record | None) -> Record:
        """Add a resource whose state on disk is as good as the new one."""
        record = Record(state)
        if old is not None:
            self._discard(old)
            if old.state.urn != state.urn:
                self._rename(old.state.urn, state.urn)
        self._registered[record] = None
        return record

    def change(self, record: Record, state: ResourceState) -> None:
        """Change a resource in its place."""
        record.state = state
        self.touch()

    def remove(self, record: Record) -> None:
        """Remove a resource."""
        self._discard(record)
        self.touch()

    def rebase(self, states: list[ResourceState]) -> None:
        """Replace the earlier resources by refreshed ones."""
        self._remaining = dict.fromkeys(map(Record, states))
        self.touch()

    def _discard(self, record: Record) -> None:
        self._remaining.pop(record, None)
        self._registered.pop(record, None)

    def _rename(self, old: str, new: str) -> None:
        """Change references to a resource that has been renamed by an alias."""
        for record in self.records:
            if (state := record.state.with_renamed(old, new)) is not record.state:
                self.change(record, state)

    def touch(self) -> None:
        """Note that there is something to save."""
        self._version += 1
        if self._save and self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def saved(self) -> None:
        """Wait until everything noted so far is on disk.

        Raises BackendError when it cannot be brought there.
        """
        wanted = self._version
        while self._save and self._saved < wanted:
            if self._writing is None:
                self._writing = asyncio.get_running_loop().create_task(self._write())
            await asyncio.shield(self._writing)

    async def _write(self) -> None:
        try:
            # Everything that is ready now notes its changes before the write takes them in.
            await asyncio.sleep(0)
            while self._save and self._saved < self._version:
                version = self._version
                text = self._text()
                await asyncio.to_thread(self._save, text)
                self._saved = version
        finally:
            self._writing = None

    def _text(self) -> str:
        return self._checkpoint.write(
            [record.json(self._checkpoint) for record in self.records],
            [
                *map(self._checkpoint.operation_json, self._inherited_operations),
                *self._operations.values(),
            ],
            self._other,
        )
