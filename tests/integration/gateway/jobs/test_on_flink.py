"""Every action on a real Flink: what runs afterwards, with its state, and what the records say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from flink_jobs_provider.gateway.refusals import Refusal
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.savepoint import same_path
from tests.fault_proxy import Answer, Exchange, FaultProxy, Moment, Verdict
from tests.flink_cluster import ADAPTIVE, FLINK_2, RESCALES, FlinkCluster, release_of
from tests.integration.gateway.jobs.gateway import RealGateway, until
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.postgres_server import PostgresServer
from tests.waiting import PATIENCE

RETAINED = {"execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION"}


def is_there(savepoint: str) -> bool:
    """Whether a savepoint's files are there."""
    return Path(savepoint.removeprefix("file:"), "_metadata").exists()


def test_every_action_once(tmp_path: Path, flink_2: FlinkCluster) -> None:
    gateway = RealGateway(tmp_path, flink_2)

    async def life() -> None:
        await gateway.start()
        row = await gateway.done("NEW", **gateway.version("v1", flink_configuration=RETAINED))
        assert gateway.active() == [row.record.job_id]
        await gateway.counts("v1")

        taken = (await gateway.done("SAVEPOINT")).record.last_savepoint
        assert taken is not None
        assert is_there(taken)
        assert gateway.active() == [row.record.job_id]

        stopped = await gateway.done("STOP")
        assert (stopped.status, gateway.active()) == ("STOPPED", [])
        last = stopped.record.last_savepoint
        # The directory holds those of earlier jobs of this name and owner, too.
        newest, second, *_ = (await gateway.do("LIST_SAVEPOINT")).output.splitlines()
        assert same_path(newest.split(" ")[1], last)
        assert same_path(second.split(" ")[1], taken)

        started = await gateway.done("START")
        assert same_path(started.record.restored_from, last)
        await gateway.counts("v1")
        updated = await gateway.done("UPDATE", **gateway.version("v2"))
        assert gateway.active() == [updated.record.job_id]
        assert (await gateway.counts("v2")).labels["v1"] > 0

        bad = await gateway.do("UPDATE", jar=str(TEST_JOBS_JAR), entry_class="no.such.Main")
        assert bad.result is ActionResult.FAILED
        assert "no.such.Main" in bad.output
        bad = await gateway.do(
            "UPDATE", jar=str(TEST_JOBS_JAR), entry_class=entry_class("IncompatibleState")
        )
        assert bad.result is ActionResult.FAILED
        assert "The previous version runs again" in bad.output
        rolled_back = await gateway.row()
        assert rolled_back.status == "RUNNING"
        assert gateway.active() == [rolled_back.record.job_id]
        await gateway.counts("v2")

        latest = await gateway.done("LAST_STATE_UPDATE", **gateway.version("v3"))
        assert "/chk-" in (latest.record.restored_from or "")
        await gateway.counts("v3")
        assert (await gateway.done("CANCEL")).status == "CANCELED"
        assert gateway.active() == []
        assert (await gateway.done("RE_LAUNCH")).status == "RUNNING"
        await gateway.counts("v3")

        gateway.output = tmp_path / "afresh"
        await gateway.done("STATELESS_UPDATE", **gateway.version("v4"))
        assert set((await gateway.counts("v4")).labels) == {"v4"}
        with pytest.raises(Refusal, match="STOP it with a savepoint, or CANCEL it"):
            await gateway.submit("DELETE")
        await gateway.done("STOP")
        assert (await gateway.do("DELETE")).result is ActionResult.SUCCESS
        assert flink_2.get("/jars")["files"] == []
        assert is_there(taken)
        await gateway.stop()

    asyncio.run(life())


@pytest.mark.skipif(release_of(FLINK_2) < RESCALES, reason="this Flink rescales no running job")
def test_an_update_of_the_parallelism_alone_rescales_the_job(
    tmp_path: Path, start_flink: Callable[..., FlinkCluster]
) -> None:
    """Shows that the same jobId runs on, and that the same inputs once more restart it."""
    flink = start_flink(configuration=ADAPTIVE)
    gateway = RealGateway(tmp_path, flink)

    async def life() -> None:
        await gateway.start()
        first = (await gateway.done("NEW", **gateway.version("v1", parallelism=2))).record
        assert first.job_id is not None
        await gateway.counts("v1")
        rescaled = await gateway.do("UPDATE", parallelism=4)
        assert rescaled.output == "Rescaled to parallelism 4 while it ran"
        assert gateway.active() == [first.job_id]
        flink.await_parallelism(first.job_id, 4)
        record = (await gateway.row()).record
        assert (record.spec.parallelism, record.running_parallelism) == (4, 4)
        await gateway.counts("v1")
        again = (await gateway.done("UPDATE", parallelism=4)).record
        assert again.job_id != first.job_id
        assert gateway.active() == [again.job_id]
        assert again.restored_from == again.last_savepoint
        await gateway.counts("v1")
        await gateway.stop()

    asyncio.run(life())


