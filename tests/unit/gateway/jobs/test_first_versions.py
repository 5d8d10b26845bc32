"""A NEW that is accepted, and fails: what it has done is on record, and is gone on from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flink_jobs_provider.model.action import ActionResult
from tests.unit.gateway.jobs.conftest import Life
from tests.unit.gateway.jobs.gateway import Gateway
from tests.unit.reconciling.flink.fake_flink import RETAINED


def _once(step: str, then: Callable[[], None]) -> Callable[[str], None]:
    """Return what is called at each step, and does something at the first one of a name."""
    left = [then]

    def at(name: str) -> None:
        if name == step and left:
            left.pop()()

    return at


def test_its_cluster_loses_it_and_the_same_action_goes_on(live: Life) -> None:
    """Shows that the next try of the action starts it from its checkpoint, and not from nothing."""

    async def life(gateway: Gateway) -> None:
        lose = gateway.flink.restart_job_manager
        gateway.flink.on_step = _once("checkpointed", lose)
        row = await gateway.do("NEW", flink_configuration=RETAINED)
        assert row.result is ActionResult.SUCCESS
        first = gateway.flink.submissions[0].job_id
        assert f"/{first}/chk-" in gateway.flink.the_job().restored_from
        assert (await gateway.row()).status == "RUNNING"

    live(life)


def test_it_fails_after_a_checkpoint_and_is_launched_again(live: Life) -> None:
    """Shows that RE_LAUNCH starts from what the failed version has done."""

    async def life(gateway: Gateway) -> None:
        def fail() -> None:
            gateway.flink.the_job().end("FAILED", gateway.time.now(), "RuntimeException: no")

        gateway.flink.on_step = _once("checkpointed", fail)
        row = await gateway.do("NEW", flink_configuration=RETAINED)
        assert row.result is ActionResult.FAILED
        assert "its state is in " in row.output
        job = await gateway.row()
        assert job.status == "FAILED"
        assert (await gateway.done("RE_LAUNCH")).status == "RUNNING"
        assert f"/{job.record.job_id}/chk-" in gateway.flink.the_job().restored_from

    live(life)


@pytest.mark.parametrize("lost", [False, True])
def test_its_cluster_does_not_answer_until_the_deadline(live: Life, lost: bool) -> None:
    """Shows that the job is on record, and observed again when the cluster answers."""

    async def life(gateway: Gateway) -> None:
        def hide() -> None:
            gateway.flink.unreachable = 10**6

        gateway.flink.on_step = _once("checkpointed", hide)
        row = await gateway.do("NEW", flink_configuration=RETAINED)
        assert row.result is ActionResult.FAILED
        submitted = gateway.flink.submissions[0].job_id
        job = await gateway.row()
        assert (job.status, job.record.job_id) == ("STARTING", submitted)
        gateway.flink.unreachable = 0
        if lost:
            gateway.flink.restart_job_manager()
        await gateway.look()
        assert (await gateway.row()).status == ("LOST" if lost else "RUNNING")

    live(life)
