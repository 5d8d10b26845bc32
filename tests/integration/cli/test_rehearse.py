"""`flink-jobs jobs rehearse`: a verdict on a new version, and a job that goes on as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from flink_jobs_provider.model.identity import JobKey
from tests.flink_cluster import FlinkCluster
from tests.integration.cli.test_adopt import adopt
from tests.integration.cli.test_jobs import jobs
from tests.job_jars import TEST_JOBS_JAR, entry_class
from tests.waiting import wait_until

OWNER = "organization/shop/dev"
ENDED = {"FINISHED", "FAILED", "CANCELED"}


def write(path: Path, *args: str, **inputs: Any) -> Path:
    """Write a job file of a job that counts."""
    usual = ["--output", str(path.with_name("counts")), "--checkpoint-interval", "400"]
    document = {"job_name": "orders", "parallelism": 1, "settle_time": "0s"}
    program = {"jar": str(TEST_JOBS_JAR), "entry_class": entry_class("CountingJobV2")}
    path.write_text(yaml.safe_dump({**document, **program, "args": [*usual, *args], **inputs}))
    return path


def test_a_verdict_and_a_job_that_is_not_touched(flink: FlinkCluster, tmp_path: Path) -> None:
    """Shows one version that passes, one that does not, and a file without a rehearsal."""
    file = write(tmp_path / "orders.yaml")
    job_id = json.loads(jobs(flink, "start", str(file), "--json").stdout)["job_id"]
    path = f"/jobs/{job_id}/checkpoints"
    wait_until(lambda: flink.get(path)["counts"]["completed"], 60, "a checkpoint")
    before, jars = flink.jobs()[job_id], flink.get("/jars")["files"]
    assert "declares no rehearsal" in jobs(flink, "rehearse", str(file), code=1).stderr

    elsewhere = ["--output", str(tmp_path / "rehearsed"), "--checkpoint-interval", "400"]
    elsewhere += ["--sink-uid", "rehearsed-lines"]
    write(file, "--label", "2", rehearsal={"args": elsewhere, "window": "3s"})
    passed = jobs(flink, "rehearse", str(file), "--json")
    verdict = json.loads(passed.stdout)
    assert (verdict["job_id"], verdict["passed"], verdict["reason"]) == (job_id, True, "")
    assert f"/{job_id}/savepoint-" in verdict["savepoint"]
    assert re.search(r"rehearsal of orders: health gate passed: \d+ s, 0 restarts", passed.stderr)
    again = json.loads(jobs(flink, "rehearse", str(file), "--json").stdout)
    assert again["savepoint"] != verdict["savepoint"], "it starts from the state of its time"

    failing = {"args": [*elsewhere, "--fail-after-millis", "500", "--restarts", "1000"]}
    write(file, entry_class=entry_class("FailingTask"), rehearsal={**failing, "window": "8s"})
    failed = jobs(flink, "rehearse", str(file), code=1)
    assert "orders: the rehearsal of the new version did not " in failed.stderr
    assert f"Job {job_id} goes on: this run has not stopped it." in failed.stderr

    after = flink.jobs()
    for name in ("state", "start-time", "last-modification"):
        assert after[job_id][name] == before[name]
    others = {row["state"] for id_, row in after.items() if id_ != job_id}
    assert others
    assert others <= ENDED
    assert flink.get("/jars")["files"] == jars


def test_a_rehearsal_is_listed_as_one_and_cannot_be_adopted(
    flink: FlinkCluster, tmp_path: Path
) -> None:
    """Shows it of a copy that a killed run left, with its jar: that holds its name."""
    key = JobKey("orders", OWNER).rehearsal
    jar_id = flink.upload(TEST_JOBS_JAR, f"{key.name}-{key.prefix}-{'0' * 32}.jar")
    program = {"entryClass": entry_class("CountingJobV2"), "parallelism": 1}
    args = ["--output", str(tmp_path / "counts"), "--checkpoint-interval", "400"]
    job_id = key.job_id(1, "0" * 8)
    assert flink.submit(jar_id, args, jobId=job_id, **program).is_success
    flink.await_tasks_running(job_id)
    listed = json.loads(jobs(flink, "list", "--json").stdout)
    assert [row["job_name"] for row in listed if row["job_id"] == job_id] == ["rehearsal of orders"]
    assert job_id not in adopt(flink, "--json").stdout
    jobs(flink, "cancel", "rehearsal of orders", "--yes")
    assert flink.jobs()[job_id]["state"] == "CANCELED"
