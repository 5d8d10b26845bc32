"""The rules by which the state is brought to disk."""

import asyncio
import json
import threading
from typing import Any

import pytest

from flink_jobs_provider.engine.checkpoint import CheckpointFormat
from flink_jobs_provider.engine.errors import BackendError
from flink_jobs_provider.engine.resource_state import (
    OperationKind,
    PendingOperation,
    ResourceState,
    Snapshot,
)
from flink_jobs_provider.engine.snapshot_manager import SnapshotManager

FORMAT = CheckpointFormat("organization/demo/dev", None)


def state(name: str, **more: Any) -> ResourceState:
    """Make a resource's state."""
    return ResourceState(
        urn=f"urn:pulumi:dev::demo::t::{name}", type="t", custom=True, id=name, **more
    )


class Disk:
    """Stand in for the disk; a write can be held up, or fail."""

    def __init__(self) -> None:
        self.writes: list[dict[str, Any]] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.error: BackendError | None = None

    def save(self, text: str) -> None:
        """Take one write."""
        assert self.may_write.wait(10)
        if self.error:
            raise self.error
        self.writes.append(json.loads(text)["checkpoint"]["latest"])

    @property
    def last(self) -> dict[str, Any]:
        """Return what is on disk."""
        return self.writes[-1]

    def names(self) -> list[str]:
        """Name the resources on disk, in their order."""
        return [resource["id"] for resource in self.last.get("resources", [])]

    def pending(self) -> list[str]:
        """Name the operations pending on disk."""
        return [
            f"{operation['type']} {operation['resource']['id']}"
            for operation in self.last.get("pending_operations", [])
        ]


def test_an_operation_is_on_disk_before_it_begins() -> None:
    """`begin` returns only once a kill would leave it pending."""

    async def run() -> None:
        disk = Disk()
        keeper = SnapshotManager(Snapshot(), FORMAT, disk.save)
        token = await keeper.begin(OperationKind.CREATING, state("a"))
        assert disk.pending() == ["creating a"]
        keeper.end(token)
        keeper.register(state("a"))
        await keeper.saved()
        assert (disk.names(), disk.pending()) == (["a"], [])

    asyncio.run(run())


def test_nobody_is_told_before_the_write_that_holds_the_change() -> None:
    """A change that comes while a write is under way waits for the next one."""

    async def run() -> None:
        disk = Disk()
        keeper = SnapshotManager(Snapshot(), FORMAT, disk.save)
        disk.may_write.clear()
        keeper.register(state("a"))
        first = asyncio.create_task(keeper.saved())
        await asyncio.sleep(0.05)
        keeper.register(state("b"))
        second = asyncio.create_task(keeper.saved())
        await asyncio.sleep(0.05)
        assert not first.done()
        assert not second.done()
        disk.may_write.set()
        await second
        assert disk.names() == ["a", "b"]
        await first

    asyncio.run(run())


def test_changes_at_once_share_a_write() -> None:
    """A hundred operations that begin together cost a few writes, not a hundred."""

    async def run() -> None:
        disk = Disk()
        keeper = SnapshotManager(Snapshot(), FORMAT, disk.save)
        await asyncio.gather(
            *(keeper.begin(OperationKind.CREATING, state(str(n))) for n in range(100))
        )
        assert len(disk.pending()) == 100
        assert len(disk.writes) <= 3

    asyncio.run(run())


def test_unchanged_resources_cost_no_write() -> None:
    """What is on disk as it should be is not written again."""

    async def run() -> None:
        disk = Disk()
        keeper = SnapshotManager(Snapshot([state("a"), state("b")]), FORMAT, disk.save)
        for record in keeper.remaining:
            keeper.register_unchanged(record.state, record)
        await keeper.saved()
        assert disk.writes == []
        keeper.register(state("c"))
        await keeper.saved()
        assert disk.names() == ["a", "b", "c"]

    asyncio.run(run())


def test_a_failing_write_is_told_to_everybody_who_waits() -> None:
    """No operation begins, and none counts as done, when the disk takes nothing."""

    async def run() -> None:
        disk = Disk()
        disk.error = BackendError("disk full")
        keeper = SnapshotManager(Snapshot(), FORMAT, disk.save)
        with pytest.raises(BackendError, match="disk full"):
            await keeper.begin(OperationKind.CREATING, state("a"))
        disk.error = None
        await keeper.saved()
        assert disk.pending() == ["creating a"]

    asyncio.run(run())


def test_what_an_earlier_run_left_pending_stays_until_it_is_settled() -> None:
    """A second kill loses nothing of what the first left behind."""

    async def run() -> None:
        disk = Disk()
        left = [
            PendingOperation(OperationKind.CREATING, state("a")),
            PendingOperation(OperationKind.CREATING, state("b")),
        ]
        keeper = SnapshotManager(Snapshot([], left), FORMAT, disk.save)
        keeper.register(state("c"))
        await keeper.saved()
        assert disk.pending() == ["creating a", "creating b"]
        keeper.register(state("a"))
        await keeper.saved()
        assert disk.pending() == ["creating b"]
        keeper.forget_inherited_operations()
        await keeper.saved()
        assert disk.pending() == []

    asyncio.run(run())


def test_in_a_preview_nothing_is_written() -> None:
    """Everything happens in memory alone."""

    async def run() -> None:
        keeper = SnapshotManager(Snapshot([state("a")]), FORMAT, None)
        await keeper.begin(OperationKind.DELETING, state("a"))
        keeper.remove(keeper.remaining[0])
        await keeper.saved()
        assert keeper.records == []

    asyncio.run(run())


def test_references_follow_a_resource_to_its_new_name() -> None:
    """In the same write in which an alias takes effect: none dangles at any moment."""

    async def run() -> None:
        disk = Disk()
        a, b = state("a"), state("b", dependencies=("urn:pulumi:dev::demo::t::a",))
        keeper = SnapshotManager(Snapshot([a, b]), FORMAT, disk.save)
        keeper.register(a.with_(urn="urn:pulumi:dev::demo::t::new"), keeper.remaining[0])
        await keeper.saved()
        urns = [resource["urn"].rpartition("::")[2] for resource in disk.last["resources"]]
        assert urns == ["new", "b"]
        assert disk.last["resources"][1]["dependencies"] == ["urn:pulumi:dev::demo::t::new"]
        assert len(disk.writes) == 1

    asyncio.run(run())
