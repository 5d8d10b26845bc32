"""A cluster that is down, slow or forgetful: what the records say, and how it goes on by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.control_planes.protocol import SavepointRequest
from flink_jobs_provider.gateway.job_service import (
    ActionRequest,
    ActionRow,
    JobFilter,
    JobsOfCluster,
    PageOfJobs,
)
from flink_jobs_provider.gateway.jobs.cluster_observer import LostJobRecovery
from flink_jobs_provider.model.action import ActionResult
from flink_jobs_provider.model.errors import ClusterRefused, ClusterUnreachable
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.reconciling.flink.reconciler import Reconciler
from flink_jobs_provider.wire.hdinsight import last_state_prefix
from tests.unit.gateway.jobs.conftest import Life
from tests.unit.gateway.jobs.gateway import CLUSTER, STILL, Gateway, until
from tests.unit.reconciling.flink.fake_flink import RETAINED
from tests.unit.reconciling.flink.fake_job import Program

ACTIONS = ["UPDATE", "STOP", "SAVEPOINT", "CANCEL"]


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_waits_for_a_cluster_that_is_down(live: Life, action: str) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        said = []
        note_wait = gateway.store.note_wait

        def listen(action_id: str, gateway_name: str, output: str) -> None:
            said.append(output)
            note_wait(action_id, gateway_name, output)

        gateway.store.note_wait = listen  # type: ignore[assignment,method-assign]
        gateway.flink.unreachable = 40
        row = await gateway.do(action)
        assert row.result is ActionResult.SUCCESS
        assert "no connection. Is the cluster up? Retried until 20" in said[0]
        assert (await gateway.row()).last.output == row.output

    live(life)


def test_an_action_fails_at_its_deadline_and_the_row_follows_later(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        gateway.flink.unreachable = 10**6
        row = await gateway.do("UPDATE")
        assert row.result is ActionResult.FAILED
        assert "no connection" in row.output
        assert (await gateway.row()).status == "RUNNING"
        gateway.flink.unreachable = 0
        await gateway.done("UPDATE")

    live(life)


def test_a_list_asks_no_cluster_that_was_seen_as_lately_as_it_may(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path, intervals=replace(STILL, fresh=0))
        async with gateway.running():
            await gateway.done("NEW")
            gateway.flink.steps.clear()
            for max_age in (3600, None):
                jobs = JobFilter([CLUSTER], max_age=max_age)
                page, _ = await gateway.jobs.found(jobs, PageOfJobs(limit=1, newest_first=True))
                assert [row.status for row in page] == ["RUNNING"]
                assert bool(gateway.flink.steps) == (max_age is None)

    asyncio.run(life())


def test_a_launch_whose_answer_was_lost_shows_when_the_cluster_is_back(live: Life) -> None:
    """Shows a job that runs although its NEW failed at the deadline: the row is that job's."""

    async def life(gateway: Gateway) -> None:
        def goes_down(step: str) -> None:
            if step == "submitted":
                gateway.flink.unreachable = 10**6

        gateway.flink.on_step = goes_down
        row = await gateway.do("NEW")
        assert row.result is ActionResult.FAILED
        assert (await gateway.row()).status == "JOB_LAUNCH_FAILED"
        gateway.flink.unreachable = 0
        gateway.flink.on_step = lambda _step: None
        await gateway.look()
        now = await gateway.row()
        assert (now.status, now.record.job_id) == ("RUNNING", gateway.flink.the_job().job_id)
        await gateway.done("STOP")

    live(life)


@pytest.mark.parametrize(
    ("what", "status"), [("FAILED", "FAILED"), ("CANCELED", "CANCELED"), ("FINISHED", "FINISHED")]
)
def test_rows_follow_the_cluster(live: Life, what: str, status: str) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        gateway.flink.end(gateway.flink.the_job(), what, "RuntimeException: gone")
        await gateway.look()
        row = await gateway.row()
        assert row.status == row.record.status == status
        assert ("RuntimeException: gone" in row.record.job_output) is (what == "FAILED")
        assert row.last.action == "NEW"

    live(life)


