"""A gateway before a cluster behind a proxy, with one job that a file's tests hand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fault_proxy import FaultProxy
from tests.faults.gateway.served_job import ServedJob
from tests.faults.gateway.steps import left_out
from tests.faults.points import FULL_VARIABLE
from tests.flink_cluster import FlinkCluster


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out: nothing is skipped silently."""
    if left_out:
        terminalreporter.write_line(
            f"tests/faults/gateway: {len(left_out)} further requests at which a gateway is killed "
            f"were left out; {FULL_VARIABLE}=1 runs them all."
        )


@pytest.fixture(scope="module")
def kept_jobs(flink_2_session: FlinkCluster) -> Iterator[list[ServedJob]]:
    """Hold the job that one test leaves for the next."""
    kept: list[ServedJob] = []
    flink_2_session.clear()
    yield kept
    for job in kept:
        job.close()
    flink_2_session.clear()


@pytest.fixture
def served_job(
    kept_jobs: list[ServedJob],
    flink_2_session: FlinkCluster,
    proxy: FaultProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> ServedJob:
    """Return a job of a gateway that runs: that of the test before, if that left it in order."""
    proxy.begin()
    if not kept_jobs or not kept_jobs[0].settled:
        for job in kept_jobs:
            job.close()
        flink_2_session.clear()
        directory = tmp_path_factory.mktemp("served") / "gateway"
        kept_jobs[:] = [ServedJob(directory, proxy, flink_2_session)]
    return kept_jobs[0]
