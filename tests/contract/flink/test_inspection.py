"""What is told to people: the history of checkpoints, exceptions, restarts."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.inspection import (
    JobInspection,
    parse_exceptions,
    parse_history,
)
from flink_jobs_provider.control_planes.flink.plane import FlinkRest
from flink_jobs_provider.inspecting.job_choice import Owners, named_jobs
from flink_jobs_provider.inspecting.job_rows import job_facts, job_rows
from tests.contract.flink.scripted import ScriptedFlink, ok

NOW = 1_800_000_000_000


def completed(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "status": "COMPLETED",
        "is_savepoint": False,
        "discarded": False,
        "trigger_timestamp": NOW - 5000,
        "end_to_end_duration": 1000,
        "state_size": 5163,
        "external_path": f"file:/c/chk-{number}",
        **changes,
    }


def overview_row(job_id: str) -> dict[str, Any]:
    return {
        "jid": job_id,
        "name": "x",
        "state": "RUNNING",
        "start-time": NOW - 60_000,
        "end-time": -1,
        "duration": 60_000,
        "tasks": {"total": 1, "running": 1},
    }


def test_the_last_checkpoint_of_a_healthy_job_also_when_it_was_discarded() -> None:
    """Shows `describe` while Flink's own list still has one that a newer one has replaced."""
    flink = ScriptedFlink()
    job_id = "a" * 32
    flink.answer("GET jobs/overview", ok(jobs=[overview_row(job_id)]))
    latest = {"completed": completed(7, discarded=True)}
    flink.answer(f"GET jobs/{job_id}/checkpoints", ok(latest=latest, history=[completed(6)]))
    flink.answer(f"GET jobs/{job_id}/metrics?get=numRestarts,fullRestarts", ok_list(numRestarts=3))

    async def facts() -> dict[str, Any]:
        plane = flink.plane()
        jobs = await named_jobs(plane, Owners())
        return (await job_facts(plane, jobs, jobs.snapshot.jobs[0])).plain()

    seen = asyncio.run(facts())
    assert seen["last_checkpoint"]["id"] == 7
    assert seen["last_checkpoint"]["discarded"] is True
    assert seen["last_checkpoint_age"] == 4
    assert (seen["age"], seen["restarts"]) == (60, 3)


def ok_list(**metrics: int | str) -> httpx.Response:
    return httpx.Response(200, json=[{"id": k, "value": str(v)} for k, v in metrics.items()])


def test_a_savepoint_is_not_the_last_checkpoint() -> None:
    history = parse_history({"history": [completed(6)], "latest": {"savepoint": None}})
    assert [each.number for each in history] == [6]
    body = {"latest": {"completed": completed(8, is_savepoint=True)}, "history": [completed(7)]}
    assert [(each.number, each.kind) for each in parse_history(body)] == [
        (8, "savepoint"),
        (7, "checkpoint"),
    ]


@pytest.mark.parametrize("name", ["numRestarts", "fullRestarts"])
def test_restarts_by_their_newer_or_older_name(name: str) -> None:
    flink = ScriptedFlink()
    flink.answer("GET jobs/1/metrics?get=numRestarts,fullRestarts", ok_list(**{name: 2}))
    assert asyncio.run(JobInspection(flink.plane().client).restarts("1")) == 2


@pytest.mark.parametrize("values", [{}, {"numRestarts": "NaN"}, {"numRestarts": "Infinity"}])
def test_restarts_that_the_cluster_does_not_tell_are_none(values: dict[str, str]) -> None:
    """Shows an empty list, as a cluster answers before it has gathered metrics."""
    flink = ScriptedFlink()
    flink.answer("GET jobs/1/metrics?get=numRestarts,fullRestarts", ok_list(**values))
    assert asyncio.run(JobInspection(flink.plane().client).restarts("1")) is None


def test_exceptions_of_a_cluster_that_has_no_history() -> None:
    trace = "java.lang.Exception: outer\n\tat a.b(C.java)\nCaused by: java.io.IOException: disk"
    (found,) = parse_exceptions({"root-exception": trace, "timestamp": 5})
    assert (found.cause, found.at, found.trace) == ("IOException: disk", 5, trace)
    assert parse_exceptions({"root-exception": None}) == []


def test_a_hundred_jobs_are_listed_a_few_at_a_time() -> None:
    """Shows one list call for all, and few details at once, whatever their number."""
    flink = ScriptedFlink()
    ids = [f"{number:032x}" for number in range(100)]
    flink.answer("GET jobs/overview", ok(jobs=[overview_row(each) for each in ids]))
    in_flight, most = 0, 0

    class Counting(FlinkRest):
        async def parallelism(self, job_id: str) -> int | None:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            await asyncio.sleep(0)
            in_flight -= 1
            return 2

    for each in ids:
        metrics = f"GET jobs/{each}/metrics?get=numRestarts,fullRestarts"
        flink.answer(metrics, ok_list(numRestarts=0))

    async def listed() -> int:
        plane = flink.plane()
        plane.__class__ = Counting
        jobs = await named_jobs(plane, Owners())
        return len(await job_rows(plane, jobs, jobs.snapshot.jobs))

    assert asyncio.run(listed()) == 100
    assert 1 < most <= 8
    assert flink.count("GET jobs/overview") == 2
    assert flink.count("GET jars") == 1
