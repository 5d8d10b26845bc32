"""The numbers that a health gate judges, from what a real Flink answered of a counting job."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from flink_jobs_provider.control_planes.flink.vertex_metrics import shows_progress
from flink_jobs_provider.model.observation import VitalSigns
from tests.contract.flink.scripted import JOB_ID, ScriptedFlink

RECORDED = Path(__file__).parent / "recorded"
VERSIONS = ("1.17.2", "1.20.5", "2.3.0")
LISTED = "/exceptions?maxExceptions=16"
AGGREGATED = "&agg=min,max,sum,avg"


def answers(version: str) -> dict[str, Any]:
    """Return what a Flink answered, by name of the case."""
    found: dict[str, Any] = json.loads((RECORDED / f"metrics-{version}.json").read_text("utf-8"))
    return {name: each["body"] for name, each in found.items()}


def read(flink: ScriptedFlink, *, load: bool) -> VitalSigns:
    """Read the vital signs of the recorded job."""
    return asyncio.run(flink.plane().vital_signs(JOB_ID, load=load))


def flink_of(body: dict[str, Any], metrics: dict[str, float]) -> ScriptedFlink:
    """Return a Flink that answers as recorded, but with these values of metrics."""
    flink, path = ScriptedFlink(), f"jobs/{JOB_ID}"
    for name, query in (("detail", ""), ("checkpoints", "/checkpoints"), ("exceptions", LISTED)):
        flink.answer(f"GET {path}{query}", httpx.Response(200, json=body[name]))
    for number, vertex in enumerate(body["detail"]["vertices"]):
        names = sorted(each["id"] for each in body[f"vertex-{number}-names"])
        below = f"GET {path}/vertices/{vertex['id']}/subtasks/metrics"
        flink.answer(below, httpx.Response(200, json=[{"id": name} for name in names]))
        values = [
            {"id": name, **dict.fromkeys(("min", "max", "sum", "avg"), metrics[name])}
            for name in names
            if name in metrics and shows_progress(name)
        ]
        wanted = ",".join(filter(shows_progress, names))
        flink.answer(f"{below}?get={wanted}{AGGREGATED}", httpx.Response(200, json=values))
    return flink


@pytest.mark.parametrize("version", VERSIONS)
def test_checkpoints_and_exceptions_take_two_requests(version: str) -> None:
    body = answers(version)
    flink = flink_of(body, {})
    vitals = read(flink, load=False)
    assert vitals.completed == body["checkpoints"]["counts"]["completed"]
    done = [each for each in body["checkpoints"]["history"] if each["status"] == "COMPLETED"]
    assert list(vitals.checkpoint_times) == [each["end_to_end_duration"] for each in done[::-1]]
    assert vitals.cause == "IllegalStateException: the task failed on purpose"
    assert vitals.exceptions
    assert vitals.output is None
    asked = [sent.path for sent in flink.sent if JOB_ID in sent.path]
    assert sorted(asked) == [f"jobs/{JOB_ID}/checkpoints", f"jobs/{JOB_ID}{LISTED}"]


@pytest.mark.parametrize("version", VERSIONS)
def test_records_are_those_that_sinks_receive(version: str) -> None:
    """Shows that neither a committer nor the operators before a sink count."""
    metrics = {
        "lines__Writer.numRecordsIn": 120.0,
        "lines__Writer.numRecordsInPerSecond": 4.0,
        "lines__Committer.numRecordsIn": 7.0,
        "count.numRecordsIn": 500.0,
        "Source__numbers.currentEmitEventTimeLag": 2500.0,
    }
    vitals = read(flink_of(answers(version), metrics), load=True)
    assert (vitals.output, vitals.output_rate, vitals.lag_ms) == (120.0, 4.0, 2500)


def test_an_event_time_without_a_lag_of_its_source_is_compared_with_the_cluster_clock() -> None:
    body = answers("2.3.0")
    metrics = {"count.currentOutputWatermark": 1.0, "currentInputWatermark": 0.0}
    metrics["currentInputWatermark"] = body["detail"]["now"] - 4000.0
    assert read(flink_of(body, metrics), load=True).lag_ms == 4000