def test_pages_in_the_clusters_place_end_no_action(tmp_path: Path, flink_2: FlinkCluster) -> None:
    """Shows a proxy that answers every request, and then each POST once, with a page and 200."""
    page = Answer(200, b"<html>Down for maintenance</html>")
    with FaultProxy(flink_2.url, lambda _exchange, _moment: page) as proxy:
        gateway = RealGateway(tmp_path, flink_2, url=proxy.url)
        spoilt: set[str] = set()
        job = "paged"  # the cluster remembers the other tests' jobs, which NEW would go on from

        def each_post_once(exchange: Exchange, moment: Moment) -> Verdict | Answer:
            kind = exchange.path.rsplit("/", 1)[-1]
            if exchange.method != "POST" or moment is Moment.BEFORE or kind in spoilt:
                return Verdict.PASS
            spoilt.add(kind)
            return page

        async def life() -> None:
            await gateway.start()
            action = await gateway.submit("NEW", job, **gateway.version("v1"))
            waiting = await gateway.row_that(lambda row: row.last.output != "", job)
            assert "answers 200, and not as a Flink REST API does" in waiting.last.output
            assert "Retried until" in waiting.last.output
            proxy.begin(each_post_once)
            ended = await gateway.ended(action.id)
            assert ended.result is ActionResult.SUCCESS, ended.output
            await gateway.counts("v1")
            assert (await gateway.done("STOP", job)).status == "STOPPED"
            assert {"upload", "run", "stop"} <= spoilt
            assert gateway.active() == []
            await gateway.stop()

        asyncio.run(life())


def test_a_cluster_that_goes_down_in_an_action_and_comes_back_without_its_jobs(
    tmp_path: Path, private_flink: FlinkCluster
) -> None:
    """Shows that both the action and what was lost go on by themselves, each from its state.

    What was lost has its checkpoints in a place of its own, and an older savepoint besides.
    """
    gateway = RealGateway(tmp_path, private_flink)
    own = {**RETAINED, "execution.checkpointing.dir": f"file://{tmp_path}/own"}

    async def life() -> None:
        await gateway.start()
        await gateway.done("NEW", **gateway.version("v1", flink_configuration=RETAINED))
        await gateway.counts("v1")
        await asyncio.to_thread(private_flink.stop_job_manager)
        action = await gateway.submit("UPDATE", **gateway.version("v2", flink_configuration=own))

        await gateway.row_that(lambda row: "no connection to" in row.last.output, timeout=60)
        await asyncio.to_thread(private_flink.start_missing)
        ended = await gateway.ended(action.id)
        assert ended.result is ActionResult.SUCCESS, ended.output
        assert (await gateway.counts("v2")).labels["v1"] > 0

        before = (await gateway.done("SAVEPOINT")).record.job_id
        await gateway.counts("v2")
        await asyncio.to_thread(private_flink.restart_job_manager)

        row = await gateway.row_that(
            lambda row: row.last.action == "RE_LAUNCH" and row.status == "RUNNING"
        )
        assert (row.last.caller, row.last.result) == ("gateway", "SUCCESS")
        assert row.record.job_id != before
        assert gateway.active() == [row.record.job_id]
        assert f"{tmp_path}/own/{before}/chk-" in (row.record.restored_from or "")
        await gateway.counts("v2")
        await gateway.stop()

    asyncio.run(life())


def test_two_gateways_on_one_cluster(
    tmp_path: Path,
    flink_2: FlinkCluster,
    postgres_server: PostgresServer,
    random_choices: random.Random,
) -> None:
    """Shows 24 requests at once on 3 jobs: one order for each job, each carried out once."""
    database = postgres_server.new_database()
    gateways = [RealGateway(tmp_path / name, flink_2, database) for name in ("one", "other")]
    names = ["first", "second", "third"]

    async def insist(number: int) -> str:
        action = ("UPDATE", "SAVEPOINT")[number // 3 % 2]
        while True:
            try:
                return (await gateways[number % 2].submit(action, names[number % 3])).id
            except Refusal as refusal:
                if refusal.code not in ("ActionInProgress", "Conflict"):
                    raise
                await asyncio.sleep(random_choices.uniform(0.05, 0.2))

    async def life() -> None:
        for gateway in gateways:
            await gateway.start()
        for name in names:
            gateways[0].output = tmp_path / f"output-{name}"
            await gateways[0].done("NEW", name, **gateways[0].version(name))
        async with asyncio.timeout(150 * PATIENCE):
            ids = await asyncio.gather(*(insist(number) for number in range(24)))
            ended = [await gateways[1].ended(action_id) for action_id in ids]
        assert {row.result for row in ended} == {ActionResult.SUCCESS}
        running = set()
        for name in names:
            row = await gateways[1].row(name)
            running.add(row.record.job_id)
            actions = gateways[1].store.actions_of(row.number)
            assert len(actions) == 9
            assert row.record.generation == 1 + sum(one.action == "UPDATE" for one in actions) == 5
            gateways[0].output = tmp_path / f"output-{name}"
            await gateways[0].counts(name)
        assert set(gateways[0].active()) == running
        for gateway in gateways:
            await gateway.stop()

    asyncio.run(life())


def test_a_job_that_fails_shows_why(tmp_path: Path, flink_2: FlinkCluster) -> None:
    gateway = RealGateway(tmp_path, flink_2)

    async def life() -> None:
        await gateway.start()
        failing = {"jar": str(TEST_JOBS_JAR), "entry_class": entry_class("ThrowingMain")}
        row = await gateway.do("NEW", "thrown", **{**gateway.version("v1"), **failing})
        assert row.result is ActionResult.FAILED
        assert (await gateway.row("thrown")).status == "JOB_LAUNCH_FAILED"
        assert gateway.active() == []
        await gateway.done("NEW", **gateway.version("v1"))
        job_id = (await gateway.row()).record.job_id
        flink_2.rest.patch(f"/jobs/{job_id}", params={"mode": "cancel"})
        await until(lambda: gateway.active() == [])

        await gateway.row_that(lambda row: row.status == "CANCELED", timeout=30)
        await gateway.stop()

    asyncio.run(life())
