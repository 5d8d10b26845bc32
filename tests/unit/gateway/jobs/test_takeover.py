"""Stopped, killed, overtaken: each action is carried out by one gateway at a time, to its end."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from flink_jobs_provider.artifacts import Jar
from flink_jobs_provider.gateway.http.api_answers import status_of
from flink_jobs_provider.gateway.jobs import guard
from flink_jobs_provider.gateway.jobs.gateway_process import (
    Lease,
    LeaseLost,
    current_lease,
    uptime,
)
from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.gateway.store import RecordsUnavailable, StoredJob
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.observation import ClusterSnapshot
from tests.postgres_server import PostgresServer
from tests.unit.gateway.jobs.conftest import Life
from tests.unit.gateway.jobs.gateway import STILL, Gateway, told, until

#: Steps that change something on the cluster, before which the control planes call the guard.
CHANGES = {"submit", "cancel", "stop", "savepoint", "forget jars"}


def test_a_lease_ends_before_the_database_says_so_and_stays_ended() -> None:
    now = [100.0]
    lease = Lease(30, clock=lambda: now[0])
    now[0] = 127.9
    assert lease.held
    lease.renewed(asked_at=120)
    now[0] = 147.9
    assert lease.held
    now[0] = 148.1
    assert not lease.held
    lease.renewed(asked_at=148.1)
    assert not lease.held


@pytest.mark.skipif(sys.platform != "linux", reason="its clocks differ while it is suspended")
def test_a_lease_ends_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows the time that Linux counts since its boot, with that in which it slept."""
    slept = [0.0]
    counted = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: counted(clock) + slept[0])
    lease = Lease(3600)
    assert lease.held
    slept[0] = 3600.0
    assert not lease.held


def test_the_guard_asks_for_the_present_actions_lease() -> None:
    guard()
    lease = Lease(30)
    token = current_lease.set(lease)
    try:
        guard()
        lease.lose()
        with pytest.raises(LeaseLost, match="could not renew its claim"):
            guard()
    finally:
        current_lease.reset(token)


def test_a_stop_waits_for_what_is_in_progress(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path)
        await gateway.start()
        row = await gateway.submit("NEW")
        await gateway.stop()
        assert [done.id for done in gateway.finished] == [row.id]
        await gateway.start()
        assert (await gateway.row()).status == "RUNNING"
        await gateway.stop()

    asyncio.run(life())


def test_a_stop_hands_over_what_takes_too_long(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path, action_timeout="7d")
        await gateway.start()
        gateway.flink.unreachable = 10**9
        row = await gateway.submit("NEW")
        await gateway.stop(timeout=0.2)
        gateway.flink.unreachable = 0
        await gateway.start()
        assert (await gateway.ended(row.id)).result is ActionResult.SUCCESS
        await gateway.stop()

    asyncio.run(life())


def test_nothing_is_accepted_before_the_start_or_after_the_stop(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path)
        await gateway.start()
        assert await gateway.jobs.ready() == []
        await gateway.stop()
        with pytest.raises(Refusal) as refused:
            await gateway.submit("NEW")
        assert status_of(refused.value) == 503
        assert "The gateway is starting or stopping." in await gateway.jobs.ready()

    asyncio.run(life())


def test_so_many_at_once_and_so_many_more_that_wait(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path, limits={"concurrent_actions": 2}, action_timeout="7d")
        gateway.flink.slots = 100
        async with gateway.running():
            gateway.flink.unreachable = 10**9
            rows = [await gateway.submit("NEW", f"job-{number}") for number in range(20)]
            with pytest.raises(Refusal) as refused:
                await gateway.submit("NEW", "one-more")
            assert (status_of(refused.value), refused.value.retry_after) == (429, 5)
            gateway.flink.unreachable = 0
            ended = [await gateway.ended(row.id) for row in rows]
            assert {row.result for row in ended} == {ActionResult.SUCCESS}
            await gateway.done("NEW", "one-more")

    asyncio.run(life())


def test_an_action_begins_as_it_is_accepted_unless_it_waits_its_turn(tmp_path: Path) -> None:
    """Shows that its beginning is written down with it, and by itself only for one that waited."""

    async def life() -> None:
        one = Gateway(tmp_path, limits={"concurrent_actions": 1}, action_timeout="7d")
        async with one.running() as gateway:
            noted: list[str] = []
            begin = gateway.store.begin

            def noting(action_id: str, gateway: str) -> StoredJob | None:
                noted.append(action_id)
                return begin(action_id, gateway)

            gateway.store.begin = noting  # type: ignore[method-assign]
            answers = asyncio.Event()
            jobs = gateway.flink.jobs

            async def held_up(max_age: float = 0.0) -> ClusterSnapshot:
                await answers.wait()
                return await jobs(max_age)

            await gateway.look()
            gateway.flink.jobs = held_up  # type: ignore[method-assign]
            first = await gateway.submit("NEW")
            assert first.began_at == first.accepted_at
            await until(lambda: not gateway.jobs._workers.free)
            second = await gateway.submit("NEW", "waits")
            assert second.began_at is None
            answers.set()
            for row in (first, second):
                ended = await gateway.ended(row.id)
                assert (ended.result, ended.began_at is None) == (ActionResult.SUCCESS, False)
            assert noted == [second.id]

    asyncio.run(life())


