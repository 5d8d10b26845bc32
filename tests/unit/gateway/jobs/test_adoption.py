"""A running job that the gateway adopts as it is: on record, observed, changed with its state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from flink_jobs_provider.control_planes.protocol import Submission
from flink_jobs_provider.gateway.jobs.transitions import adopting
from flink_jobs_provider.model.observation import ClusterSnapshot
from tests.unit.gateway.jobs.gateway import CLUSTER, Gateway
from tests.unit.model.made_up_jobs import DIGEST_1
from tests.unit.reconciling.flink.fake_flink import FakeFlink
from tests.unit.reconciling.flink.fake_job import FakeJob, Program
from tests.unit.reconciling.flink.test_adopting import COUNT, FOREIGN, SUM
from tests.unit.reconciling.flink.test_matrix import version


def foreign_job(flink: FakeFlink) -> FakeJob:
    """Start a job as somebody else would, and let it run for a while."""
    flink.cluster = replace(flink.cluster, intercepts_exit=True)
    flink.programs["Old"] = Program(vertices=(COUNT,))
    by_hand = version("Old", "savepoint", job_name="by-hand")
    job = flink.submit_by_hand(Submission(FOREIGN, by_hand, DIGEST_1, None))
    flink.pass_time(5)
    flink.pass_time(70)
    return job


def _run(directory: Path, test: Callable[[Gateway], Awaitable[None]]) -> None:
    async def run() -> None:
        gateway = Gateway(directory)
        async with gateway.running():
            await test(gateway)

    asyncio.run(run())


async def _adopt(gateway: Gateway, allow_no_way_back: bool = False) -> str:
    request = adopting(gateway.request("NEW"), FOREIGN, allow_no_way_back=allow_no_way_back)
    action = await gateway.ended((await gateway.jobs.submit(request)).id)
    return f"{action.result}: {action.output}"


def test_a_running_job_is_adopted_and_changed_with_its_state(tmp_path: Path) -> None:
    async def test(gateway: Gateway) -> None:
        job = foreign_job(gateway.flink)
        before = len(gateway.flink.submissions)
        assert await gateway.jobs.on_record(CLUSTER, [FOREIGN]) == frozenset()
        assert await _adopt(gateway) == "SUCCESS: Job adopted; it was not restarted"
        row = await gateway.row()
        assert (row.status, row.record.job_id) == ("RUNNING", FOREIGN)
        assert gateway.flink.the_job() is job
        assert len(gateway.flink.submissions) == before
        others = ["e" * 32, FOREIGN]
        assert await gateway.jobs.on_record(CLUSTER, others) == frozenset([FOREIGN])
        counted = gateway.flink.progress(job)
        updated = await gateway.done("UPDATE", parallelism=3)
        now = gateway.flink.the_job()
        assert now.base >= counted
        assert (updated.record.job_id, now.parallelism) == (now.job_id, 3)
        assert updated.record.adopted is None

    _run(tmp_path, test)


def test_an_adopted_job_is_observed_by_its_own_job_id(tmp_path: Path) -> None:
    """Shows that its row is left as it is while it runs, and that its failure is noticed."""

    async def test(gateway: Gateway) -> None:
        job = foreign_job(gateway.flink)
        await _adopt(gateway)
        await gateway.look()
        first = await gateway.row()
        read: list[int] = []
        refresh = gateway.jobs._observers[CLUSTER]._refresh

        async def noted(number: int) -> None:
            read.append(number)
            await refresh(number)

        gateway.jobs._observers[CLUSTER]._refresh = noted  # type: ignore[method-assign]
        await gateway.look()
        assert read == []
        assert (await gateway.row()).revision == first.revision
        gateway.flink.end(job, "FAILED", "RuntimeException: gone")
        await gateway.look()
        assert read != []
        assert (await gateway.row()).status == "FAILED"

    _run(tmp_path, test)


def test_what_cannot_be_adopted_is_refused_and_goes_on(tmp_path: Path) -> None:
    """Shows a job that does not run, one of another name, and one whose program is another."""

    async def test(gateway: Gateway) -> None:
        said = await _adopt(gateway)
        assert said.startswith("FAILED")
        assert f"no job {FOREIGN} runs on" in said
        job = foreign_job(gateway.flink)
        gateway.flink.programs["Old"] = Program(vertices=(SUM,))
        await gateway.do("DELETE")
        said = await _adopt(gateway)
        row = await gateway.row()
        assert row.record.job_id == FOREIGN, said
        failed = await gateway.do("UPDATE", parallelism=3)
        assert failed.result == "FAILED"
        assert "could not be started again" in str(failed.output)
        assert gateway.flink.the_job() is job

    _run(tmp_path, test)


def test_a_job_that_is_newer_than_the_latest_list_is_found(tmp_path: Path) -> None:
    """Shows its name and parallelism, for whom a page has just shown it."""

    async def test(gateway: Gateway) -> None:
        await gateway.look()
        old = await gateway.flink.jobs()
        foreign_job(gateway.flink)
        asked: list[float] = []

        async def jobs(max_age: float = 0.0) -> ClusterSnapshot:
            asked.append(max_age)
            return old if max_age else await FakeFlink.jobs(gateway.flink)

        gateway.flink.jobs = jobs  # type: ignore[method-assign]
        job, parallelism = await gateway.jobs.running_job(CLUSTER, FOREIGN)
        assert job is not None
        assert (job.job_id, parallelism) == (FOREIGN, 2)
        assert len(asked) == 2
        assert await gateway.jobs.running_job(CLUSTER, "e" * 32) == (None, None)

    _run(tmp_path, test)
