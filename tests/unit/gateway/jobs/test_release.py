"""A job that the gateway takes off its records and leaves running, for others to adopt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from flink_jobs_provider.control_planes.protocol import JobMark, Mark
from flink_jobs_provider.gateway.jobs.transitions import releasing
from flink_jobs_provider.gateway.refusals import Refusal
from tests.unit.gateway.jobs.gateway import Gateway
from tests.unit.model.made_up_jobs import DIGEST_1
from tests.unit.reconciling.flink.fake_flink import RETAINED
from tests.unit.reconciling.flink.stack import Stack
from tests.unit.reconciling.flink.test_matrix import version


def _run(directory: Path, test: Callable[[Gateway], Awaitable[None]]) -> None:
    async def run() -> None:
        gateway = Gateway(directory)
        async with gateway.running():
            await gateway.done("NEW", flink_configuration=RETAINED)
            gateway.flink.pass_time(70)
            await test(gateway)

    asyncio.run(run())


async def _release(gateway: Gateway) -> str:
    request = releasing(await gateway.row(), "tester")
    action = await gateway.ended((await gateway.jobs.submit(request)).id)
    return f"{action.result}: {action.output}"


def test_it_goes_on_and_is_on_record_no_more(tmp_path: Path) -> None:
    """Shows that nothing is sent to the job, and that who declares it again goes on with it."""

    async def test(gateway: Gateway) -> None:
        job = gateway.flink.the_job()
        said = await _release(gateway)
        assert said.startswith(f"SUCCESS: Job released: job {job.job_id} goes on, with its jar")
        assert gateway.flink.the_job() is job
        assert await gateway.rows() == []
        assert [mark.kind for _, mark in gateway.flink.marked] == [Mark.RELEASED]
        await gateway.look()
        assert gateway.flink.the_job() is job, "no supervisor ends or restarts it"
        await gateway.done("NEW", flink_configuration=RETAINED)
        assert gateway.flink.marked == []

    _run(tmp_path, test)


def test_a_stack_adopts_it(tmp_path: Path) -> None:
    async def test(gateway: Gateway) -> None:
        job = gateway.flink.the_job()
        await _release(gateway)
        marks = [mark for _, mark in gateway.flink.marked]
        assert marks[0].job_id == job.job_id
        gateway.flink.marked.append((job.job_id, _adopted_by_others(job.job_id)))
        failed = await gateway.do("NEW", flink_configuration=RETAINED)
        assert "was adopted by another stack" in str(failed.output)
        assert gateway.flink.the_job() is job

    _run(tmp_path, test)


def _adopted_by_others(job_id: str) -> JobMark:
    theirs = version("Old", "savepoint", owner="organization/shop/other").key.prefix
    return JobMark(Mark.ADOPTED, theirs, "mark-theirs", job_id=job_id)


def test_one_that_does_not_run_is_not_released(tmp_path: Path) -> None:
    """Shows it where that is known, and where it ends before the gateway comes to it."""

    async def test(gateway: Gateway) -> None:
        gateway.flink.end(gateway.flink.the_job(), "FAILED", "RuntimeException: gone")
        said = await _release(gateway)
        assert said.startswith("FAILED: orders: it had ended before it could be released: it is")
        assert "It stays on record." in said
        await gateway.look()
        with pytest.raises(Refusal, match="cannot be released, since nothing of it runs") as caught:
            await _release(gateway)
        assert caught.value.code == "JobStatusConflict"
        assert (await gateway.row()).status == "FAILED"

    _run(tmp_path, test)


def test_one_that_others_have_taken_meanwhile_is_not_kept(tmp_path: Path) -> None:
    """Shows a gateway that dies after the release, and comes back when another stack has moved it.

    Were it kept on record as a job that has ended, a START here would run it twice.
    """

    async def test(gateway: Gateway) -> None:
        job = gateway.flink.the_job()
        gateway.flink.marked.append((job.job_id, _adopted_by_others(job.job_id)))
        gateway.flink.end(job, "FINISHED")
        said = await _release(gateway)
        assert said.startswith("SUCCESS: Job released: nothing of it runs")
        assert await gateway.rows() == []
        assert [mark.id for _, mark in gateway.flink.marked] == ["mark-theirs"]

    _run(tmp_path, test)


def test_a_stack_whose_job_was_adopted_and_stopped_does_not_start_it() -> None:
    """Shows a record that a run left which was killed after the release."""
    stack = Stack()
    stack.up(version("Old", "savepoint"))
    stack.flink.pass_time(70)
    job = stack.flink.the_job()
    stack.flink.marked.append((job.job_id, _adopted_by_others(job.job_id)))
    stack.flink.end(job, "FAILED")
    stack.flink.pass_time(10)
    stack.refresh()
    with pytest.raises(Exception, match="was adopted by another stack, as jar mark-theirs"):
        stack.up(version("Old", "savepoint", jar_digest=DIGEST_1))
    assert stack.flink.active() == []