def test_an_error_of_the_gateway_itself_ends_the_action(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")

        def breaks(step: str) -> None:
            if step == "stop":
                raise ValueError("marker-secret")

        gateway.flink.on_step = breaks
        row = await gateway.do("STOP")
        assert row.result is ActionResult.FAILED
        assert "An error in the gateway itself: ValueError" in row.output
        assert "marker-secret" not in row.output
        assert (await gateway.row()).status == "RUNNING"

    live(life)


def test_an_end_is_written_when_the_database_is_back(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        finish, tries = gateway.store.finish, []

        def fails_at_first(*args: object, **kwargs: object) -> object:
            tries.append(1)
            if len(tries) < 3:
                raise RecordsUnavailable("OperationalError")
            return finish(*args, **kwargs)  # type: ignore[arg-type]

        gateway.store.finish = fails_at_first  # type: ignore[assignment,method-assign]
        assert (await gateway.do("NEW")).result is ActionResult.SUCCESS
        assert len(gateway.flink.submissions) == 1

    live(life)


def test_a_database_that_does_not_answer_is_told(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        def fails(*_: object, **__: object) -> None:
            raise RecordsUnavailable("OperationalError")

        gateway.store.live_job = fails  # type: ignore[method-assign]
        gateway.store.answers = fails  # type: ignore[method-assign]
        with pytest.raises(Refusal) as refused:
            await gateway.submit("NEW")
        assert (status_of(refused.value), refused.value.code) == (503, "RecordsUnavailable")
        assert await gateway.jobs.ready() == ["The database does not answer."]

    live(life)


def pair(tmp_path: Path, server: PostgresServer, lease: float = 1.0) -> tuple[Gateway, Gateway]:
    """Return two gateways on one database and one cluster."""
    intervals = replace(STILL, lease=lease, renew=lease / 5, fresh=0)
    url = server.new_database()
    one = Gateway(tmp_path / "one", url, intervals, cluster={"relaunch_lost": False})
    other = Gateway(tmp_path / "other", url, intervals, cluster={"relaunch_lost": False})
    other.flink, other.time = one.flink, one.time
    return one, other


def test_another_gateway_goes_on_when_one_is_killed(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    async def life() -> None:
        one, other = pair(tmp_path, postgres_server)
        await one.start()
        await other.start()
        await one.done("NEW")
        one.flink.kill_before = "submit"
        row = await one.submit("UPDATE", entry_class="New")
        await until(lambda: not one.jobs.in_progress)
        one.flink.kill_before = ""
        await one.kill()
        assert (await other.ended(row.id)).result is ActionResult.SUCCESS
        job = await other.row()
        assert job.record.job_id == other.flink.the_job().job_id
        # The other one may have begun before the first one was gone: its lease is short.
        _, version = other.flink.submissions
        assert version.spec.entry_class == "New"
        assert [done.id for done in await told(1, other)] == [row.id]
        await other.stop()

    asyncio.run(life())


def test_a_gateway_that_was_overtaken_begins_nothing_more(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Shows one that was halted for longer than its lease, in the middle of an update."""

    async def life() -> None:
        one, other = pair(tmp_path, postgres_server)
        await one.start()
        await other.start()
        await one.done("NEW")
        begun: list[tuple[str, Lease]] = []
        halted: list[Lease] = []

        def watch(step: str) -> None:
            lease = current_lease.get()
            if lease is None:  # a look at the cluster, which changes nothing
                return
            if step == "stop done" and not halted:
                halted.append(lease)
                one.store.release(one.jobs._process.name)  # as if its lease had run out
                lease.lose()
            elif step in CHANGES:
                guard()
                begun.append((step, lease))

        one.flink.on_step = watch
        row = await one.submit("UPDATE", entry_class="New")
        ended = await other.ended(row.id)
        assert ended.result is ActionResult.SUCCESS
        assert [step for step, lease in begun if lease is halted[0]] == ["stop"]
        assert "submit" in {step for step, lease in begun if lease is not halted[0]}
        assert [done.id for done in (await told(2, one, other))[1:]] == [row.id]
        assert (await one.row()).record.job_id == one.flink.the_job().job_id
        one.flink.on_step = lambda _step: None
        await one.stop()
        await other.stop()

    asyncio.run(life())


def test_two_gateways_and_two_hundred_requests(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Shows each job's actions in one order, none lost and none carried out twice."""

    async def life() -> None:
        one, other = pair(tmp_path, postgres_server, lease=30)
        one.flink.slots = 200
        await one.start()
        await other.start()
        names = [f"job-{number}" for number in range(20)]
        await asyncio.gather(*(one.done("NEW", name) for name in names))
        await one.forget_finished()
        await other.forget_finished()

        async def insist(number: int) -> str:
            gateway = (one, other)[number % 2]
            action = ("UPDATE", "SAVEPOINT")[number // 20 % 2]
            while True:
                try:
                    return (await gateway.submit(action, names[number % 20])).id
                except Refusal as refusal:
                    if refusal.code not in ("ActionInProgress", "Conflict"):
                        raise
                    await asyncio.sleep(0.02)

        async with asyncio.timeout(800):
            ids = await asyncio.gather(*(insist(number) for number in range(200)))
            for action_id in ids:
                ended = await one.ended(action_id)
                assert ended.result is ActionResult.SUCCESS, ended.output

        assert len(set(ids)) == 200
        assert sorted(row.id for row in await told(200, one, other)) == sorted(ids)
        for row in await other.rows():
            actions = one.store.actions_of(row.number)[::-1]
            assert len(actions) == 11
            for before, after in pairwise(actions):
                assert before.finished_at is not None
                assert before.finished_at <= after.accepted_at
            updates = [action for action in actions if action.action == "UPDATE"]
            started = [s for s in one.flink.submissions if s.job_name == row.job_name]
            assert len(started) == 1 + len(updates) == 6
            assert row.status == "RUNNING"
        running = {job.job_id for job in one.flink.active()}
        assert running == {row.record.job_id for row in await one.rows()}
        assert len(running) == 20
        await one.stop()
        await other.stop()

    asyncio.run(life())


def test_a_killed_gateways_actions_are_not_taken_while_its_lease_may_hold(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    async def life() -> None:
        one, other = pair(tmp_path, postgres_server, lease=60)
        await one.start()
        one.flink.kill_before = "submit"
        row = await one.submit("NEW")
        await until(lambda: not one.jobs.in_progress)
        one.flink.kill_before = ""
        await one.kill()
        await other.start()
        await other.jobs._claim_abandoned()
        assert other.jobs.in_progress == 0
        still = await other.jobs.operation(row.id)
        assert still is not None
        assert still.result is ActionResult.IN_PROGRESS
        await other.stop()

    asyncio.run(life())


def test_a_claim_counts_from_when_the_jar_is_open(tmp_path: Path) -> None:
    """Shows that an action whose jar took long to open begins at once, not after its claim."""

    async def life() -> None:
        gateway = Gateway(tmp_path, intervals=replace(STILL, lease=60))
        async with gateway.running():
            made: list[float] = []
            process = gateway.jobs._process
            open_jar = process.opener.open

            async def slow(uri: str, patience: float) -> Jar:
                jar = await open_jar(uri, patience)
                made.append(uptime())
                return jar

            process.opener.open = slow  # type: ignore[method-assign]
            row = await gateway.submit("NEW")
            lease = gateway.jobs._workers._leases[row.id]
            assert lease._until >= made[0] + 58
            assert (await gateway.ended(row.id)).result is ActionResult.SUCCESS

    asyncio.run(life())


def test_claims_are_renewed_after_an_error_of_whatever_kind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Shows a row that cannot be read: without renewals, no action would be executed any more."""

    async def life() -> None:
        gateway = Gateway(tmp_path, intervals=replace(STILL, renew=0.01))
        async with gateway.running():
            claim, calls = gateway.store.claim, []

            def fails_once(*args: object, **kwargs: object) -> object:
                calls.append(1)
                if len(calls) == 1:
                    raise ValueError
                return claim(*args, **kwargs)  # type: ignore[arg-type]

            gateway.store.claim = fails_once  # type: ignore[assignment,method-assign]
            await until(lambda: len(calls) > 2)

    asyncio.run(life())
    assert "claims were not renewed: ValueError" in caplog.text


def test_claims_are_renewed_while_others_wait_for_the_records(tmp_path: Path) -> None:
    """Shows callers whose lists take long: no crowd of them ends the claims on actions."""
    answers = threading.Event()

    async def life() -> None:
        gateway = Gateway(tmp_path, intervals=replace(STILL, renew=0.01))
        async with gateway.running():
            claim, renewals = gateway.store.claim, []

            def counted(*args: object, **kwargs: object) -> object:
                renewals.append(1)
                return claim(*args, **kwargs)  # type: ignore[arg-type]

            gateway.store.claim = counted  # type: ignore[assignment,method-assign]
            process = gateway.jobs._process
            crowd = [asyncio.create_task(process.call(answers.wait)) for _ in range(50)]
            await asyncio.sleep(0)
            before = len(renewals)
            try:
                await until(lambda: len(renewals) > before + 2)
            finally:
                answers.set()
            await asyncio.gather(*crowd)

    asyncio.run(life())
