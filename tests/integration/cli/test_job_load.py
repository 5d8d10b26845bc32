"""`flink-jobs jobs top`, `metrics` and the health in `describe`, on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.flink_cluster import FlinkCluster
from tests.integration.cli.terminal import on_a_terminal
from tests.integration.cli.test_jobs import jobs
from tests.job_jars import COUNTING_JAR, TEST_JOBS_JAR, entry_class
from tests.waiting import wait_until


def as_json(cluster: FlinkCluster, *words: str) -> Any:
    return json.loads(jobs(cluster, *words, "--json").stdout)


def test_the_load_of_a_job_that_runs(flink: FlinkCluster, tmp_path: Path) -> None:
    """Shows its load in `top`, its metrics by name, and its health with what changed."""
    args = ["--output", str(tmp_path / "out"), "--rate", "500", "--checkpoint-interval", "200"]
    job_id = flink.run(COUNTING_JAR, args, parallelism=2)

    def loaded() -> Any:
        (row,) = as_json(flink, "top", job_id)
        assert row["busy"] is not None, row
        assert row["records_per_second"], row
        return row

    row = wait_until(loaded, 30, "the load is reported")
    assert (row["job_id"], row["status"], row["needs_attention"]) == (job_id, "RUNNING", [])
    assert 0 <= row["busy"] <= 1
    assert 0 <= row["backpressured"] <= 1
    assert row["event_time_lag_ms"] is None
    heading, line = jobs(flink, "top").stdout.splitlines()
    assert heading.split()[:3] == ["job", "status", "busy"]
    assert line.startswith("counting (not ours)  RUNNING ")

    shown = as_json(flink, "metrics", job_id)
    own = {each["metric"]: each["value"] for each in shown if "vertex" not in each}
    assert own["numRestarts"] == "0"
    assert int(own["numberOfCompletedCheckpoints"]) > 0
    busy = [each for each in shown if each["metric"] == "busyTimeMsPerSecond"]
    assert len(busy) == 2
    assert all(0 <= each["min"] <= each["avg"] <= each["max"] for each in busy)
    (emitted,) = as_json(flink, "metrics", job_id, "--get", "Source__numbers.numRecordsOut")
    assert emitted["sum"] > 0
    names = {each["metric"] for each in as_json(flink, "metrics", job_id, "--names")}
    assert {"numRestarts", "busyTimeMsPerSecond", "Source__numbers.numRecordsOut"} <= names
    wrong = jobs(flink, "metrics", job_id, "--get", "numRestart", code=1).stderr
    assert "the job has no metric numRestart; names like it: numRestarts" in wrong

    # Flink 1.20 has its default here, by which checkpoint statistics are up to 3 s old.
    seen = as_json(flink, "describe", job_id, "--trend", "4")
    assert seen["needs_attention"] == []
    assert seen["trend"]["completed"] > 0
    assert seen["trend"]["failed"] == 0
    assert {each["parallelism"] for each in seen["health"]["vertices"]} == {2}
    assert seen["health"]["checkpoint_settings"]["interval"] == 200
    assert seen["health"]["checkpoint_trend"]["count"] > 1
    text = jobs(flink, "describe", job_id).stdout
    assert "checkpoint trend" in text
    assert "needs attention" not in text


def test_a_job_that_is_restarted_again_and_again(flink: FlinkCluster, tmp_path: Path) -> None:
    """Shows that it needs attention while it runs, and why; and what to do once it has failed."""
    jar = flink.upload(TEST_JOBS_JAR)

    def run(restarts: int) -> str:
        args = ["--output", str(tmp_path / "out"), "--fail-after-millis", "300"]
        args += ["--restarts", str(restarts)]
        answer = flink.submit(jar, args, entryClass=entry_class("FailingTask"))
        return str(answer.json()["jobid"])

    def concerns_with(wanted: str, job_id: str) -> dict[str, str]:
        seen = as_json(flink, "describe", job_id)["needs_attention"]
        found = {each["concern"]: each["reason"] for each in seen}
        assert wanted in found, seen
        return found

    restarted = run(1000)
    found = wait_until(lambda: concerns_with("restarted", restarted), 30, "it was restarted")
    assert "the task failed on purpose" in found["restarted"]
    flink.rest.patch(f"/jobs/{restarted}", params={"mode": "cancel"})
    failed = run(0)
    flink.await_state(failed, "FAILED")
    found = wait_until(lambda: concerns_with("failed", failed), 30, "its failure is reported")
    assert "the task failed on purpose" in found["failed"]
    text = jobs(flink, "describe", failed).stdout
    assert "needs attention: it FAILED " in text
    assert "Fix the cause. Start it again from " in text


def test_a_table_on_a_terminal_is_redrawn_until_it_is_interrupted(
    flink_2: FlinkCluster, tmp_path: Path
) -> None:
    job_id = flink_2.run(COUNTING_JAR, ["--output", str(tmp_path / "out")])
    words = ["jobs", "top", job_id, "--interval", "1"]
    with on_a_terminal(words, {"FLINK_JOBS_URL": flink_2.url}) as terminal:
        terminal.read_until(lambda seen: seen.count("counting (not ours)") >= 2)
        assert terminal.interrupt() == 130
    assert "needs attention" in terminal.seen
    assert "Traceback" not in terminal.seen