def test_a_job_that_restarts_is_seen_to(live: Life) -> None:
    async def life(gateway: Gateway) -> None:
        await gateway.done("NEW")
        job = gateway.flink.the_job()
        job.program, job.running_tasks = Program(restarts=True), 0
        seen = set()
        for _ in range(20):
            gateway.flink.pass_time(0.7)
            await gateway.look()
            seen.add((await gateway.row()).status)
        assert "RESTARTING" in seen

    live(life)


async def lost(gateway: Gateway, **changes: Any) -> int:
    """Have a job run, and its cluster lose it; return the progress that must come back."""
    await gateway.done("NEW", flink_configuration=RETAINED, **changes)
    gateway.flink.pass_time(70)
    await gateway.done("SAVEPOINT")
    kept = gateway.flink.saved
    gateway.flink.pass_time(5)
    gateway.flink.restart_job_manager()
    return kept


async def relaunched(gateway: Gateway) -> ActionRow:
    """Wait until the gateway has started the job again by itself."""
    await until(lambda: any(row.caller == "gateway" for row in gateway.finished))
    return next(row for row in reversed(gateway.finished) if row.caller == "gateway")


WATCHFUL = replace(STILL, observe=0.02)


def test_what_a_cluster_lost_is_started_again_from_its_state(tmp_path: Path) -> None:
    async def life() -> None:
        async with Gateway(tmp_path, intervals=WATCHFUL).running() as gateway:
            kept = await lost(gateway)
            row = await relaunched(gateway)
            assert (row.action, row.result) == ("RE_LAUNCH", "SUCCESS")
            assert (await gateway.row()).status == "RUNNING"
            assert gateway.flink.the_job().base >= kept > 0

    asyncio.run(life())


def test_a_relaunch_that_fails_is_tried_again(tmp_path: Path) -> None:
    """Shows a cluster that comes back before its TaskManagers do."""

    async def life() -> None:
        async with Gateway(tmp_path, intervals=WATCHFUL).running() as gateway:
            kept = await lost(gateway)
            gateway.flink.slots = 0
            first = await relaunched(gateway)
            assert first.result is ActionResult.FAILED
            assert "task slots are needed" in first.output
            assert (await gateway.row()).status == "LOST"
            gateway.flink.slots = 24
            gateway.finished.clear()
            async with asyncio.timeout(180):
                while (await relaunched(gateway)).result is ActionResult.FAILED:
                    gateway.finished.clear()
            assert gateway.flink.the_job().base >= kept > 0

    asyncio.run(life())


@pytest.mark.parametrize("before", ["", "NEW"])
def test_a_cluster_that_does_not_let_us_in_fails_the_action(live: Life, before: str) -> None:
    async def life(gateway: Gateway) -> None:
        if before:
            await gateway.done(before)

        def refuses(_target: object) -> None:
            raise ClusterRefused("env:FLINK_TOKEN leads nowhere")

        gateway.jobs._process.planes.of = refuses  # type: ignore[method-assign,assignment]
        row = await gateway.do("STOP" if before else "NEW")
        assert row.result is ActionResult.FAILED
        assert "env:FLINK_TOKEN leads nowhere" in row.output
        job = gateway.store.jobs(JobsOfCluster(CLUSTER))[0]
        assert job.status == ("RUNNING" if before else "JOB_LAUNCH_FAILED")

    live(life)


@pytest.mark.parametrize("come", [True, False])
def test_a_start_waits_for_task_managers(tmp_path: Path, come: bool) -> None:
    async def life() -> None:
        async with Gateway(tmp_path, intervals=replace(STILL, slots=60)).running() as gateway:
            gateway.flink.slots = 0
            begun = gateway.time.now()

            def come_up(_step: str) -> None:
                if come and gateway.time.now() > begun + 30:
                    gateway.flink.slots = 24

            gateway.flink.on_step = come_up
            row = await gateway.do("NEW")
            assert row.result is (ActionResult.SUCCESS if come else ActionResult.FAILED)
            assert 30 < gateway.time.now() - begun < 100
            assert come or "task slots are needed, 0 are free" in row.output

    asyncio.run(life())


