"""Requests for metrics that are aggregated by the cluster."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from flink_jobs_provider.control_planes.flink.inspection import (
    Aggregate,
    MetricReader,
    parse_aggregates,
)
from tests.contract.flink.scripted import JOB_ID, ScriptedFlink

PATH = f"jobs/{JOB_ID}/vertices/{'a' * 32}/subtasks/metrics"
AGGREGATED = "&agg=min,max,sum,avg"


def some(*body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=list(body))


def named(*names: str) -> httpx.Response:
    return some(*({"id": name} for name in names))


def test_only_metrics_that_exist_are_asked_for() -> None:
    """Shows it by the request: one that does not exist would empty the whole answer."""
    flink = ScriptedFlink()
    flink.answer(f"GET {PATH}", named("busy", "idle"))
    values = {"id": "busy", "min": 1, "max": 3, "sum": 4, "avg": 2}
    flink.answer(f"GET {PATH}?get=busy{AGGREGATED}", some(values))
    reader = MetricReader(flink.plane().client, flink.clock.now)
    found = asyncio.run(reader.read(PATH, ["busy", "pendingRecords"]))
    assert found == {"busy": Aggregate(1, 3, 4, 2)}


def test_names_are_listed_once_a_minute() -> None:
    """Shows that those of operators which start later are found."""
    flink = ScriptedFlink()
    flink.answer(f"GET {PATH}", named("busy"), named("busy", "late"))
    reader = MetricReader(flink.plane().client, flink.clock.now)

    async def names() -> list[int]:
        seen = [len(await reader.names(PATH)), len(await reader.names(PATH))]
        flink.clock.time += 61
        return [*seen, len(await reader.names(PATH))]

    assert asyncio.run(names()) == [1, 1, 2]
    assert flink.count(f"GET {PATH}") == 2


def test_a_cluster_that_has_gathered_none_so_far_is_asked_again() -> None:
    flink = ScriptedFlink()
    flink.answer(f"GET {PATH}", some(), named("busy"))
    reader = MetricReader(flink.plane().client, flink.clock.now)

    async def names() -> list[int]:
        return [len(await reader.names(PATH)), len(await reader.names(PATH))]

    assert asyncio.run(names()) == [0, 1]


def test_metrics_of_a_cluster_that_nobody_asked_before_are_waited_for() -> None:
    """Shows two seconds in all, so that a job which has none yet delays nothing for long."""
    flink = ScriptedFlink()
    flink.answer(f"GET {PATH}", some(), some(), named("busy"))
    reader = MetricReader(flink.plane().client, flink.clock.now, flink.clock.sleep)
    assert asyncio.run(reader.gathered(PATH)) == {"busy"}
    begun = flink.clock.time
    assert asyncio.run(reader.gathered(PATH + "/nowhere")) == frozenset()
    assert asyncio.run(reader.gathered(PATH + "/nowhere")) == frozenset()
    assert 1.5 < flink.clock.time - begun < 2.5


def test_requests_are_short_enough_for_the_server() -> None:
    """Shows many long names of metrics in several requests, none of which is refused."""
    flink = ScriptedFlink()
    names = [f"Source__{number}_{'x' * 200}.pendingRecords" for number in range(60)]
    flink.answer(f"GET {PATH}", named(*names))
    asyncio.run(MetricReader(flink.plane().client, flink.clock.now).read(PATH, names))
    asked = [each.path for each in flink.sent if "get=" in each.path]
    assert len(asked) > 3
    assert max(map(len, asked)) < 4000
    assert sum(each.count("pendingRecords") for each in asked) == 60


def test_the_names_of_operators_are_quoted() -> None:
    flink = ScriptedFlink()
    name = "Sink__a&b #1.numRecordsSend"
    flink.answer(f"GET {PATH}", named(name))
    quoted = "Sink__a%26b%20%231.numRecordsSend"
    values = {"id": name, "min": 1, "max": 1, "sum": 1, "avg": 1}
    flink.answer(f"GET {PATH}?get={quoted}{AGGREGATED}", some(values))
    found = asyncio.run(MetricReader(flink.plane().client, flink.clock.now).read(PATH, [name]))
    assert found == {name: Aggregate(1, 1, 1, 1)}


def test_what_is_not_a_finite_number_is_left_out() -> None:
    """Shows the busy time of a source of the old kind, which Flink reports as NaN, and gauges."""
    body: list[dict[str, Any]] = [
        {"id": "busy", "min": "NaN", "max": "NaN", "sum": "NaN", "avg": "NaN"},
        {"id": "own", "min": 1, "max": "Infinity", "sum": "Infinity", "avg": "Infinity"},
        {"id": "less", "min": "-Infinity", "max": 1, "sum": "NaN", "avg": "NaN"},
        {"id": "idle", "min": 1, "max": 2, "sum": 3, "avg": 1.5},
    ]
    assert parse_aggregates(body) == {"idle": Aggregate(1, 2, 3, 1.5)}
