"""A cluster behind a proxy, and jobs whose runs are killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fault_proxy import FaultProxy
from tests.faults.counted_job import CountedJob
from tests.flink_cluster import FlinkCluster
from tests.stack_project import NO_PULUMI_CLI, PULUMI_CLI, StackProject

MakeJob = Callable[..., CountedJob]


@pytest.fixture(scope="module")
def proxy(flink_2_session: FlinkCluster) -> Iterator[FaultProxy]:
    """Put a proxy before a Flink 2.3."""
    with FaultProxy(flink_2_session.url) as running:
        yield running


@pytest.fixture(scope="module")
def make_job(
    flink_2_session: FlinkCluster,
    proxy: FaultProxy,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MakeJob]:
    """Return a function that makes a job in a stack of its own, nothing of it running: (engine)."""
    made: list[CountedJob] = []

    def make(engine: str = "embedded") -> CountedJob:
        if engine == "pulumi" and not PULUMI_CLI:
            pytest.skip(NO_PULUMI_CLI)
        python = request.getfixturevalue("pulumi_python") if engine == "pulumi" else None
        for job in made:
            job.close()
        flink_2_session.clear()
        proxy.begin()
        root = tmp_path_factory.mktemp("faults")
        # A name of its own for each: the cluster remembers the jobs of earlier tests.
        project = StackProject(root / "project", engine, proxy.url, python, stack=root.name)
        made.append(CountedJob(project, proxy, flink_2_session, root / "files"))
        return made[-1]

    yield make
    for job in made:
        job.close()
    flink_2_session.clear()


@pytest.fixture
def fresh_job(make_job: MakeJob, engine: str) -> CountedJob:
    """Return a job that never ran, its first version declared."""
    job = make_job(engine)
    job.next_version()
    return job


@pytest.fixture(scope="module")
def kept_jobs() -> list[CountedJob]:
    """Hold the job that one test leaves running for the next."""
    return []


@pytest.fixture
def running_job(make_job: MakeJob, engine: str, kept_jobs: list[CountedJob]) -> CountedJob:
    """Return a job that runs with state: that of the test before, if that left it in order."""
    if not kept_jobs or not kept_jobs[0].settled or kept_jobs[0].project.engine != engine:
        kept_jobs[:] = [make_job(engine)]
        kept_jobs[0].next_version()
        kept_jobs[0].project.up()
        kept_jobs[0].assert_runs()
    kept_jobs[0].proxy.begin()
    return kept_jobs[0]
