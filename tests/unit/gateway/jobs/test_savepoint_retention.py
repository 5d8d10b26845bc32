"""Old savepoints of a gateway's jobs: which go, and that nothing comes back to those."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.gateway.apis.action_plans import ActionPlans
from flink_jobs_provider.gateway.job_service import ActionRow
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.store import HeldAction
from flink_jobs_provider.model.savepoint import canonical_path, same_path
from flink_jobs_provider.planning.surplus_savepoints import ways_back
from tests.unit.gateway.jobs.gateway import Gateway
from tests.unit.reconciling.flink.fake_flink import RETAINED, Killed
from tests.unit.reconciling.flink.fake_job import Program

#: Seconds for which a cluster lists a job that has ended.
HISTORY = 3600
ONE = {"savepoint_retention": {"count": 1}}
NEW: dict[str, Any] = {"flink_configuration": RETAINED}


def _run(
    directory: Path,
    test: Callable[[Gateway], Awaitable[None]],
    cluster: dict[str, Any] | None = None,
) -> None:
    async def run() -> None:
        async with Gateway(directory, cluster=cluster or {}).running() as gateway:
            await test(gateway)

    asyncio.run(run())


def _there(gateway: Gateway) -> list[str]:
    """Return the savepoints that are there, oldest first."""
    return [path for path in gateway.flink.progress_in if "/savepoint-" in path]


async def _running(gateway: Gateway, job: str = "orders", **changes: Any) -> None:
    await gateway.done("NEW", job, **NEW, **changes)
    gateway.flink.pass_time(70)


async def _saved(gateway: Gateway, job: str = "orders", times: int = 1) -> list[str]:
    """Take savepoints of a job, and return the paths."""
    paths = []
    for _ in range(times):
        record = (await gateway.done("SAVEPOINT", job)).record
        paths.append(canonical_path(record.last_savepoint or ""))
        gateway.flink.pass_time(70)
    return paths


def test_none_goes_by_default_nor_by_what_a_caller_gives(tmp_path: Path) -> None:
    async def test(gateway: Gateway) -> None:
        await _running(gateway, savepoint_retention={"count": 1})
        paths = await _saved(gateway, times=3)
        await gateway.done("UPDATE", savepoint_retention={"count": 1})
        assert _there(gateway)[:3] == paths
        assert "dispose" not in gateway.flink.steps

    _run(tmp_path, test, {"savepoint_retention": None})


def test_the_surplus_goes_after_each_action_and_is_told(tmp_path: Path) -> None:
    """Shows SAVEPOINT, UPDATE and STOP; what stays on record is what is there."""

    async def test(gateway: Gateway) -> None:
        await _running(gateway)
        first, second, third = await _saved(gateway, times=3)
        # The one before stays: it is what the record of before the action comes back to.
        assert _there(gateway) == [second, third]
        row = await gateway.done("UPDATE")
        gateway.flink.pass_time(70)
        assert second not in _there(gateway)
        assert third in _there(gateway)
        origin = canonical_path(row.record.restored_from or "")
        row = await gateway.done("UPDATE")
        gateway.flink.pass_time(70)
        assert third not in _there(gateway)
        assert not same_path(row.record.restored_from, origin)
        await _saved(gateway, times=3)
        assert origin in _there(gateway)  # the version before was started from it
        await gateway.done("UPDATE")
        gateway.flink.pass_time(70)
        assert origin not in _there(gateway)
        await gateway.done("STOP")
        listed = [canonical_path(each.path) for each in gateway.store.savepoints(row.number)]
        assert sorted(listed) == sorted(_there(gateway))
        gone = gateway.store.disposed_savepoints(row.number)
        assert {canonical_path(each.savepoint.path) for each in gone} >= {first, second, third}
        count = len(gone)
        listed = (await gateway.do("LIST_SAVEPOINT")).output.splitlines()
        assert listed[-1] == f"Disposed of, and not listed: {count}"
        assert not any(first in line for line in listed)
        assert (await gateway.done("START")).status == "RUNNING"

    _run(tmp_path, test, ONE)


def test_a_directory_of_one_savepoint_is_not_the_jobs(tmp_path: Path) -> None:
    """Shows that a savepoint written elsewhere stays, and those in the job's own directory go."""

    async def test(gateway: Gateway) -> None:
        await _running(gateway)
        (first,) = await _saved(gateway)
        elsewhere = f"{gateway.flink.cluster.savepoint_directory}-elsewhere"
        await gateway.done("SAVEPOINT", savepoint_directory=elsewhere)
        gateway.flink.pass_time(70)
        await _saved(gateway, times=3)
        assert first not in _there(gateway)
        assert any(path.startswith(elsewhere) for path in _there(gateway))

    _run(tmp_path, test, ONE)


