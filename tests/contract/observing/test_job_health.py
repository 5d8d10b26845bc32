"""One job in detail, from what real clusters answered."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.inspection import Aggregate, parse_aggregates
from flink_jobs_provider.model.observation import ObservedJob
from flink_jobs_provider.observing.health import JobHealth
from flink_jobs_provider.observing.job_health import JobReader, parse_settings
from tests.contract.flink.record_metrics import COUNTING, JOB_METRICS, METASPACE
from tests.contract.flink.scripted import ScriptedFlink

RECORDED = Path(__file__).parents[1] / "flink" / "recorded"
VERSIONS = ("1.17.2", "1.20.5", "2.3.0")

pytestmark = pytest.mark.parametrize("version", VERSIONS)


def recorded(name: str, version: str) -> Any:
    """Return the body of an answer that `record_metrics.py` names."""
    answers = json.loads((RECORDED / f"metrics-{version}.json").read_text(encoding="utf-8"))
    return answers[name]["body"]


def aggregates(name: str, version: str) -> dict[str, Aggregate]:
    return parse_aggregates(recorded(name, version))


def test_aggregates_over_jobs_have_no_value_by_job(version: str) -> None:
    """Shows all that `/jobs/metrics` returns for two jobs, one of which was restarted."""
    (found, *_) = recorded("aggregated", version)
    assert set(found) == {"id", "min", "max", "sum", "avg"}
    both = aggregates("aggregated", version)["numRestarts"]
    assert both.minimum == 0
    assert both.maximum == both.total >= 2
    assert both.mean == both.total / 2
    one = aggregates("aggregated-of-one", version)["numRestarts"]
    assert (one.minimum, one.maximum, one.total) == (0, 0, 0)
    assert recorded("aggregated-of-unknown", version) == []


def test_one_metric_that_does_not_exist_costs_all_others_their_values(version: str) -> None:
    """Shows why names are listed before values are read."""
    assert recorded("missing", version) == []
    assert {"numRestarts", "numberOfFailedCheckpoints"} <= {
        each["id"] for each in recorded("names", version)
    }
    found = {each["id"] for each in recorded("one-job", version)}
    assert found == set(JOB_METRICS)


class AnsweringAsRecorded(ScriptedFlink):
    """A cluster that answers as one did when it was recorded."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        details = recorded("detail", version)
        config = recorded("checkpoints-config", version)
        for path, body in {
            f"jobs/{COUNTING}": details,
            f"jobs/{COUNTING}/checkpoints": recorded("checkpoints", version),
            f"jobs/{COUNTING}/checkpoints/config": config,
            f"jobs/{COUNTING}/exceptions?maxExceptions=16": recorded("exceptions", version),
            f"jobs/{COUNTING}/metrics?get=fullRestarts,numRescales,numRestarts": [
                {"id": "numRestarts", "value": "3"}
            ],
        }.items():
            self.answer(f"GET {path}", httpx.Response(200, json=body))
        self.values: dict[str, list[Any]] = {}
        for number, row in enumerate(details["vertices"]):
            path = f"jobs/{COUNTING}/vertices/{row['id']}/subtasks/metrics"
            names = recorded(f"vertex-{number}-names", version)
            self.answer(f"GET {path}", httpx.Response(200, json=names))
            both = (f"vertex-{number}", f"vertex-{number}-watermark")
            self.values[path] = [each for name in both for each in recorded(name, version)]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode().lstrip("/").partition("?")
        if path in self.values and (asked := re.match("get=([^&]*)", query)):
            names = asked[1].split(",")
            known = {each["id"]: each for each in self.values[path]}
            found = [known[name] for name in names if name in known]
            return httpx.Response(200, json=found)
        return super()._handle(request)


@pytest.fixture
def counting(version: str) -> JobHealth:
    """Return the counting job of a recorded cluster."""
    flink = AnsweringAsRecorded(version)
    reader = JobReader(flink.plane().client, COUNTING, flink.clock.now, flink.clock.sleep)
    job = ObservedJob(COUNTING, "counting", "RUNNING", started=1, tasks=4, running_tasks=4)
    return asyncio.run(reader.observe(job, 0))


def test_a_job_with_its_load_checkpoints_and_settings(version: str, counting: JobHealth) -> None:
    details = recorded("detail", version)
    assert counting.at == details["now"]
    assert counting.state_since == details["timestamps"]["RUNNING"]
    assert counting.restarts == 3
    source, count = counting.vertices
    assert (source.source, count.source) == (True, False)
    assert source.name == "Source: numbers"
    assert count.name.startswith("count")
    assert {vertex.parallelism for vertex in counting.vertices} == {2}
    assert {vertex.max_parallelism for vertex in counting.vertices} == {128}
    for vertex in counting.vertices:
        assert vertex.busy is not None
        assert 0 <= vertex.busy <= 1
        assert vertex.backpressured is not None
        assert 0 <= vertex.backpressured <= 1
    assert counting.throughput is not None
    assert counting.throughput > 0
    assert counting.settings == parse_settings(recorded("checkpoints-config", version))
    assert counting.settings.periodic
    assert (counting.settings.interval, counting.settings.timeout) == (500, 600_000)
    assert counting.counts.completed > 0
    assert counting.last_completed is not None
    assert counting.last_completed.size > 0


def test_a_job_without_event_time_has_no_watermark_and_no_lag(
    version: str, counting: JobHealth
) -> None:
    """Shows that the least and the greatest of Java's numbers are no times."""
    watermark = aggregates("vertex-1-watermark", version)["currentInputWatermark"]
    assert watermark.minimum < -9e18
    assert counting.watermark is None
    assert counting.event_time_lag is None
    assert counting.pending_records is None


def test_exceptions_of_a_job_that_is_restarted(version: str, counting: JobHealth) -> None:
    assert len(counting.exceptions) >= 2
    assert {each.cause for each in counting.exceptions} == {
        "IllegalStateException: the task failed on purpose"
    }
    times = [each.at for each in counting.exceptions]
    assert times == sorted(times, reverse=True)


def test_memory_for_classes(version: str) -> None:
    used, limit = METASPACE
    of_task_managers = aggregates("taskmanagers", version)
    assert 0 < of_task_managers[used].maximum < of_task_managers[limit].maximum
    job_manager = {each["id"]: float(each["value"]) for each in recorded("jobmanager", version)}
    assert 0 < job_manager[used] < job_manager[limit]


def test_an_unknown_vertex_has_no_metrics(version: str) -> None:
    assert recorded("unknown-vertex", version) == []


def test_the_metrics_of_an_ended_job_are_still_aggregated(version: str) -> None:
    """Shows that totals are of all jobs that the cluster lists, also of those that have ended."""
    ended = aggregates("ended", version)["numRestarts"]
    assert ended.maximum >= 2
    assert aggregates("all-after-one-ended", version)["numRestarts"].maximum == ended.maximum