@pytest.mark.parametrize("end", ["STOP", "CANCEL"])
def test_what_was_ended_on_purpose_is_not_started_again(tmp_path: Path, end: str) -> None:
    async def life() -> None:
        async with Gateway(tmp_path, intervals=WATCHFUL).running() as gateway:
            await gateway.done("NEW")
            status = (await gateway.done(end)).status
            gateway.flink.restart_job_manager()
            for _ in range(3):
                await gateway.look()
                await asyncio.sleep(0.05)
            assert (await gateway.row()).status == status
            assert gateway.flink.active() == []

    asyncio.run(life())


def test_nothing_is_started_again_where_the_configuration_says_so(tmp_path: Path) -> None:
    async def life() -> None:
        gateway = Gateway(tmp_path, intervals=WATCHFUL, cluster={"relaunch_lost": False})
        async with gateway.running():
            await lost(gateway)
            for _ in range(3):
                await gateway.look()
                await asyncio.sleep(0.05)
            row = await gateway.row()
            assert (row.status, row.last.action) == ("LOST", "SAVEPOINT")
            assert (await gateway.done("RE_LAUNCH")).status == "RUNNING"

    asyncio.run(life())


def test_a_lost_job_is_given_time_to_come_back(tmp_path: Path) -> None:
    """Shows a cluster that recovers its jobs by itself, a while after it answers again."""

    async def life() -> None:
        intervals = replace(WATCHFUL, relaunch_after=3600)
        async with Gateway(tmp_path, intervals=intervals).running() as gateway:
            await gateway.done("NEW")
            jobs = dict(gateway.flink.jobs_by_id)
            gateway.flink.restart_job_manager()
            await gateway.look()
            assert (await gateway.row()).status == "LOST"
            gateway.flink.jobs_by_id.update(jobs)
            await gateway.look()
            row = await gateway.row()
            assert (row.status, row.last.action) == ("RUNNING", "NEW")
            assert len(gateway.flink.submissions) == 1

    asyncio.run(life())


def test_a_job_that_is_found_lost_by_its_cancel_stays_down(tmp_path: Path) -> None:
    """Shows that a cancel counts also where no look at the cluster came before it."""

    async def life() -> None:
        async with Gateway(tmp_path, intervals=WATCHFUL).running() as gateway:
            job_id = (await gateway.done("NEW")).record.job_id
            gateway.flink.restart_job_manager()
            row = await gateway.done("CANCEL")
            assert row.status == "CANCELED"
            assert f"the cluster no longer knows job {job_id}" in row.last.output
            assert "; its last known state is checkpoint " in row.last.output
            for _ in range(3):
                await gateway.look()
                await asyncio.sleep(0.05)
            row = await gateway.row()
            assert (row.status, row.last.action) == ("CANCELED", "CANCEL")
            assert gateway.flink.active() == []

    asyncio.run(life())


@pytest.mark.parametrize("known", [True, False])
def test_a_lost_job_that_is_deleted_leaves_word_of_its_state(tmp_path: Path, known: bool) -> None:
    """Shows that the state is looked for: the record of the job goes along with it."""

    async def life() -> None:
        intervals = replace(WATCHFUL, relaunch_after=3600)
        async with Gateway(tmp_path, intervals=intervals).running() as gateway:
            job_id = (await gateway.done("NEW")).record.job_id
            gateway.flink.restart_job_manager()
            await gateway.done("CANCEL")
            if not known:
                for path in list(gateway.flink.progress_in):
                    gateway.flink.remove(path)
            row = await gateway.do("DELETE")
            assert await gateway.rows() == []
            assert row.output.startswith(last_state_prefix("orders")), "so clients pass it on"
            if known:
                assert row.output.startswith("orders: deleted, no savepoint was taken of it; its ")
                assert "last known state is checkpoint memory:///" in row.output
                assert f"/{job_id}/chk-" in row.output
            else:
                assert row.output == "orders: deleted; no state of it is known"

    asyncio.run(life())