def test_more_than_a_record_lists_can_go(tmp_path: Path) -> None:
    """Shows a retention that is set on a job with many savepoints: none is left behind."""

    async def run() -> None:
        first = Gateway(tmp_path)
        async with first.running():
            await _running(first)
            await _saved(first, times=54)
        again = Gateway(tmp_path, cluster=ONE)
        again.flink, again.time = first.flink, first.time
        async with again.running():
            (path,) = await _saved(again)
            assert _there(again)[1:] == [path]

    asyncio.run(run())


async def _next_start(gateway: Gateway, path: str) -> None:
    await _running(gateway, "other")
    await gateway.done("STOP", "other")
    await gateway.change("other", restore_from=path)


async def _draft(gateway: Gateway, path: str) -> None:
    await gateway.draft("other")
    await gateway.change("other", restore_from=path)


async def _running_from(gateway: Gateway, path: str) -> None:
    await _running(gateway, "other", restore_from=path)


async def _stopped_since(gateway: Gateway, path: str) -> None:
    await _running(gateway, "other", restore_from=path)
    await gateway.done("STOP", "other")
    gateway.flink.pass_time(2 * HISTORY)


async def _updated_since(gateway: Gateway, path: str) -> None:
    await _running(gateway, "other", restore_from=path)
    for _ in range(3):
        await gateway.done("UPDATE", "other")
        gateway.flink.pass_time(2 * HISTORY)
    record = (await gateway.row("other")).record
    assert not any(same_path(each, path) for each in ways_back(record))


async def _failed_start(gateway: Gateway, path: str) -> None:
    gateway.flink.programs["Bad"] = Program(task_error="RuntimeException: no")
    await gateway.do("NEW", "other", **NEW, restore_from=path, entry_class="Bad")


@pytest.mark.parametrize(
    "name",
    [_next_start, _draft, _running_from, _stopped_since, _updated_since, _failed_start],
)
def test_what_another_job_was_started_from_or_names_stays(
    tmp_path: Path, name: Callable[[Gateway, str], Awaitable[None]]
) -> None:
    """Shows it also where the cluster has long forgotten which job that was."""

    async def test(gateway: Gateway) -> None:
        await _running(gateway)
        (first,) = await _saved(gateway)
        await name(gateway, first)
        await _saved(gateway, times=3)
        assert first in _there(gateway)
        (gone,) = gateway.store.disposed_savepoints((await gateway.row()).number)
        assert not same_path(gone.savepoint.path, first)

    _run(tmp_path, test, ONE)


