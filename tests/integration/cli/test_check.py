"""`flink-jobs jobs check`: a running job's state against a new version, and nothing changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flink_cluster import FlinkCluster
from tests.integration.cli.test_jobs import jobs
from tests.job_jars import COUNTING_JAR, TEST_JOBS_JAR, entry_class
from tests.waiting import wait_until

OPERATORS = "keyed:count:c,list:buffer:b,plain:print:p"


def write(path: Path, operators: str = OPERATORS, **inputs: Any) -> Path:
    """Write a job file of declared operators."""
    args = ["--operators", operators, "--sources", "numbers:n"]
    usual = {"jar": str(TEST_JOBS_JAR), "entry_class": entry_class("DeclaredOperators")}
    document = {"job_name": "orders", "args": args, "parallelism": 1, "settle_time": "0s"}
    path.write_text(yaml.safe_dump({**document, **usual, **inputs}))
    return path


@pytest.fixture
def running(flink: FlinkCluster, tmp_path: Path) -> Path:
    """Return the file of a job that runs, with a completed checkpoint."""
    file = write(tmp_path / "orders.yaml")
    job_id = json.loads(jobs(flink, "start", str(file), "--json").stdout)["job_id"]
    path = f"/jobs/{job_id}/checkpoints"
    wait_until(lambda: flink.get(path)["counts"]["completed"], 60, "a checkpoint")
    return file


def test_verdicts_by_file_and_by_name(flink: FlinkCluster, running: Path) -> None:
    """Shows each verdict, its exit code, and that neither jars nor the job are touched."""
    before, jars = flink.jobs(), flink.get("/jars")["files"]
    fits = json.loads(jobs(flink, "check", str(running), "--json").stdout)
    assert (fits["job_name"], fits["verdict"], fits["refused"]) == ("orders", "fits", None)
    assert {each["verdict"] for each in fits["state"]} == {"fits"}
    assert sum(each["size_bytes"] for each in fits["state"]) > 0

    less = ("--args", "--operators keyed:count:c,plain:print:p --sources numbers:n")
    dropped = jobs(flink, "check", str(running), *less, code=1)
    assert "orders: STATE IS DROPPED: " in dropped.stdout
    assert "of buffer (" in dropped.stdout
    assert "drops" in dropped.stdout
    assert "an update is refused: orders: the new version has no place for " in dropped.stderr
    write(running, allow_non_restored_state=True)
    assert "STATE IS DROPPED" in jobs(flink, "check", str(running), *less).stdout

    options = ("--jar", str(TEST_JOBS_JAR), "--entry-class", entry_class("DeclaredOperators"))
    args = ("--args", f"--operators {OPERATORS} --sources numbers:n")
    by_name = jobs(flink, "check", "orders", *options, *args).stdout
    assert "orders: state fits (3 operators, " in by_name
    assert flink.jobs().keys() == before.keys()
    assert flink.get("/jars")["files"] == jars


def test_what_cannot_be_compared_is_an_error(flink_2: FlinkCluster, tmp_path: Path) -> None:
    file = write(tmp_path / "nobody.yaml", job_name="nobody")
    assert "the cluster lists no such job" in jobs(flink_2, "check", str(file), code=1).stderr
    missing = jobs(flink_2, "check", str(tmp_path / "other.yaml"), code=1).stderr
    assert "other.yaml" in missing
    job_id = flink_2.run(COUNTING_JAR, ["--output", str(tmp_path / "out")])
    assert "Give its jar with --jar" in jobs(flink_2, "check", job_id, code=1).stderr
    throws = ("--jar", str(TEST_JOBS_JAR), "--entry-class", entry_class("ThrowingMain"))
    assert "main threw on purpose" in jobs(flink_2, "check", job_id, *throws, code=1).stderr
    wrong = jobs(flink_2, "check", job_id, *throws, "--parallelism", "0", code=1).stderr
    assert "parallelism" in wrong
    active = {each for each, job in flink_2.jobs().items() if job["state"] == "RUNNING"}
    assert active == {job_id}
