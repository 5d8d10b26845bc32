"""A cluster that is restarted without its jobs, while a gateway is idle and in its actions."""

from __future__ import annotations

import re
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
    """Return a job on a cluster that may be restarted."""
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
    job.cluster.restart_job_manager()
    assert_relaunched(job)
    job.assert_runs()
    assert job.gateway.audit[-1]["who"] == "gateway"


def test_an_update_goes_on_from_its_savepoint_after_the_restart(job: ServedJob) -> None:
    """Shows an old version stopped, and the new one not yet started."""
    job.bring_to("RUNNING")
    job.proxy.begin(at_request(RUN.pattern, Moment.BEFORE, job.cluster.restart_job_manager))
    ended = job.ended(job.ask("UPDATE", **job.next_version()), 120)
    assert ended["actionResult"] == "SUCCESS", ended["jobOutput"]
    assert "/savepoint-" in ended["jobOutput"]
    job.assert_runs()


def test_an_update_whose_job_is_lost_goes_on_from_its_checkpoint(job: ServedJob) -> None:
    """Shows that it finds the job lost, and starts the new version from the newest checkpoint."""
    job.bring_to("RUNNING")
    job.proxy.begin(at_request(STOP.pattern, Moment.BEFORE, job.cluster.restart_job_manager))
    ended = job.ended(job.ask("UPDATE", **job.next_version()), 120)
    assert ended["actionResult"] == "SUCCESS", ended["jobOutput"]
    assert "/chk-" in ended["jobOutput"]
    job.assert_runs()


#: As an action says it that meets the new cluster, or is given up before that is there.
_LOST = "is no longer listed|had ended before it could be stopped|no savepoint can be taken"
#: The action, where in it the cluster is restarted, and how it ends: its result and its output.
OTHERS = [
    ("STOP", STOP, "FAILED", _LOST),
    ("SAVEPOINT", _SAVEPOINT, "FAILED", _LOST),
    ("LAST_STATE_UPDATE", CANCEL, "SUCCESS", "/chk-"),
    ("LAST_STATE_UPDATE", RUN, "SUCCESS", "/chk-"),
]


@pytest.mark.parametrize(
    ("action", "point", "result", "words"),
    [
        pytest.param(*other, id=f"{other[0]}-{other[1].name}")
        for other in (OTHERS if FULL else OTHERS[2:3])
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
    assert ended["actionResult"] == result, ended["jobOutput"]
    assert re.search(words, ended["jobOutput"]), ended["jobOutput"]
    if result == "FAILED":
        assert_relaunched(job)
    job.assert_runs()


def assert_relaunched(job: ServedJob) -> None:
    """Assert that the gateway itself starts the job again, once."""

    def relaunched() -> dict[str, Any] | None:
        row = job.row()
        assert row is not None
        assert (row["action"], row["status"]) == ("RE_LAUNCH", "RUNNING"), row
        assert row["actionResult"] == "SUCCESS", row
        return row

    wait_until(relaunched, 90, "the job is started again")
    assert "Job started from" in job.actions()[-1].output
    relaunches = [each for each in job.actions()[-2:] if each.action == "RE_LAUNCH"]
    assert len(relaunches) == 1, "started again once"
