"""What the metrics of a vertex become."""

from __future__ import annotations

import pytest

from flink_jobs_provider.control_planes.flink.inspection import Aggregate
from flink_jobs_provider.observing.job_health import is_of_health, parse_settings, parse_vertex

ROW = {"id": "a", "name": "Source: orders -> sink", "parallelism": 2, "tasks": {"RUNNING": 2}}


def test_a_connector_that_reports_how_far_it_is_behind() -> None:
    """Shows the metrics of FLIP-33, by the names that operators give them."""
    metrics = {
        "Source__orders.pendingRecords": Aggregate(3, 9, 12, 6),
        "Source__orders.currentEmitEventTimeLag": Aggregate(100, 2500, 2600, 1300),
        "Source__orders.currentOutputWatermark": Aggregate(1.8e12, 1.9e12, 3.7e12, 1.85e12),
        "Source__orders.numRecordsOutPerSecond": Aggregate(10, 20, 30, 15),
        "numRecordsOutPerSecond": Aggregate(0, 0, 0, 0),
    }
    assert all(map(is_of_health, metrics))
    found = parse_vertex(ROW, source=True, metrics=metrics)
    assert (found.pending_records, found.emit_lag) == (12, 2500)
    assert found.watermark == 1_800_000_000_000
    assert (found.records_out, found.emitted) == (0, 30)


@pytest.mark.parametrize("value", [-9223372036854775808.0, 9223372036854775807.0])
def test_no_watermark_so_far_and_the_end_of_a_source_are_no_times(value: float) -> None:
    metrics = {"currentInputWatermark": Aggregate(value, value, value, value)}
    assert parse_vertex(ROW, source=False, metrics=metrics).watermark is None


def test_a_source_that_has_emitted_nothing_has_no_lag() -> None:
    """Shows the values that connectors report before their first record."""
    metrics = {
        "Source__orders.currentEmitEventTimeLag": Aggregate(-1, -1, -2, -1),
        "Source__orders.pendingRecords": Aggregate(-1, -1, -2, -1),
    }
    found = parse_vertex(ROW, source=True, metrics=metrics)
    assert (found.emit_lag, found.pending_records) == (None, None)


def test_shares_of_time_are_those_of_the_subtask_that_matters() -> None:
    metrics = {
        "busyTimeMsPerSecond": Aggregate(10, 1002, 1012, 506),
        "backPressuredTimeMsPerSecond": Aggregate(0, 250, 250, 125),
        "idleTimeMsPerSecond": Aggregate(5, 990, 995, 497),
    }
    found = parse_vertex(ROW, source=False, metrics=metrics)
    assert (found.busy, found.backpressured, found.idle) == (1.0, 0.25, 0.005)
    assert found.emitted is None


def test_a_vertex_without_metrics_has_no_load() -> None:
    found = parse_vertex(ROW, source=True, metrics={})
    assert (found.busy, found.emitted, found.watermark) == (None, None, None)
    assert (found.running, found.parallelism) == (2, 2)


def test_a_job_without_periodic_checkpoints() -> None:
    """Shows the interval that Flink reports for none: the greatest number of Java."""
    found = parse_settings({"interval": 2**63 - 1, "timeout": 600_000})
    assert (found.periodic, found.interval) == (False, 0)