def test_a_lost_job_that_is_cancelled_stays_down(tmp_path: Path) -> None:
    async def life() -> None:
        intervals = replace(WATCHFUL, relaunch_after=3600)
        async with Gateway(tmp_path, intervals=intervals).running() as gateway:
            await lost(gateway)
            await gateway.look()
            assert (await gateway.done("CANCEL")).status == "CANCELED"

    asyncio.run(life())


def test_how_far_an_action_is_stands_in_its_row(tmp_path: Path) -> None:
    """Shows the last line of the run while a savepoint is taken, and the result afterwards."""

    async def life() -> None:
        gateway = Gateway(tmp_path, intervals=replace(STILL, observe=0.01))
        async with gateway.running():
            await gateway.done("NEW")
            loop, noted, shown = asyncio.get_running_loop(), asyncio.Event(), []
            take, note_wait = gateway.flink.take_savepoint, gateway.store.note_wait

            def listen(action_id: str, gateway_name: str, output: str) -> None:
                note_wait(action_id, gateway_name, output)
                loop.call_soon_threadsafe(noted.set)

            async def slow(request: SavepointRequest, timeout: float) -> str:
                await noted.wait()
                shown.append((await gateway.row()).last.output)
                return await take(request, timeout)

            gateway.store.note_wait = listen  # type: ignore[assignment,method-assign]
            gateway.flink.take_savepoint = slow  # type: ignore[method-assign]
            ended = await gateway.do("STOP")
            assert shown == ["orders: stopping with a savepoint"]
            assert ended.output.startswith("Savepoint completed")

    asyncio.run(life())


@pytest.mark.parametrize("overtaken", ["CANCEL", "RE_LAUNCH"])
def test_a_lost_job_that_somebody_acts_on_meanwhile_is_left_to_them(
    tmp_path: Path, overtaken: str
) -> None:
    """Shows an action between the look that found the job lost and the start that follows it."""

    async def life() -> None:
        async with Gateway(tmp_path).running() as gateway:
            await lost(gateway)
            await gateway.look()
            assert (await gateway.row()).status == "LOST"
            submit = gateway.jobs.submit

            async def later(request: ActionRequest) -> ActionRow:
                await gateway.done(overtaken)
                return await submit(request)

            recovery = LostJobRecovery(gateway.jobs._process, CLUSTER, later)
            await recovery.after_observation()
            await until(lambda: not gateway.jobs.in_progress)
            last = (await gateway.row()).last
            assert (last.action, last.caller) == (overtaken, "tester")
            running = 1 if overtaken == "RE_LAUNCH" else 0
            assert len(gateway.flink.active()) == running

    asyncio.run(life())


def test_pauses_between_relaunches_are_by_the_clock_of_the_records(tmp_path: Path) -> None:
    """Shows a gateway whose own clock is an hour behind, as records of an hour ahead."""

    async def life() -> None:
        intervals = replace(STILL, relaunch_pause=60, longest_relaunch_pause=60)
        async with Gateway(tmp_path, intervals=intervals).running() as gateway:
            store = gateway.store
            await lost(gateway)
            await gateway.look()
            gateway.flink.slots = 0
            recovery = gateway.jobs._recovery(CLUSTER)
            assert recovery is not None
            await recovery()
            assert (await relaunched(gateway)).result is ActionResult.FAILED
            gateway.finished.clear()
            gateway.flink.slots = 24
            await recovery()
            assert gateway.jobs.in_progress == 0, "it pauses after one that failed"
            now = store.now()
            store.now = lambda: now + timedelta(minutes=2)  # type: ignore[method-assign]
            await recovery()
            assert (await relaunched(gateway)).result is ActionResult.SUCCESS

    asyncio.run(life())


