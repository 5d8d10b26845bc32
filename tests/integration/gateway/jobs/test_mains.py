"""Programs whose `main` does not start one job at once, by a gateway on a real Flink."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flink_jobs_provider.model.action import ActionResult
from tests.fault_proxy import FaultProxy
from tests.faults.points import RUN
from tests.flink_cluster import FLINK_1, REFUSES_SECOND_JOBS, FlinkCluster
from tests.integration.gateway.jobs.gateway import QUICK, RealGateway
from tests.integration.gateway.jobs.test_on_flink import RETAINED
from tests.job_jars import TEST_JOBS_JAR, entry_class

_OTHER_ID = "e" * 32
_BACK = "The previous version runs again as job "


def test_a_main_that_does_not_start_one_job(tmp_path: Path, flink: FlinkCluster) -> None:
    """Two jobs at once, one after the other, or one under another jobId: the old version runs.

    Flink before 2.3 takes the second job of `main` and never runs it; 2.3 overrides a jobId of its
    own.
    """
    gateway = RealGateway(tmp_path, flink)
    refused = {"async": ["did not start: "]}
    if flink.release >= REFUSES_SECOND_JOBS:
        refused["twice"] = ["main starts a second job"]
    if flink.version == FLINK_1:
        # Where the answer to its run took too long, the action has run `main` again.
        again = "under one of a job that the cluster knows already"
        refused["other-id"] = [f"main started job {_OTHER_ID} instead of", again]

    async def life() -> None:
        await gateway.start()
        await gateway.done("NEW", "mains", **gateway.version("v1"))
        for how, reasons in refused.items():
            other = gateway.unusual("v1", "--main", how, "--job-id", _OTHER_ID)
            ended = await gateway.do("UPDATE", "mains", **other)
            assert ended.result is ActionResult.FAILED
            assert any(why in ended.output for why in reasons), ended.output
            assert _BACK in ended.output
            row = await gateway.row("mains")
            assert (row.status, gateway.active()) == ("RUNNING", [row.record.job_id])
        await gateway.stop()

    asyncio.run(life())
    if flink.version == FLINK_1:
        assert flink.jobs()[_OTHER_ID]["state"] == "CANCELED"


def test_a_main_that_outlasts_its_time(tmp_path: Path, flink: FlinkCluster) -> None:
    """Its job is waited for, and `main` is run once."""
    go_on = tmp_path / "go-on"
    with FaultProxy(flink.url) as proxy:
        gateway = RealGateway(tmp_path, flink, url=proxy.url)

        async def life() -> None:
            await gateway.start()
            slow = gateway.unusual("v1", "--until", str(go_on), timeouts={"submit": "1s"})
            action = await gateway.submit("NEW", "slow", **slow)
            late = "main of the new version has not come to its job in 1 s"
            await gateway.row_that(lambda row: late in row.last.output, "slow")
            # By then the first try has left its job on record, or not: the next one waits for it.
            waits = ("was cut short", "which an earlier run submitted, has not shown up")
            await gateway.row_that(
                lambda row: any(each in row.last.output for each in waits), "slow"
            )
            assert gateway.active() == []
            go_on.touch()
            ended = await gateway.ended(action.id)
            assert ended.result is ActionResult.SUCCESS, ended.output
            row = await gateway.row("slow")
            assert gateway.active() == [row.record.job_id]
            await gateway.counts("v1")
            await gateway.stop()

        asyncio.run(life())
        assert len([each for each in proxy.changes if RUN.matches(each)]) == 1


def test_a_main_that_ends_the_cluster_and_a_cancel_of_what_was_lost(
    tmp_path: Path, start_flink: Callable[..., FlinkCluster]
) -> None:
    """System.exit is named with its step; a lost job that is cancelled is not started again.

    The other lost job is.
    """
    flink = start_flink(configuration={"cluster.intercept-user-system-exit": "DISABLED"})
    # An action that is taken up again, as after a crash, waits for a cluster that has gone down.
    gateway = RealGateway(tmp_path, flink, intervals=replace(QUICK, relaunch_after=10, lease=60))
    exits = {"jar": str(TEST_JOBS_JAR), "entry_class": entry_class("ExitingMain")}

    async def life() -> None:
        await gateway.start()
        for job in ("cancelled", "kept"):
            gateway.output = tmp_path / job
            kept = gateway.version("v1", flink_configuration=RETAINED)
            await gateway.done("NEW", job, **kept)
            await gateway.counts("v1")
        lost = {job: (await gateway.row(job)).record.job_id for job in ("cancelled", "kept")}
        ended = await gateway.do("NEW", "exiting", **{**gateway.version("v2"), **exits})
        assert ended.result is ActionResult.FAILED
        assert "the connection broke while main of the new version was being" in ended.output
        assert "the cluster may have gone down with it" in ended.output
        await asyncio.to_thread(flink.start_missing)

        await gateway.row_that(lambda row: row.status == "LOST", "cancelled")
        ended = await gateway.do("CANCEL", "cancelled")
        nothing = f"Nothing was left to cancel: the cluster no longer knows job {lost['cancelled']}"
        assert ended.output.startswith(f"{nothing}. The gateway does not start it again; ")
        assert f"its last known state is checkpoint file://{tmp_path}" in ended.output
        row = await gateway.row_that(
            lambda row: row.last.action == "RE_LAUNCH" and row.status == "RUNNING", "kept"
        )
        assert row.record.job_id != lost["kept"]
        assert gateway.active() == [row.record.job_id]
        assert (await gateway.row("cancelled")).status == "CANCELED"
        await gateway.stop()

    asyncio.run(life())
