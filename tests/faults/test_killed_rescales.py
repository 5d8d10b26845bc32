"""`up` of a job whose parallelism alone changes, killed at each request that changes something.

The cluster has the adaptive scheduler, so the job is rescaled while it runs: under one jobId.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flink_jobs_provider.model.flink_options import RETAINED, RETENTION
from tests.fault_proxy import FaultProxy, Moment
from tests.faults.counted_job import CountedJob, Victims
from tests.faults.points import CHECKPOINT, PLAN, Case, Next, Point, cases, requests_not_among
from tests.flink_cluster import ADAPTIVE, FLINK_2, RESCALES, FlinkCluster, release_of
from tests.stack_project import StackProject

pytestmark = pytest.mark.skipif(
    release_of(FLINK_2) < RESCALES, reason="this Flink rescales no running job"
)

UP = ("up", "--yes", "--skip-preview")
REQUEST = r"PUT /jobs/\w+/resource-requirements$"
RESCALE = Point("rescale", REQUEST)
RESCALE_UNSENT = Point("rescale_unsent", REQUEST, Moment.BEFORE)
POLL = Point("poll_of_rescale", r"GET /jobs/overview$", once_seen=REQUEST)
GATE = Point("poll_of_gate", r"GET /jobs/\w+/exceptions\?maxExceptions", once_seen=REQUEST)
POINTS = [PLAN, RESCALE_UNSENT, RESCALE, POLL, CHECKPOINT]
CASES = cases(
    POINTS,
    (Next.SAME, Next.PREVIOUS),
    [Case(RESCALE, Victims.ENGINE), Case(RESCALE, then=Next.PREVIOUS)],
)


@pytest.fixture(scope="module")
def rescaled_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountedJob]:
    """Return a job that runs on a cluster of its own; each test leaves it to the next."""
    root = tmp_path_factory.mktemp("rescales")
    cluster = FlinkCluster(
        root / "flink", FLINK_2, slots=8, configuration={**ADAPTIVE, RETENTION: RETAINED}
    )
    try:
        with FaultProxy(cluster.url) as proxy:
            project = StackProject(root / "project", "embedded", proxy.url, None, stack=root.name)
            job = CountedJob(project, proxy, cluster, root / "files")
            job.next_version(parallelism=2)
            project.up()
            yield job
            job.close()
    finally:
        cluster.close()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rescale_goes_on_under_the_same_job_id(rescaled_job: CountedJob, case: Case) -> None:
    """The next `up` ends with what is declared then, one job, and no count lost or repeated."""
    job, before = rescaled_job, rescaled_job.inputs["parallelism"]
    [job_id] = job.active()
    job.proxy.begin()
    job.inputs["parallelism"] = 6 - before
    job.interrupted(UP, case.point.strike, case.who)
    if case.then is Next.PREVIOUS:
        job.inputs["parallelism"] = before
        job.recover(*UP, "--refresh")
    else:
        job.recover()
    wanted = job.inputs["parallelism"]
    job.assert_runs()
    assert job.outputs()["job_id"] == job_id
    assert job.outputs()["running_parallelism"] == wanted
    job.cluster.await_parallelism(job_id, wanted)
    job.project.preview("--refresh", "--expect-no-changes")


@pytest.mark.parametrize("passes", [True, False])
def test_a_rescale_whose_gate_was_cut_short_is_judged_again(
    rescaled_job: CountedJob, passes: bool
) -> None:
    """The next `up` requests nothing again, and sets it back where it does not pass."""
    job, before = rescaled_job, rescaled_job.inputs["parallelism"]
    [job_id] = job.active()
    gate = {"window": "3s", "min_checkpoints": 1 if passes else 100_000}
    job.inputs |= {"parallelism": 6 - before, "health": gate, "timeouts": {"running": "15s"}}
    job.interrupted(UP, GATE.strike, Victims.ENGINE_AND_PROVIDER)
    job.proxy.begin()
    finished = job.project.run(*UP, code=0 if passes else None)
    rescales = [each for each in job.proxy.changes if RESCALE.matches(each)]
    assert len(rescales) == (0 if passes else 1)
    said = "passed: " if passes else f"was rescaled back to parallelism {before}"
    assert said in finished.text, finished.text
    if not passes:
        job.inputs["parallelism"] = before
    del job.inputs["health"], job.inputs["timeouts"]
    job.recover()
    job.assert_runs()
    assert job.outputs()["job_id"] == job_id
    job.cluster.await_parallelism(job_id, job.inputs["parallelism"])


def test_no_request_is_left_out(rescaled_job: CountedJob) -> None:
    """Every request by which a rescale changes something is killed above."""
    job = rescaled_job
    job.proxy.begin()
    job.inputs["parallelism"] = 6 - job.inputs["parallelism"]
    job.project.up("--skip-preview")
    assert requests_not_among(POINTS, job.proxy.changes) == []
    assert sum(RESCALE.matches(each) for each in job.proxy.changes) == 1
    job.assert_runs()
