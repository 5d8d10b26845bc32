"""A gateway that is killed (`kill -9`) where an action disposes of an old savepoint."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fault_proxy import FaultProxy, Moment
from tests.faults.gateway.served_job import ServedJob
from tests.faults.points import Point
from tests.flink_cluster import FlinkCluster

REQUEST = r"POST /savepoint-disposal$"
POINTS = [
    Point("disposal_unsent", REQUEST, Moment.BEFORE),
    Point("disposal", REQUEST),
    Point("poll_of_disposal", r"GET /savepoint-disposal/"),
]


@pytest.fixture(scope="module")
def retaining_job(
    flink_2_session: FlinkCluster,
    proxy: FaultProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServedJob]:
    """Return a job of a gateway that keeps one savepoint."""
    flink_2_session.clear()
    directory = tmp_path_factory.mktemp("retaining") / "gateway"
    job = ServedJob(directory, proxy, flink_2_session, savepoint_retention={"count": 1})
    yield job
    job.close()
    flink_2_session.clear()


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_what_was_disposed_of_is_no_way_back(retaining_job: ServedJob, point: Point) -> None:
    """Shows that the action ends once, that the old one goes, and that all on record restore."""
    job = retaining_job
    job.proxy.begin()
    job.bring_to("RUNNING")
    job.do("SAVEPOINT")
    job.do("SAVEPOINT")
    before = job.before()
    job.killed_at(point, "SAVEPOINT")
    job.proxy.begin()
    job.end_once(before, "SAVEPOINT")
    left = job.savepoints()
    gone = before.savepoints - left
    assert gone
    assert len(left - before.savepoints) == 1, "the savepoint was taken once"
    assert not any(path.parent.exists() for path in gone)
    assert job.listed() == {path.parent for path in left}
    job.assert_runs()
    for path in gone:
        assert "was disposed of" in job.refused("UPDATE", savePointName=path.parent.name)
    job.do("STOP")
    job.do("START")
    job.assert_runs()
