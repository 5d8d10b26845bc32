"""A cluster that is restarted without its jobs, while a gateway is idle and in its actions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.fault_proxy import FaultProxy, Moment, at_request
from tests.faults.gateway.served_job import ServedJob
from tests.faults.points import CANCEL, FULL, RUN, STOP, Point
from tests.flink_cluster import FLINK_2, FlinkCluster
from tests.waiting import wait_until

_SAVEPOINT = Point("savepoint", r"POST /jobs/\w+/savepoints$")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedJob]:
    """Give a job on a cluster that may be restarted."""
    root = tmp_path_factory.mktemp("restarted")
    with (
        closing(FlinkCluster(root / "flink", FLINK_2, slots=8)) as cluster,
        FaultProxy(cluster.url) as proxy,
        closing(ServedJob(root / "gateway", proxy, cluster)) as job,
    ):
        yield job


def test_an_idle_gateway_starts_again_what_was_lost(job: ServedJob) -> None:
    """Shows that it comes back by itself from its newest checkpoint, and who did that."""
    job.bring_to("RUNNING")
    before = job.before()
    job.cluster.restart_job_manager()
    assert job.active() == []
    assert_relaunched(job, before.actions)
    job.assert_runs()
    assert job.gateway.audit[-1]["who"] == "gateway"


@pytest.mark.parametrize("point", [STOP, RUN], ids=["before-stop", "before-run"])
def test_an_update_goes_on_after_the_restart(job: ServedJob, point: Point) -> None:
    """Shows both the old version lost, and the old version stopped and the new one not started."""
    job.bring_to("RUNNING")
    restart = at_request(point.pattern, Moment.BEFORE, job.cluster.restart_job_manager)
    job.proxy.begin(restart)
    path = job.ask("UPDATE", **job.next_version())
    ended = job.ended(path, 120)
    assert ended["actionResult"] == "SUCCESS", ended["jobOutput"]
    state = "/savepoint-" if point is RUN else "/chk-"
    assert state in ended["jobOutput"]
    job.assert_runs()


#: The action, where in it the cluster is restarted, and how it ends: its result and its output.
OTHERS = [
    ("STOP", STOP, "FAILED", "is no longer listed; nothing was started without state"),
    ("SAVEPOINT", _SAVEPOINT, "FAILED", "no savepoint can be taken"),
    ("LAST_STATE_UPDATE", CANCEL, "SUCCESS", "/chk-"),
    ("LAST_STATE_UPDATE", RUN, "SUCCESS", "/chk-"),
]


@pytest.mark.parametrize(
    ("action", "point", "result", "words"),
    [
        pytest.param(*other, id=f"{other[0]}-{other[1].name}")
        for other in (OTHERS if FULL else OTHERS[:1])
    ],
)
def test_other_actions_end_and_the_job_is_back(
    job: ServedJob, action: str, point: Point, result: str, words: str
) -> None:
    """Shows that what was lost in an action that failed comes back by itself."""
    job.bring_to("RUNNING")
    job.proxy.begin(at_request(point.pattern, Moment.BEFORE, job.cluster.restart_job_manager))
    properties = job.next_version() if action.endswith("UPDATE") else {}
    path = job.ask(action, **properties)
    ended = job.ended(path, 120)
    assert (ended["actionResult"], words in ended["jobOutput"]) == (result, True), ended
    if result == "FAILED":
        assert_relaunched(job, frozenset(each.id for each in job.actions()))
    job.assert_runs()


def assert_relaunched(job: ServedJob, before: frozenset[str]) -> None:
    """Assert that the gateway itself starts the job again, once."""

    def relaunched() -> dict[str, Any] | None:
        row = job.row()
        assert row is not None
        assert (row["action"], row["status"]) == ("RE_LAUNCH", "RUNNING"), row
        assert row["actionResult"] == "SUCCESS", row
        return row

    wait_until(relaunched, 90, "the job is started again")
    (action,) = [each for each in job.actions() if each.id not in before]
    assert "Job started from" in action.output
