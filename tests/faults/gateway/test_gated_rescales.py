"""A gateway's UPDATE of the parallelism alone, which the cluster's health gate judges.

The cluster has the adaptive scheduler, so the job is rescaled while it runs: under one jobId.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from tests import impatient_gateway
from tests.fault_proxy import FaultProxy, Moment
from tests.faults.gateway.served_job import ServedJob
from tests.faults.points import Point
from tests.flink_cluster import ADAPTIVE, FLINK_2, RESCALES, FlinkCluster, release_of

pytestmark = pytest.mark.skipif(
    release_of(FLINK_2) < RESCALES, reason="this Flink rescales no running job"
)

PASSES: dict[str, Any] = {"window": "2s"}
#: No job completes as many in its time.
FAILS = {"window": "2s", "min_checkpoints": 100_000}
REQUEST = r"PUT /jobs/\w+/resource-requirements$"
RESCALE = Point("rescale", REQUEST)
RESCALE_UNSENT = Point("rescale_unsent", REQUEST, Moment.BEFORE)
GATE = Point("poll_of_gate", r"GET /jobs/\w+/exceptions\?maxExceptions", once_seen=REQUEST)


@pytest.fixture(scope="module")
def rescaled_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedJob]:
    """Return a job that runs on a cluster of its own; each test leaves it to the next."""
    root = tmp_path_factory.mktemp("rescales")
    cluster = FlinkCluster(
        root / "flink", FLINK_2, slots=8, configuration={**ADAPTIVE, RETENTION: RETAINED}
    )
    try:
        with FaultProxy(cluster.url) as proxy:
            command = [sys.executable, str(Path(impatient_gateway.__file__))]
            job = ServedJob(root / "gateway", proxy, cluster, command)
            job.bring_to("RUNNING")
            yield job
            job.close()
    finally:
        cluster.close()


def judged_by(job: ServedJob, gate: dict[str, Any]) -> None:
    """Start the gateway again, with a gate for the versions that it starts."""
    [cluster] = job.gateway.content["clusters"]
    job.gateway.close()
    job.gateway.write(clusters=[{**cluster, "health": gate}])
    job.gateway.start()


def other_parallelism(job: ServedJob) -> tuple[int, int, dict[str, Any]]:
    """Return the parallelism that the job has, another one, and the properties that ask for it."""
    [job_id] = job.active()
    [now] = job.cluster.parallelism(job_id)
    wanted = 3 - now
    configuration = {"parallelism": str(wanted), RETENTION: RETAINED}
    return now, wanted, {"flinkConfiguration": configuration}


def test_a_rescale_that_passes(rescaled_job: ServedJob) -> None:
    job = rescaled_job
    judged_by(job, PASSES)
    [job_id] = job.active()
    _, wanted, properties = other_parallelism(job)
    done = job.do("UPDATE", **properties)
    assert f"Rescaled to parallelism {wanted} while it ran" in done["jobOutput"]
    assert job.active() == [job_id]
    job.cluster.await_parallelism(job_id, wanted)
    job.assert_runs()


def test_one_that_does_not_is_set_back(rescaled_job: ServedJob) -> None:
    """Shows that the action fails and says so, and that the job runs on as it was."""
    job = rescaled_job
    judged_by(job, FAILS)
    [job_id] = job.active()
    before, _, properties = other_parallelism(job)
    found = job.ended(job.ask("UPDATE", **properties))
    assert found["actionResult"] == "FAILED"
    assert "health.min_checkpoints" in found["jobOutput"]
    assert f"was rescaled back to parallelism {before}" in found["jobOutput"]
    assert job.active() == [job_id]
    job.cluster.await_parallelism(job_id, before)
    job.assert_runs()


@pytest.mark.parametrize("gate", [PASSES, FAILS], ids=["passes", "fails"])
@pytest.mark.parametrize("point", [RESCALE_UNSENT, RESCALE, GATE], ids=lambda point: point.name)
def test_a_gateway_that_is_killed_judges_it_when_it_is_back(
    rescaled_job: ServedJob, point: Point, gate: dict[str, Any]
) -> None:
    """Shows that the action ends once, under the same jobId, with no count lost or repeated."""
    job = rescaled_job
    judged_by(job, gate)
    [job_id] = job.active()
    before, wanted, properties = other_parallelism(job)
    known = {recorded.id for recorded in job.actions()}
    job.killed_at(point, "UPDATE", **properties)
    job.proxy.begin()
    job.gateway.start()
    recorded = job.end_of_new(known)
    passes = gate is PASSES
    assert (recorded.action, recorded.result) == ("UPDATE", "SUCCESS" if passes else "FAILED")
    assert passes or f"was rescaled back to parallelism {before}" in recorded.output
    assert job.active() == [job_id]
    job.cluster.await_parallelism(job_id, wanted if passes else before)
    job.assert_runs()
