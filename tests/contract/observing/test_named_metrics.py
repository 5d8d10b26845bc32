"""Metrics of a job by their names."""

from __future__ import annotations

import asyncio

import pytest

from flink_jobs_provider.observing.named_metrics import JobMetrics, MetricRow, UnknownMetric
from tests.contract.flink.scripted import ScriptedFlink, ok
from tests.contract.flink.test_metrics import AGGREGATED, named, some

JOB_ID = "1" * 32
VERTEX = "a" * 32
SUBTASKS = f"jobs/{JOB_ID}/vertices/{VERTEX}/subtasks/metrics"
OWN = f"jobs/{JOB_ID}/metrics"
PENDING = "Source__orders.pendingRecords"


def metrics_of(flink: ScriptedFlink) -> JobMetrics:
    """Return the metrics of a job with one vertex."""
    vertices = [{"id": VERTEX, "name": "Source: orders"}]
    flink.answer(f"GET jobs/{JOB_ID}", ok(vertices=vertices))
    flink.answer(f"GET {OWN}", named("numRestarts", "uptime"))
    flink.answer(f"GET {OWN}?get=numRestarts", some({"id": "numRestarts", "value": "2"}))
    flink.answer(f"GET {SUBTASKS}", named("busyTimeMsPerSecond", PENDING, "numBytesIn"))
    for name in ("busyTimeMsPerSecond", PENDING):
        values = {"id": name, "min": 0, "max": 7, "sum": 7, "avg": 3.5}
        flink.answer(f"GET {SUBTASKS}?get={name}{AGGREGATED}", some(values))
    both = f"{PENDING},busyTimeMsPerSecond"
    flink.answer(f"GET {SUBTASKS}?get={both}{AGGREGATED}", some(values))
    return JobMetrics(flink.plane().client, JOB_ID, flink.clock.now, flink.clock.sleep)


def test_metrics_that_tell_the_health_of_a_job() -> None:
    rows = asyncio.run(metrics_of(ScriptedFlink()).rows([]))
    assert [(each.vertex, each.metric) for each in rows] == [
        (None, "numRestarts"),
        ("Source: orders", PENDING),
    ]
    assert rows[0].plain() == {"metric": "numRestarts", "value": "2"}


@pytest.mark.parametrize("name", ["pendingRecords", PENDING])
def test_a_metric_by_its_name_or_the_last_part_of_it(name: str) -> None:
    (found,) = asyncio.run(metrics_of(ScriptedFlink()).rows([name]))
    assert found == MetricRow(PENDING, "Source: orders", VERTEX, None, 0, 7, 7, 3.5)


@pytest.mark.parametrize(
    ("least", "most", "row"),
    [
        (-(2**63), -(2**63), (None, None)),
        (-(2**63), 1_700_000_000_000, (None, 1_700_000_000_000)),
        (1_600_000_000_000, 2**63 - 1, (1_600_000_000_000, None)),
    ],
)
def test_a_watermark_that_is_no_time(
    least: float, most: float, row: tuple[float | None, float | None]
) -> None:
    """Shows that no subtask without a watermark is shown as if it had reached a time."""
    flink, name = ScriptedFlink(), "currentInputWatermark"
    flink.answer(f"GET jobs/{JOB_ID}", ok(vertices=[{"id": VERTEX, "name": "Map"}]))
    flink.answer(f"GET {OWN}", named())
    flink.answer(f"GET {SUBTASKS}", named(name))
    values = {"id": name, "min": least, "max": most, "sum": least + most, "avg": least}
    flink.answer(f"GET {SUBTASKS}?get={name}{AGGREGATED}", some(values))
    (found,) = asyncio.run(
        JobMetrics(flink.plane().client, JOB_ID, flink.clock.now, flink.clock.sleep).rows([name])
    )
    assert found == MetricRow(name, "Map", VERTEX, None, *row)


def test_a_metric_that_there_is_none_of() -> None:
    with pytest.raises(UnknownMetric, match="no metric pendingRecord; names like it: pendingRec"):
        asyncio.run(metrics_of(ScriptedFlink()).rows(["numRestarts", "pendingRecord"]))


def test_the_names_of_all_metrics() -> None:
    rows = asyncio.run(metrics_of(ScriptedFlink()).named())
    assert [(each.vertex, each.metric) for each in rows] == [
        (None, "numRestarts"),
        (None, "uptime"),
        ("Source: orders", PENDING),
        ("Source: orders", "busyTimeMsPerSecond"),
        ("Source: orders", "numBytesIn"),
    ]
