"""The baseline of the benchmarks holds what a real job holds."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.dynamic import Resource

from flink_jobs_provider import FlinkJob
from flink_jobs_provider.model.record import JobRecord
from flink_jobs_provider.provider.dynamic import FlinkJobProvider
from tests.bench.noop_provider import OUTPUTS, NoopJob, NoopProvider
from tests.job_jars import COUNTING_JAR

INPUTS: dict[str, Any] = {
    "__provider": "gASV",
    "target": {"kind": "flink", "url": "http://127.0.0.1:8081"},
    "job_name": "orders",
    "owner": "organization/bench/dev",
    "jar": str(COUNTING_JAR),
    "args": ["--output", "/tmp/counts"],
    "parallelism": 1,
}


def test_as_many_properties_as_a_real_job() -> None:
    """Shows that a new input or output of a job must be added to the baseline as well."""
    real = FlinkJobProvider().check({}, dict(INPUTS)).inputs
    noop = NoopProvider().check({}, dict(INPUTS)).inputs
    assert noop.keys() - {"__provider"} == real.keys()
    assert noop["target"].keys() == real["target"].keys()
    assert noop["timeouts"] == real["timeouts"]
    # A job that runs on a session cluster has none of these, and then there are no such outputs.
    none = {"run_id", "started_at", "honoured", "restore_point"}
    none |= {
        "submitted_parallelism",
        "rescaled",
        "unconfirmed",
        "adopted",
        "gate_failed",
        "rehearsals",
    }
    assert OUTPUTS.keys() == set(JobRecord.output_names()) - none


def test_as_many_declared_outputs_as_a_real_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows that the SDK has as many outputs to resolve, be they set or not."""
    declared: list[set[str]] = []

    def declare(_resource: object, _provider: object, _name: str, props: Any, _opts: Any) -> None:
        declared.append({name for name, value in props.items() if value is None})

    monkeypatch.setattr(Resource, "__init__", declare)
    inputs = {name: value for name, value in INPUTS.items() if name != "__provider"}
    FlinkJob("orders", **inputs)
    NoopJob("orders", **inputs)
    assert declared[0] == declared[1]
    assert len(declared[0]) > len(OUTPUTS)
