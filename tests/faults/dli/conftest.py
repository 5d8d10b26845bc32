"""A gateway with the API of Data Lake Insight, behind a proxy; jobs whose runs are killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.end_to_end.flink.targets import DliTarget
from tests.fault_proxy import FaultProxy
from tests.faults.conftest import MakeJob
from tests.faults.counted_job import CountedJob
from tests.flink_cluster import FlinkCluster
from tests.stack_project import NO_PULUMI_CLI, PULUMI_CLI, StackProject


@pytest.fixture(scope="module")
def make_job(
    flink_2_session: FlinkCluster,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MakeJob]:
    """Return a function that makes a job in a stack of its own, nothing of it running: (engine).

    Each has a gateway of its own, whose project nobody used before.
    """
    with ExitStack() as opened:

        def make(engine: str = "embedded") -> CountedJob:
            if engine == "pulumi" and not PULUMI_CLI:
                pytest.skip(NO_PULUMI_CLI)
            python = request.getfixturevalue("pulumi_python") if engine == "pulumi" else None
            opened.close()
            flink_2_session.clear()
            root = tmp_path_factory.mktemp("faults-dli")
            target = opened.enter_context(closing(DliTarget(flink_2_session, root / "gateway")))
            proxy = opened.enter_context(FaultProxy(target.inputs["endpoint"]))
            inputs = {**target.inputs, "endpoint": proxy.url}
            project = StackProject(
                root / "project", engine, proxy.url, python, stack=root.name, target=inputs
            )
            project.environment.update(target.environment)
            return opened.enter_context(
                closing(CountedJob(project, proxy, flink_2_session, root / "files"))
            )

        yield make
    flink_2_session.clear()