@pytest.mark.parametrize("error", [ClusterUnreachable, ClusterRefused, ValueError])
def test_a_job_that_cannot_be_observed_holds_up_no_other(
    tmp_path: Path,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Shows that the others are observed, that lost ones come back, and that it is logged once."""
    refresh = Reconciler.refresh

    async def fails(self: Reconciler, recorded: JobRecord) -> JobRecord:
        if recorded.spec.job_name == "a-bad-one":
            raise error("its statistics cannot be read")
        return await refresh(self, recorded)

    async def life() -> None:
        async with Gateway(tmp_path).running() as gateway:
            await gateway.done("NEW", "a-bad-one")
            await gateway.done("NEW", "orders", flink_configuration=RETAINED)
            gateway.flink.restart_job_manager()
            monkeypatch.setattr(Reconciler, "refresh", fails)
            for _ in range(3):
                await gateway.look()
            assert (await gateway.row("orders")).status == "LOST"
            assert (await gateway.row("a-bad-one")).status == "RUNNING"
            assert caplog.text.count("cannot be seen") == 1

    asyncio.run(life())


def test_a_start_that_was_queued_waits_for_task_managers_all_the_same(tmp_path: Path) -> None:
    """Shows that the time for slots counts from when it began, not from when it was accepted."""

    async def life() -> None:
        intervals = replace(STILL, slots=60)
        one = Gateway(tmp_path, intervals=intervals, limits={"concurrent_actions": 1})
        async with one.running() as gateway:
            workers = gateway.jobs._workers
            await workers._slots.acquire()
            row = await gateway.submit("NEW")
            await until(lambda: bool(workers._slots._waiters))
            gateway.flink.slots = 0
            gateway.time.time += 120
            workers._slots.release()
            begun = gateway.time.now()

            def come_up(_step: str) -> None:
                if gateway.time.now() > begun + 30:
                    gateway.flink.slots = 24

            gateway.flink.on_step = come_up
            assert (await gateway.ended(row.id)).result is ActionResult.SUCCESS

    asyncio.run(life())


@pytest.mark.parametrize("still", [True, False], ids=["listed", "not listed"])
def test_a_job_that_may_run_at_another_address_is_not_started(
    tmp_path: Path, still: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows a changed flink.url: of the same cluster, and of another one while the first runs on.

    Where the job is listed at the new address, it is started again when that loses it.
    """

    async def life() -> None:
        gateway = Gateway(tmp_path, intervals=WATCHFUL)
        await gateway.start()
        job_id = (await gateway.done("NEW", flink_configuration=RETAINED)).record.job_id
        gateway.flink.pass_time(70)
        await gateway.stop()

        monkeypatch.setattr(
            gateway.flink, "dashboard", lambda job: f"http://new:8081/#/job/running/{job}/overview"
        )
        if not still:
            gateway.flink.restart_job_manager()
        async with gateway.running():
            await gateway.look()
            if still:
                row = await gateway.row()
                assert (
                    row.record.dashboard_url == f"http://new:8081/#/job/running/{job_id}/overview"
                )
                gateway.flink.restart_job_manager()
                assert (await relaunched(gateway)).result is ActionResult.SUCCESS
                return
            async with asyncio.timeout(180):
                while (  # noqa: ASYNC110 - there is nothing that would tell
                    "may still run there" not in (await gateway.row()).record.job_output
                ):
                    await asyncio.sleep(0.01)
            for _ in range(3):
                await gateway.look()
                await asyncio.sleep(0.05)
            row = await gateway.row()
            assert (row.status, row.last.action) == ("LOST", "NEW")
            assert row.record.job_output == (
                f"The cluster at http://new:8081 does not list job {job_id}, which was listed last "
                "at http://flink:8081: it may still run there, so the gateway does not start it by "
                "itself"
            )
            assert gateway.flink.active() == []
            assert (await gateway.done("RE_LAUNCH")).status == "RUNNING"

    asyncio.run(life())
