"""A JobManager with HA storage that is killed, and starts again with the jobs that it had."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault_proxy import FaultProxy
from tests.faults.counted_job import CountedJob
from tests.faults.matrix.campaign import STAYING_ACTIONS, Campaign, disturbed_cases
from tests.faults.matrix.cases import Outcome
from tests.faults.matrix.disturbances import DISTURBANCES, kill
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.stack_project import StackProject
from tests.zookeeper import ZooKeeper

#: Of the moments at which a JobManager is killed, how many are tried: each takes half a minute.
_MOMENTS = 4


@pytest.fixture
def lasting_flink(
    start_flink: Callable[..., FlinkCluster], tmp_path: Path
) -> Iterator[FlinkCluster]:
    """Return a cluster whose JobManager forgets no job when it is started again."""
    with closing(ZooKeeper(tmp_path / "zookeeper", FLINK_2)) as keeper:
        cluster = start_flink(configuration=keeper.configuration)
        yield cluster
        cluster.close()


def test_a_job_that_was_brought_back_is_as_declared(
    lasting_flink: FlinkCluster, tmp_path: Path
) -> None:
    """Shows that nothing is to be done then, that its state is kept, and that it can be updated."""
    with FaultProxy(lasting_flink.url) as proxy:
        project = StackProject(tmp_path / "project", "embedded", proxy.url)
        job = CountedJob(project, proxy, lasting_flink, tmp_path / "files")
        job.next_version()
        project.up()
        job.assert_runs()
        job_id = job.outputs()["job_id"]
        kill(lasting_flink, "jobmanager")
        lasting_flink.start_missing()
        lasting_flink.await_tasks_running(job_id)
        counts = job.assert_runs()
        assert job.outputs()["job_id"] == job_id
        assert "2 unchanged" in project.preview("--refresh", "--expect-no-changes").text
        job.next_version()
        project.up()
        after = job.assert_runs()
        assert (after.labels["v1"] >= counts.labels["v1"], after.labels["v2"] > 0) == (True, True)
        job.close()


def test_a_choice_of_moments(
    lasting_flink: FlinkCluster, tmp_path: Path, random_choices: random.Random
) -> None:
    """Shows that nothing is lost or doubled; the next run finishes what was begun."""
    campaign = Campaign(lasting_flink, tmp_path / "jobs", lanes=1)
    kinds = [each for each in DISTURBANCES if each.keeps_jobs]

    async def tried() -> None:
        recorded = await campaign.record(random_choices.sample(STAYING_ACTIONS, _MOMENTS), reads=1)
        for action, requests in recorded.items():
            cases = disturbed_cases({action: requests}, kinds)
            await campaign.run([random_choices.choice(cases)])

    asyncio.run(tried())
    assert [
        f"{each.case}: {each.ended}: {each.why}" for each in campaign.found if each.is_bad
    ] == []
    survived = [each for each in campaign.found if each.outcome is Outcome.SURVIVED]
    assert len(survived) >= _MOMENTS - 1, campaign.progress()
