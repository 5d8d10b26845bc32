"""Restarts and checkpoints of listed jobs: what is asked for them, and how often."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest

from tests.contract.flink.scripted import ok
from tests.contract.observing.test_cluster_monitor import NOW, MonitoredFlink, ids, row

RESTARTS = "numRestarts"


class ListedFlink(MonitoredFlink):
    """A cluster of jobs that were restarted so often."""

    metric = RESTARTS

    def _aggregated(self, values: Sequence[float]) -> list[dict[str, Any]]:
        """Return what Flink does; NaN stands for a job that has no such metric yet."""
        there = [value for value in values if not math.isnan(value)]
        return super()._aggregated(there) if there else []


def _asked(flink: MonitoredFlink, what: str) -> int:
    return sum(what in each.path for each in flink.sent)


@pytest.mark.parametrize(
    ("different", "requests"), [({}, 1), ({3: 7.0}, 13), ({3: 7.0, 4: 7.0}, 17)]
)
def test_restarts_are_asked_for_jobs_that_differ(
    different: dict[int, float], requests: int
) -> None:
    """Shows that 64 jobs that were restarted equally often cost one request, not 64."""
    jobs = ids(64)
    values = dict.fromkeys(jobs, 2.0) | {jobs[at]: value for at, value in different.items()}
    flink = ListedFlink(values)
    found = asyncio.run(flink.monitor().listed(jobs, 10.0))
    assert {job_id: seen.restarts for job_id, seen in found.items()} == values
    assert _asked(flink, f"get={RESTARTS}&") == requests


def test_a_job_without_the_metric_does_not_have_the_number_of_the_others() -> None:
    """Shows a job that was just submitted: the least and the greatest are those of the others."""
    jobs = ids(5)
    flink = ListedFlink(dict.fromkeys(jobs, 3.0) | {jobs[2]: math.nan})
    found = asyncio.run(flink.monitor().listed(jobs, 10.0))
    assert {job_id: seen.restarts for job_id, seen in found.items()} == (
        dict.fromkeys(jobs, 3) | {jobs[2]: None}
    )


def test_checkpoints_are_read_once_for_all_and_again_when_they_are_old() -> None:
    flink = ListedFlink(dict.fromkeys(ids(3), 0.0))
    body = {"id": 4, "status": "COMPLETED", "trigger_timestamp": NOW, "end_to_end_duration": 5}
    for job_id in ids(3):
        flink.answer(f"GET jobs/{job_id}/checkpoints", ok(counts={}, latest={}, history=[body]))

    async def look() -> None:
        monitor = flink.monitor()
        await asyncio.gather(*(monitor.listed(ids(2), 10.0) for _ in range(20)))
        assert _asked(flink, "/checkpoints/config") == 2
        assert _asked(flink, "/checkpoints") == 4
        found = await monitor.listed(ids(3), 10.0)
        assert [
            seen.last_completed.completed for seen in found.values() if seen.last_completed
        ] == ([NOW + 5] * 3)
        flink.clock.time += 11
        await monitor.listed(ids(3), 10.0)
        assert _asked(flink, "/checkpoints") - _asked(flink, "/config") == 2 + 1 + 3

    asyncio.run(look())


def test_jobs_that_have_ended_and_unknown_ones_are_left_out() -> None:
    flink = ListedFlink({"a" * 32: 0.0})
    flink.answer("GET jobs/overview", ok(jobs=[row("a" * 32, "CANCELED") | {"end-time": NOW}]))
    assert asyncio.run(flink.monitor().listed(["a" * 32, "b" * 32], 10.0)) == {}
    assert _asked(flink, "/checkpoints") == 0


def test_restarts_that_are_not_reported_are_unknown() -> None:
    flink = ListedFlink(dict.fromkeys(ids(1), 0.0))
    flink.answer("GET jobs/metrics", flink._list([]))
    (seen,) = asyncio.run(flink.monitor().listed(ids(1), 10.0)).values()
    assert seen.restarts is None
