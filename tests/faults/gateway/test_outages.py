"""A cluster that is away, slow, or answers with errors for a while, in the middle of an action."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fault_proxy import Answer, Verdict
from tests.faults.gateway.outages import (
    AWAY,
    FLINK_500,
    FLINK_503,
    PROXY_500,
    PROXY_503,
    Outage,
    Slow,
)
from tests.faults.gateway.served_job import ServedJob
from tests.faults.points import FULL, RUN, STOP, UPLOAD, Point
from tests.waiting import wait_until

OUTAGES: dict[str, tuple[Verdict | Answer, str]] = {
    "away": (AWAY, "no connection to"),
    "proxy-503": (PROXY_503, "answers 503"),
    "flink-503": (FLINK_503, "is not ready"),
    "proxy-500": (PROXY_500, "answers 500"),
    "flink-500": (FLINK_500, "answered 500"),
}
#: Of those before the old version has ended, and after.
CHOSEN = {("away", RUN), ("proxy-503", STOP), ("flink-500", RUN)}


def _name(point: Point | None) -> str:
    return point.name if point else "every_request"


@pytest.mark.parametrize(
    ("outage", "point"),
    [
        pytest.param(name, point, id=f"{name}-at-{point.name}")
        for name in OUTAGES
        for point in (UPLOAD, STOP, RUN)
        if FULL or (name, point) in CHOSEN
    ],
)
def test_an_update_goes_on_when_the_cluster_is_back(
    served_job: ServedJob, outage: str, point: Point
) -> None:
    """Shows that its output says meanwhile what it waits for, and that no person is needed."""
    verdict, words = OUTAGES[outage]
    served_job.bring_to("RUNNING")
    before = served_job.before()
    spoiling = Outage(verdict, point)
    served_job.proxy.begin(spoiling)
    path = served_job.ask("UPDATE", **served_job.next_version())

    def waits() -> dict[str, Any]:
        found = served_job.operation(path)
        assert words in found["jobOutput"], found
        return found

    waiting = wait_until(waits, 60, "the output says what it waits for")
    spoiling.end()
    assert waiting["actionResult"] == "IN_PROGRESS", waiting["jobOutput"]
    assert "Retried until" in waiting["jobOutput"]
    ended = served_job.ended(path)
    assert ended["actionResult"] == "SUCCESS", ended["jobOutput"]
    assert "Job started from" in ended["jobOutput"]
    served_job.assert_once(before, jobs=1, savepoints=1)
    served_job.assert_runs()


@pytest.mark.parametrize("point", [RUN, *([STOP, UPLOAD, None] if FULL else [])], ids=_name)
def test_a_slow_cluster_is_waited_for(served_job: ServedJob, point: Point | None) -> None:
    """Shows an answer after five seconds: nothing is sent twice, and the list does not wait."""
    served_job.bring_to("RUNNING")
    before = served_job.before()
    slow = Slow(5, point)
    served_job.proxy.begin(slow)
    path = served_job.ask("UPDATE", **served_job.next_version())
    assert slow.held.wait(60)
    row = served_job.row()
    assert row is not None
    assert (row["action"], row["actionResult"]) == ("UPDATE", "IN_PROGRESS")
    ended = served_job.ended(path, 300)
    sent = [str(each) for each in served_job.proxy.changes]
    slow.end()
    assert ended["actionResult"] == "SUCCESS", ended["jobOutput"]
    once = [each for each in sent if not each.endswith("/plan")]
    assert len(once) == len(set(once)), sent
    assert len(sent) - len(once) in (2, 3), "the new version's plan, and those that compare state"
    served_job.assert_once(before, jobs=1, savepoints=1)
    served_job.assert_runs()
