"""What is known of Flink's options agrees with real clusters: keys, values, and what has no effect.

Each Flink that is tested is asked; the parsers of all versions from 1.17 on are in the unit tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flink_jobs_provider.model.flink_options import flink_option, parses
from tests.flink_cluster import FlinkCluster
from tests.integration.provided_job import RETAINED, ProvidedJob, end_run
from tests.job_jars import COUNTING_JAR

#: Options that the graph of a job is made with: a value that is refused, and one that is taken.
_VALUES = [
    ("execution.checkpointing.interval", "10 sekunden", "10 Sec"),
    ("execution.checkpointing.interval", "1mins", "1 minutes"),
    ("pipeline.object-reuse", "ja", "TRUE"),
    ("pipeline.max-parallelism", "128.0", "+128"),
    ("execution.checkpointing.mode", "exactly-once", "exactly_once"),
]
_OF_THE_CLUSTER = {
    "taskmanager.numberOfTaskSlots": "1",
    "jobmanager.memory.heap.size": "viel",
    "taskmanager.memory.process.size": "viel",
    "rest.port": "-1",
    "heartbeat.timeout": "nie",
    "web.submit.enable": "false",
    "slotmanager.number-of-slots.max": "1",
}


def test_the_options_of_a_running_cluster_are_known(flink: FlinkCluster) -> None:
    """Shows keys and values as the JobManager lists what it runs with."""
    listed = {entry["key"]: entry["value"] for entry in flink.get("/jobmanager/config")}
    assert "rest.port" in listed
    options = {key: flink_option(key) for key in listed if not key.startswith("$")}
    assert [key for key, option in options.items() if option is None] == []
    for key, option in options.items():
        assert option is None or parses(option.types, listed[key]), (key, listed[key])


@pytest.mark.parametrize(("key", "refused", "taken"), _VALUES)
def test_a_value_that_is_refused_is_one_that_flink_refuses(
    flink: FlinkCluster, tmp_path: Path, key: str, refused: str, taken: str
) -> None:
    option = flink_option(key)
    assert option is not None
    jar = flink.upload(COUNTING_JAR)
    for value, good in ((refused, False), (taken, True)):
        words = ["--output", str(tmp_path / "out")]
        body = {"programArgsList": words, "flinkConfiguration": {key: value}}
        answer = flink.rest.post(f"/jars/{jar}/plan", json=body)
        assert answer.is_success is good, answer.text
        assert parses(option.types, value) is good


@pytest.fixture
def job(flink: FlinkCluster, tmp_path: Path) -> Iterator[ProvidedJob]:
    """Return a job as an engine goes about it, on the cluster itself."""
    yield ProvidedJob({"kind": "flink", "url": flink.url}, flink, tmp_path)
    end_run()


def test_options_of_the_cluster_have_no_effect_on_a_job(
    job: ProvidedJob, flink: FlinkCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    """Shows that a job with them, even with nonsense, runs as one without.

    It was recorded before they were refused: it is refreshed, updated with its state, and deleted.
    """
    before = flink.get("/overview")["slots-total"]
    declared = job.provider.check({}, job.inputs).inputs
    job.inputs |= {"flink_configuration": {**RETAINED, **_OF_THE_CLUSTER}}
    refused = job.provider.check({}, job.inputs).failures
    assert {each.property for each in refused} == {
        f"flink_configuration.{key}" for key in _OF_THE_CLUSTER
    }
    recorded = {**declared, "flink_configuration": job.inputs["flink_configuration"]}
    job.state = dict(job.provider.create(recorded).outs or {})
    capfd.readouterr()
    assert job.unchanged()
    warnings = [line for line in capfd.readouterr().out.splitlines() if "warning" in line]
    assert len(warnings) == len(_OF_THE_CLUSTER)
    assert flink.get("/overview")["slots-total"] == before
    assert flink.get("/config")["features"]["web-submit"] is True
    job.up(parallelism=2.0)
    job.assert_runs(restored_from=job.state["last_savepoint"])
    job.destroy()
    assert job.active() == []