def test_a_start_accepted_in_the_meantime_keeps_its_savepoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows one that is accepted after the cluster was read, and before any request."""

    async def test(gateway: Gateway) -> None:
        await _running(gateway)
        first, _ = await _saved(gateway, times=2)
        begin = gateway.store.begin_disposals
        accepted: list[ActionRow] = []

        def begin_after_another(action: HeldAction, paths: Collection[str]) -> set[str]:
            future = asyncio.run_coroutine_threadsafe(
                gateway.submit("NEW", "other", **NEW, restore_from=first), loop
            )
            accepted.append(future.result(60))
            return begin(action, paths)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(gateway.store, "begin_disposals", begin_after_another)
        await gateway.done("SAVEPOINT")
        assert first in _there(gateway)
        assert (await gateway.ended(accepted[0].id)).result == "SUCCESS"

    _run(tmp_path, test, ONE)


@pytest.mark.parametrize("step", ["dispose", "disposed"])
def test_killed_around_the_request(tmp_path: Path, step: str) -> None:
    """Shows that nothing starts from it meanwhile, and that the next gateway ends it."""

    async def run() -> None:
        first = Gateway(tmp_path, cluster=ONE)
        await first.start()
        await _running(first)
        path, _ = await _saved(first, times=2)
        reached = asyncio.Event()

        def stop_there(at: str) -> None:
            if at == step:
                reached.set()
                raise Killed

        first.flink.on_step = stop_there
        action = await first.submit("SAVEPOINT")
        await asyncio.wait_for(reached.wait(), 60)
        await first.kill()
        first.flink.on_step = lambda _step: None

        second = Gateway(tmp_path, cluster=ONE)
        second.flink, second.time = first.flink, first.time
        await second.start()
        with pytest.raises(Refusal, match="disposed of"):
            await second.submit("NEW", "other", **NEW, restore_from=path)
        assert (await second.ended(action.id)).result == "SUCCESS"
        assert path not in _there(second)
        (gone,) = second.store.disposed_savepoints((await second.row()).number)
        assert canonical_path(gone.savepoint.path) == path
        await second.stop()

    asyncio.run(run())


@pytest.mark.parametrize("spelled", ["{}", "{}/", "{}/_metadata"])
def test_a_disposed_one_is_refused_before_anything_is_changed(tmp_path: Path, spelled: str) -> None:
    """Shows NEW, UPDATE, a draft and a next start, of any job of the records."""

    async def test(gateway: Gateway) -> None:
        await _running(gateway)
        path, *_ = await _saved(gateway, times=3)
        assert path not in _there(gateway)
        await _running(gateway, "stopped")
        await gateway.done("STOP", "stopped")
        named = spelled.format(path)
        before = await gateway.rows()
        steps = len(gateway.flink.steps)
        ways: list[Callable[[], Awaitable[Any]]] = [
            partial(gateway.submit, "NEW", "other", **NEW, restore_from=named),
            partial(gateway.submit, "UPDATE", restore_from=named),
            partial(gateway.submit, "START", "stopped", restore_from=named),
            partial(gateway.change, "stopped", restore_from=named),
        ]
        for way in ways:
            with pytest.raises(Refusal, match="was disposed of: it was one of") as refused:
                await way()
            assert refused.value.target == "restore_from"
        assert await gateway.rows() == before
        assert set(gateway.flink.steps[steps:]) <= {"jobs"}

    _run(tmp_path, test, ONE)


def test_what_cannot_be_disposed_of_leaves_the_action_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Shows that the log has the reason, and that the next action tries again."""
    caplog.set_level(logging.INFO)

    async def test(gateway: Gateway) -> None:
        await _running(gateway)
        first, _ = await _saved(gateway, times=2)
        gateway.flink.disposal_fault = "the storage is read-only"
        await _saved(gateway)
        assert first in _there(gateway)
        assert f"{first} was not disposed of: the storage is read-only" in caplog.text
        gateway.flink.disposal_fault = ""
        await _saved(gateway)
        assert first not in _there(gateway)

    _run(tmp_path, test, ONE)


def test_what_was_marked_stays_refused_when_retention_is_turned_off(tmp_path: Path) -> None:
    """Shows that nothing of it goes any more, that a copy starts, and what turning it on does."""

    async def run() -> None:
        first = Gateway(tmp_path, cluster=ONE)
        async with first.running():
            await _running(first)
            path, _ = await _saved(first, times=2)
            first.flink.disposal_fault = "the storage is read-only"
            await _saved(first)
            first.flink.disposal_fault = ""
        off = Gateway(tmp_path)
        off.flink, off.time = first.flink, first.time
        async with off.running():
            await _saved(off, times=2)
            assert path in _there(off)
            with pytest.raises(Refusal, match="is to be disposed of, as one of"):
                await off.submit("NEW", "other", **NEW, restore_from=path)
            assert path in {canonical_path(each.path) for each in off.store.savepoints(1)}
            await off.do("NEW", "other", **NEW, restore_from=f"/copies/{path.rpartition('/')[2]}")
            assert (await off.do("DELETE", "other")).result == "SUCCESS"
        again = Gateway(tmp_path, cluster=ONE)
        again.flink, again.time = first.flink, first.time
        async with again.running():
            (last,) = await _saved(again)
            assert path not in _there(again)
            assert last in _there(again)

    asyncio.run(run())


def test_a_plan_does_not_take_the_clusters_retention_for_a_change(tmp_path: Path) -> None:
    async def run() -> None:
        first = Gateway(tmp_path)
        async with first.running():
            await _running(first)
        again = Gateway(tmp_path, cluster=ONE)
        again.flink, again.time = first.flink, first.time
        async with again.running():
            plans = ActionPlans(again.jobs, again.configuration.clusters)
            planned = await plans.of(await again.row(), again.request("UPDATE", args=["--more"]))
            assert planned.changes == ["args changed"]

    asyncio.run(run())


def test_all_ways_back_of_a_record_are_read(tmp_path: Path) -> None:
    """Shows that the records keep whatever `ways_back` names, of every live job."""

    async def test(gateway: Gateway) -> None:
        await _running(gateway)
        (point,) = await _saved(gateway)
        await _running(gateway, "other", restore_from=point)
        await gateway.done("STOP", "other")
        for row in await gateway.rows():
            found = gateway.store.needed_savepoints()
            assert {canonical_path(path) for path in ways_back(row.record)} <= found

    _run(tmp_path, test)
